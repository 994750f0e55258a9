"""Stage `train`: trains every network of a study with every seed, in parallel.

    python -m pipelines.train

Started again, it resumes interrupted trainings and skips finished ones.
"""

from pipelines import study as studies
from pipelines.study import Study
from pipelines.training import PlannedRun, train_side_by_side
from residual_ensembles import cli


def runs_of(study: Study) -> list[PlannedRun]:
    """Returns the runs of the study, in the order of tables."""
    return [
        PlannedRun(
            network,
            seed,
            study.settings(network, seed) if network in study.trained else study.network[network],
            study.folder(network, seed),
        )
        for network, seed in study.runs
    ]


def main() -> None:
    study = studies.load()
    folder = study.results / "networks"
    cli.require_writable_folder(folder)
    result = train_side_by_side(study, runs_of(study))
    for run in result:
        name = f"{run['network']}-{run['seed']}"
        error, n = run["test_error_fraction"], run["n_test_images"]
        print(f"{name}: {100 * error:.2f} % error on {n} test images")
    print(f"{len(result)} networks: {folder}")


if __name__ == "__main__":
    cli.run(main)
