"""Stage `path_gradients`: takes the gradient of every trained network apart, by path."""

from pathlib import Path

from tqdm import tqdm

from pipelines import study as studies
from pipelines.study import Study
from residual_ensembles import backend, cli, data, gradients, runtime
from residual_ensembles.storage.files import require_file, write_json
from residual_ensembles.storage.provenance import provenance


def networks_by_epoch(folder: Path) -> dict[int, Path]:
    """Returns the files of one network: snapshots by their epoch, and the trained network.

    The trained network is the last: a snapshot after the last epoch would be the same one.

    Raises:
        ValueError: The table of its epochs is damaged.
    """
    import pandas as pd  # here: whoever is told how to call this shall not wait for it

    history = folder / "history.csv"
    try:
        require_file(history)
        last = int(pd.read_csv(history, usecols=["epoch"]).epoch.max())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Received {history}, which does not say its epochs ({error}); train the network again."
        ) from error
    snapshots = {int(f.stem.split("-")[1]): f for f in (folder / "snapshots").glob("epoch-*.keras")}
    return {**dict(sorted(snapshots.items())), last: folder / "model.keras"}


def epochs_of(study: Study, run: tuple[str, int]) -> list:
    """Returns one network at each epoch of its training; the trained one may be sampled too.

    Args:
        study: The study.
        run: Name of the network, and the seed it was trained with.
    """
    files = networks_by_epoch(study.finished(*run))
    to_sample = study.paths.samples and run[0] in study.paths.networks
    return [
        gradients.Network(
            "{}-{}".format(*run),
            epoch,
            file,
            study.paths.batch_norm if epoch else "training",
            ("exact", "sampled") if to_sample and epoch == max(files) else ("exact",),
        )
        for epoch, file in files.items()
    ]


def main() -> None:
    """Takes every network apart and writes the tables."""
    study = studies.load()
    output_dir = study.results
    cli.require_writable_folder(output_dir)

    backend.configure()
    # The networks and their statistics are said with each; all else holds for all.
    how = gradients.GradientStudy(**study.paths.model_dump(exclude={"networks", "batch_norm"}))
    networks = {run: epochs_of(study, run) for run in study.runs}
    every = [network for each in networks.values() for network in each]
    total = sum(len(network.estimators) for network in every) * how.batches
    prepared = data.load(study.prepared)
    part = prepared.part("train")
    kept = {
        each[0].title: gradients.gradient_cache(each, prepared.checksum, how)
        for each in networks.values()
    }
    with (
        runtime.choose_executor() as chosen,
        tqdm(total=total, bar_format=gradients.BAR) as progress,
    ):
        measured = dict(
            zip(
                every,
                gradients.measure(every, part, how, chosen, progress.update, kept),
                strict=True,
            )
        )
    print(chosen.told())
    facts = {**provenance(), **chosen.provenance()}
    write_json(output_dir / "path_gradients_run.json", facts)
    found = [how.tables(*run, measured[each]) for run in study.runs for each in networks[run]]
    gradients.write_tables(found, output_dir)
    for cache in kept.values():
        cache.remove()
    print(f"Gradients of {len(every)} networks by path: {output_dir / 'path_gradients.csv'}")


if __name__ == "__main__":
    cli.run(main)
