"""Evaluation of plans of lesions: predictions, and how exact they are."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from residual_ensembles.arguments import checked
from residual_ensembles.lesions.engine.evaluator import (
    NOT_FINITE,
    Evaluator,
    SweepSpec,
    check_finite,
    predicted,
)
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES
from residual_ensembles.lesions.engine.scheduler import LesionResults, Meter, Request, Scheduler
from residual_ensembles.lesions.exactness import agreement, cascade, ties
from residual_ensembles.lesions.exactness.agreement import Agreement
from residual_ensembles.lesions.exactness.sequential_sampling import Sampling
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.lesions.plans import PlannedLesion
from residual_ensembles.lesions.sweep_settings import NOT_IN_KEY, SweepSettings, check_sweep
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.targets import check_numbers, class_labels
from residual_ensembles.models.types import Targets
from residual_ensembles.runtime.executor import Executor, Serial
from residual_ensembles.runtime.result_cache import ResultCache
from residual_ensembles.storage.columns import UNKNOWN

LARGEST_MARGIN = 0.1
"""Relative top-2 margins are clipped to this value before they are saved, unless the bound of
rounding, which is seldom a hundredth of it, is larger."""


@dataclass(frozen=True)
class Evaluation:
    """Predictions of a network after each lesion of a plan, and how exact they are.

    Counts are `(n_lesions,)`.
    """

    predictions: np.ndarray
    """Classes, int32 `(n_lesions, n_images)`, in the order of the plan;
    `storage.columns.UNKNOWN` where `ci_half_width` was reached without the image."""
    intact: np.ndarray | None
    """Classes that the intact network predicts, `(n_images,)`; None without `ci_half_width`."""
    n_close: np.ndarray
    """Ties: predictions whose relative top-2 margin is below `rounding`."""
    rounding: float
    """Bound on the change of a difference of logits by float32 rounding, as a share of the largest
    logit: `ties.ROUNDING`, or more where the network itself amplifies small differences."""
    n_reevaluated: np.ndarray
    """Predictions that a cascade reevaluated in float32."""
    n_threshold_violations: np.ndarray
    """Reevaluated predictions whose rounding was larger than the threshold; after one, all images
    of its chunk are reevaluated."""
    agreement: Agreement
    """Comparison of float32 with the reference, on a sample of lesions and images."""
    bfloat16: cascade.Bfloat16Changes | None
    """Changes of predictions by bfloat16 on a sample; None in float32."""


@checked
def evaluate(
    chain: Chain,
    plan: Sequence[PlannedLesion | Lesion | str],
    images,
    *,
    labels: Targets | None = None,
    precision: str = "float32",
    ci_half_width: float | None = None,
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
    seed: int = 0,
    fully_evaluated: Sequence[str] = (),
    executor: Executor | None = None,
    progress: Callable[[float], None] = lambda n_predictions: None,
) -> Evaluation:
    """Evaluates a plan of lesions.

    Everything that lesions have in common, from the stem to where they part, is computed once;
    where they meet again, and are too few to fill half of a batch, their activations pass the next
    module in one batch.

    In float32 predictions are those of `evaluate_reference`, except where the two best logits of an
    image lie closer than rounding: these are counted in `n_close`. In bfloat16 some change: the
    field `bfloat16` has how many of a sample. A cascade is bfloat16, and float32 again wherever
    rounding could have changed the prediction: see `cascade`.

    Args:
        chain: The network; nothing about it changes.
        plan: Lesions, their texts such as "delete 3,7", or planned lesions.
        images: `(n_images, height, width, channels)` in 0..255, or other inputs as
            `chain.packed_inputs` returns them: an array, or anything with a length that returns an
            array for a slice or for positions.
        labels: Class of each image, `(n_images,)`, or one-hot; read with `ci_half_width` only.
        precision: "float32", "bfloat16" or "cascade".
        ci_half_width: Half-width, as a fraction, at which the 95 % interval of a lesion's error on
            these images is narrow enough; see `exactness.sequential_sampling`. None evaluates all
            images.
        memory_bytes: Memory for activations, in each process.
        batch_size: Rows in a batch, each one image after one lesion; None for as many as are fast.
        seed: Seed of the samples.
        fully_evaluated: Sweeps, such as "single_deletion", whose lesions are evaluated on all
            images whatever the half-width.
        executor: Runs the tasks; None for this process, with the threads that it has.
        progress: Called with the number of predictions that were made since the last call, or that
            a `ci_half_width` makes unnecessary.

    Raises:
        ValueError: There is no lesion or no image, images have another shape than the network's, it
            does not allow one of the lesions, there is no such precision, the half-width is not a
            fraction or comes without labels, or the memory is too small for a single image.
        ArithmeticError: Logits of a sample differ from those of the network itself, or are not
            finite.

    Example:
        >>> plan = [Lesion(), Lesion(deletions=[2])]
        >>> evaluate(chain, plan, images).predictions.shape
        (2, 4)
    """
    settings = SweepSettings(
        precision, ci_half_width, memory_bytes, batch_size, seed, tuple(fully_evaluated)
    )
    sweep = Sweep(chain, plan, images, settings, labels)
    (result,) = evaluate_sweeps([sweep], Scheduler(executor or Serial(), progress))
    return result


def evaluate_sweeps(sweeps: Sequence["Sweep"], scheduler: Scheduler) -> list[Evaluation]:
    """Evaluates the plans of several networks side by side, and returns one result for each."""
    compare_with_reference(sweeps, scheduler)
    reduced = [each for each in sweeps if each.settings.precision != "float32"]
    scheduler.compute([each.reduced_precision() for each in reduced])
    scheduler.compute([each.all_images() for each in sweeps])
    for each in sweeps:
        each.check_finite()
    sampled = [each for each in sweeps if each.settings.ci_half_width is not None]
    while requests := [each.next_round() for each in sampled if each.needs_more()]:
        scheduler.compute(requests)
        for each in sampled:
            scheduler.progress(each.record_round())
    return [each.evaluation() for each in sweeps]


def compare_with_reference(sweeps: Sequence["Sweep"], scheduler: Scheduler) -> None:
    """Compares the engine with plain runs of the networks, on a sample of lesions and images."""
    scheduler.compute([each.comparison() for each in sweeps])
    for each in sweeps:
        each.check_comparison()


class Sweep:
    """The sweep of one network: the results that its plan needs, step by step, and its evaluation.

    The results are requested in this order: `comparison`, then `reduced_precision` unless the
    precision is float32, then `all_images`, and with a `ci_half_width` rounds of images,
    `next_round` and `record_round`. The result is an `evaluation`.

    Lesions that are planned twice are evaluated once. Arguments and errors are those of `evaluate`;
    the name of the cache, if there is one, identifies the network, the data and the code.
    """

    def __init__(
        self,
        chain,
        plan: Sequence,
        images,
        settings: SweepSettings,
        labels: Targets | None = None,
        cache: ResultCache | None = None,
        title: str | None = None,
    ):
        check_sweep(chain, plan, images, settings, labels)
        if hasattr(images, "dtype"):  # of images that are read bit by bit, outputs are checked
            check_numbers("inputs", images)
        if settings.ci_half_width is not None:
            self.labels = class_labels(chain, labels, len(images), "no ci_half_width")
        self.chain = chain
        self.images = images
        self.settings = settings
        self.cache = cache or ResultCache()
        rows = [Lesion.parse(row) if isinstance(row, str) else row for row in plan]
        planned = [row if isinstance(row, Lesion) else row.lesion for row in rows]
        kinds = ["" if isinstance(row, Lesion) else row.sweep for row in rows]
        full = settings.fully_evaluated
        known = [each for each, kind in zip(planned, kinds, strict=True) if kind in full]
        every = [*planned, *([] if settings.ci_half_width is None else [Lesion()])]
        self.position = {lesion: i for i, lesion in enumerate(dict.fromkeys(every))}
        self.lesions = list(self.position)
        """Without repetitions."""
        self.rows = np.array([self.position[lesion] for lesion in planned])
        """For each lesion of the plan, its position in `lesions`."""
        self.fully_evaluated = self.all_lesions = np.arange(len(self.lesions))
        """Positions of the lesions that are evaluated on all images."""
        if settings.ci_half_width is not None:
            self.fully_evaluated = np.unique([self.position[each] for each in (Lesion(), *known)])
        memory_bytes, batch_size = settings.memory_bytes, settings.batch_size
        self.spec = SweepSpec(
            chain, self.lesions, len(images), memory_bytes, batch_size, title or chain.name
        )
        self.grid = self.spec.evaluator.grid
        self._round = np.zeros(0, int)
        if settings.ci_half_width is not None:
            self._evaluated = np.zeros((len(self.rows), len(images)), bool)

    def comparison(self) -> Request:
        """Returns some lesions with some images, to compare with the reference in float32."""
        seed = self.settings.seed
        images = agreement.sampled_images(len(self.images), seed)
        self._sampled_lesions = agreement.sampled_lesions(self.lesions, seed)
        self._comparison = self._results("reference", images, agreement.FIELDS, seed=seed)
        return self._request(self._comparison, self._sampled_lesions, agreement.compare)

    @property
    def agreement(self) -> Agreement:
        """Comparison of float32 with the reference, once `comparison` was computed."""
        fields = {name: x[self._sampled_lesions] for name, x in self._comparison.fields.items()}
        del fields["finite"]  # see `check_comparison`
        return agreement.agreement_of(**fields)

    def check_comparison(self) -> None:
        """Refuses a network whose logits the engine does not reproduce."""
        lesions = [self.lesions[i] for i in self._sampled_lesions]
        bad = ~self._comparison.fields["finite"][self._sampled_lesions]
        check_finite(self.chain, lesions, bad, self._comparison.images)
        agreement.check_agreement(self.agreement, self.chain)

    @property
    def rounding(self) -> float:
        """Bound on the change by float32 rounding; see `Evaluation`."""
        return ties.rounding_bound(self.agreement.largest_relative_difference)

    def reduced_precision(self) -> Request:
        """Returns every lesion with a few images, to be evaluated in both precisions."""
        seed = self.settings.seed
        images = cascade.sample(len(self.images), seed)
        self._reduced = self._results("rounding", images, cascade.FIELDS, seed=seed)
        return self._request(self._reduced, self.all_lesions, cascade.compare)

    @property
    def bfloat16(self) -> cascade.Bfloat16Changes | None:
        """Changes by bfloat16, once `reduced_precision` was computed; None in float32."""
        if self.settings.precision == "float32":
            return None
        return cascade.changes_of(**{n: x[self.rows] for n, x in self._reduced.fields.items()})

    def all_images(self) -> Request:
        """Returns all lesions, or with a half-width those of `fully_evaluated`, on every image."""
        self._predictions = self._prediction_results()
        planned = self.rows[np.isin(self.rows, self.fully_evaluated)]
        return self._predicted(self.fully_evaluated, self.grid.chunks(), planned)

    def needs_more(self) -> bool:
        """Whether there are lesions whose interval is wider than `ci_half_width` allows."""
        self._round = self._sampling.next_images()
        return len(self._round) > 0

    def next_round(self) -> Request:
        """Returns the lesions whose interval is still too wide, with the next images."""
        active = self.rows[self._sampling.active]
        return self._predicted(np.unique(active), self._parts(self._round), active)

    def record_round(self) -> int:
        """Records the results of the round, and drops lesions whose interval is narrow enough.

        Returns:
            Number of predictions of the plan that are no longer needed.
        """
        if not len(self._round):
            return 0
        active = self._sampling.active
        result = self._predictions.take("predictions", self.rows[active], self._round)
        self.check_finite()
        self._evaluated[np.ix_(active, self._round)] = True
        return self._sampling.record(self._round, result != self.labels[self._round])

    def check_finite(self) -> None:
        """Raises an ArithmeticError for logits that are NaN or infinite."""
        bad = self._predictions.fields["predictions"] == NOT_FINITE
        check_finite(self.chain, self.lesions, bad)

    def evaluation(self) -> Evaluation:
        """Returns the results of the plan."""
        result = {name: x[self.rows] for name, x in self._predictions.fields.items()}
        is_sampled = self.settings.ci_half_width is not None
        known = self._evaluated if is_sampled else True
        none = np.zeros(result["predictions"].shape, bool)
        return Evaluation(
            predictions=np.where(known, result["predictions"], np.int32(UNKNOWN)),
            intact=self._intact_predictions() if is_sampled else None,
            n_close=((result["margins"] < self.rounding) & known).sum(axis=1),
            rounding=self.rounding,
            n_reevaluated=(result.get("reevaluated", none) & known).sum(axis=1),
            n_threshold_violations=(result.get("threshold_violations", none) & known).sum(axis=1),
            agreement=self.agreement,
            bfloat16=self.bfloat16,
        )

    @cached_property
    def _sampling(self) -> Sampling:
        """Sequential sampling; it begins with what is known on all images."""
        wrong = self._intact_predictions() != self.labels
        n, half_width, seed = len(self.rows), self.settings.ci_half_width or 0.0, self.settings.seed
        result = Sampling(wrong, n, half_width, seed, self.grid.batch_sizes)
        for i in np.flatnonzero(np.isin(self.rows, self.fully_evaluated)).tolist():
            known = self._predictions.fields["predictions"][self.rows[i]]
            result.record_all(i, known != self.labels)
            self._evaluated[i] = True
        return result

    def _intact_predictions(self) -> np.ndarray:
        return self._predictions.fields["predictions"][self.position[Lesion()]]

    def _prediction_results(self) -> LesionResults:
        """Returns the cached predictions; of a cascade, those with the same thresholds.

        Which images a cascade reevaluates depends on those in the same chunk.
        """
        fields: dict[str, type] = {"predictions": np.int32, "margins": np.float32}
        keys = list(map(str, self.lesions))
        facts: dict[str, Any] = {"margins": self._largest_margin()}
        if self.settings.precision == "cascade":
            fields |= {"reevaluated": bool, "threshold_violations": bool}
            keys = [
                f"{key} below {threshold!r}"
                for key, threshold in zip(keys, self._thresholds().tolist(), strict=True)
            ]
            facts |= {
                "sampled": self.settings.ci_half_width is not None,
                "fully_evaluated": self.settings.fully_evaluated,
                "seed": self.settings.seed,
            }
        everything = np.arange(len(self.images))
        return self._results(self.settings.precision, everything, fields, keys, **facts)

    def _thresholds(self) -> np.ndarray:
        """Returns the threshold of each lesion in a cascade."""
        thresholds, rounding = np.zeros(len(self.lesions)), self._reduced.fields["rounding"]
        thresholds[self.rows] = cascade.thresholds(rounding[self.rows])
        if self.settings.ci_half_width is not None:  # on all images, in chunks of their own
            thresholds[self.fully_evaluated] = cascade.thresholds(rounding[self.fully_evaluated])
        return thresholds

    def _largest_margin(self) -> float:
        return LARGEST_MARGIN if self.rounding <= LARGEST_MARGIN else np.inf

    def _results(
        self, kind: str, images: np.ndarray, fields: dict, keys: Sequence = (), **facts
    ) -> LesionResults:
        """Returns the cached results of one kind, under a digest of all that they depend on."""
        settings = {name: v for name, v in asdict(self.settings).items() if name not in NOT_IN_KEY}
        facts |= {"n_images": len(self.images), **settings}
        name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        cache = self.cache.within(f"{kind}-{name}")
        return LesionResults(cache, keys or list(map(str, self.lesions)), images, fields)

    def _predicted(self, lesions: np.ndarray, parts: Sequence, planned: np.ndarray) -> Request:
        precision = self.settings.precision
        thresholds = self._thresholds() if precision == "cascade" else None
        options = precision, self._largest_margin(), thresholds
        repeats = np.bincount(planned, minlength=len(self.lesions))
        results = self._predictions
        return Request(self.spec, self.images, results, lesions, parts, predict, options, repeats)

    def _request(self, results: LesionResults, lesions: np.ndarray, function: Callable) -> Request:
        parts = self._parts(results.images)
        return Request(self.spec, self.images, results, lesions, parts, function)

    def _parts(self, positions: np.ndarray) -> list[np.ndarray]:
        """Returns positions of images, split into chunks, which fit the memory."""
        size = self.grid.chunk
        return [positions[i : i + size] for i in range(0, len(positions), size)]


def predict(
    evaluator: Evaluator,
    images: np.ndarray,
    lesions: np.ndarray,
    precision: str,
    largest_margin: float,
    thresholds: np.ndarray | None,
    meter: Meter,
) -> dict[str, np.ndarray]:
    """Returns the results of a chunk that are saved, `(n_lesions, n_images)` each.

    Only a cascade has `thresholds`, those of all lesions of the sweep.
    """
    extra = {}
    if thresholds is not None:
        result = cascade.cascaded(evaluator, images, lesions, thresholds[lesions], meter)
        logits, extra = result.logits, result._asdict()
        del extra["logits"]
    else:
        logits = evaluator.logits(images, precision, lesions=lesions, progress=meter)
    return {
        "predictions": predicted(logits),
        "margins": np.minimum(ties.relative_top2_margin(logits), largest_margin),
        **extra,
    }
