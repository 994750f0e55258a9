"""The study of one network that someone brings: its tables, its figures, its page."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from residual_ensembles import figures, lesions, models, pruning, report
from residual_ensembles.analysis import claims_table, read_tables
from residual_ensembles.data import Prepared
from residual_ensembles.gradients.cut import Network
from residual_ensembles.gradients.pieces import BAR, measure
from residual_ensembles.gradients.study import GradientStudy, write_tables
from residual_ensembles.lesions.fingerprint import network_cache
from residual_ensembles.lesions.settings import SweepSettings
from residual_ensembles.lesions.sweep import Swept, sweep
from residual_ensembles.publishing import check_fits, dataset_facts, network_facts
from residual_ensembles.runtime.executor import Executor, Serial
from residual_ensembles.runtime.result_cache import ResultCache
from residual_ensembles.storage.files import write_csv, write_json, write_text
from residual_ensembles.storage.provenance import provenance


class NetworkStudy:
    """Takes one network apart on one data set.

    Args:
        chain: The network.
        path: Its file; the stem is its name in tables.
        prepared: The data.
        folder: Where all is written.
        seed: Of draws and samples.
        executor: What computes; None for this process.

    Raises:
        ValueError: The network takes other pictures, or tells fewer classes apart.
    """

    def __init__(
        self,
        chain,
        path: Path,
        prepared: Prepared,
        folder: Path,
        seed: int,
        executor: Executor | None = None,
    ):
        check_fits(chain, str(path), prepared)
        self.chain = chain
        self.wide = models.in_float32(chain)  # lesions say themselves what they are computed in
        self.path = path
        self.prepared = prepared
        self.folder = folder
        self.seed = seed
        self.executor = executor or Serial()
        self.name = "".join(c if c.isalnum() or c in "_-" else "_" for c in path.stem)
        self.network = self.name, 0

    def lesions(self, plan: Mapping[str, int], **options) -> None:
        """Evaluates single and random deletions, swaps and duplications on the test part.

        Args:
            plan: `k, draws, swaps, duplications`, cut to what the network can bear.
            **options: As for `evaluate`.
        """
        rows = lesions.study_plan(
            self.chain, **plan, seed=self.seed, random=True, as_far_as_possible=True
        )
        part, start = self.prepared.part("test"), time.monotonic()
        swept = Swept(*self.network, self.wide, rows, self._cache())
        settings = SweepSettings(seed=self.seed, **options)
        ((table, exactness),) = sweep([swept], part, self.folder, self.executor, settings)
        write_csv(self.folder / "exactness.csv", pd.DataFrame([exactness]))
        print(self.executor.told())
        write_csv(self.folder / "lesions.csv", table)
        facts = {**provenance(), **self.executor.provenance()}
        write_json(self.folder / "lesions_run.json", facts)
        self._write_run(table.error_fraction.iloc[0], len(part), time.monotonic() - start)

    def _cache(self) -> ResultCache:
        """Returns the results of lesions that an earlier sweep of the network may have had."""
        if not self.path.is_file():
            return ResultCache()
        modules = [module.name for module in self.chain.modules]
        return network_cache("lesions", self.path, self.prepared.checksum, modules=modules)

    def _write_run(self, error: float, n: int, seconds: float) -> None:
        chain = self.chain
        facts = {
            "network": self.name,
            "seed": 0,
            **network_facts(chain),
            "test_error_fraction": error,
            "n_test_images": n,
            "seconds_lesions": round(seconds, 1),
            "dataset": dataset_facts(self.prepared),
            **provenance(),
        }
        write_json(self.folder / "networks" / f"{self.name}-0" / "run.json", facts)
        if chain.graph is not None:
            path = self.folder / "network.txt"
            chain.summary(print_fn=lambda text: write_text(path, text + "\n"))

    def gradients(self, samples: int, batches: int, batch_size: int) -> None:
        """Takes the gradient of the trained network apart, on batches of the train part.

        Args:
            samples: Sampled paths of each length; 0 for none.
            batches: Batches.
            batch_size: Pictures in each.
        """
        how = GradientStudy(samples, batches, batch_size, seed=self.seed)
        part = self.prepared.part("train")
        estimators = ("exact", "sampled") if samples else ("exact",)
        with (
            models.as_file(models.to_bytes(self.chain)) as file,
            tqdm(total=batches * len(estimators), bar_format=BAR) as bar,
        ):
            network = Network(self.name, 0, file, "inference", estimators)
            (measured,) = measure([network], part, how, self.executor, bar.update)
        write_tables([how.tables(*self.network, measured)], self.folder)

    def worth(self) -> None:
        """Estimates what modules are worth, on the validation part or else on the train part."""
        table = pruning.worth(self.wide, *self._chosen_on(), executor=self.executor)
        write_csv(self.folder / "worth.csv", pruning.named(table, *self.network))
        ranks = pruning.rank_correlations(table)
        write_csv(self.folder / "worth_ranks.csv", pruning.named(ranks, *self.network))

    def prune(self, n: int) -> None:
        """Deletes n modules for good: pruned.keras, and what became of it in pruned.csv.

        Args:
            n: How many.
        """
        part = self.prepared.part("test")
        found = pruning.prune(
            self.chain,
            n,
            self._chosen_on(),
            (part.pictures(slice(None)), part.labels),
            executor=self.executor,
        )
        found.model.save(self.folder / "pruned.keras")
        write_csv(self.folder / "pruned.csv", found.comparison.reset_index(names="network"))
        write_csv(self.folder / "pruned_steps.csv", found.steps)
        print(found.comparison.to_string())

    def _chosen_on(self) -> tuple[np.ndarray, np.ndarray]:
        return pruning.chosen_on(self.prepared)

    def page(self, parameters: Mapping[str, object]) -> Path:
        """Draws the figures, decides the claims and writes the page.

        Args:
            parameters: What the study was run with.

        Returns:
            Where the page is.
        """
        tables = read_tables(self.folder)
        for picture in filter(lambda picture: picture.wanted(tables), figures.FIGURES):
            figures.save(picture.draw(tables), self.folder / "figures", picture.name)
        claims = claims_table(tables)
        write_csv(self.folder / "claims.csv", claims)
        figures.write_reference(self.folder)
        write_json(self.folder / "metrics.json", report.metrics(tables, claims))
        shown = json.loads(json.dumps(parameters, default=str))
        page = self.folder / "report.html"
        command = "python -m residual_ensembles.lesions"
        write_text(page, report.render(tables, claims, shown, command))
        return page
