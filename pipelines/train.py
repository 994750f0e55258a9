"""Stage `train`: trains every network of a study with every seed, side by side.

An interrupted training goes on where it was when this is started again; a finished one is found.
"""

from pipelines import study as studies
from pipelines.study import Study
from pipelines.training import Run, train_side_by_side
from residual_ensembles import cli


def runs_of(study: Study) -> list[Run]:
    """Returns what there is to train, or to take apart, in the order of tables."""
    return [
        Run(
            network,
            seed,
            study.settings(network, seed) if network in study.trained else study.network[network],
            study.folder(network, seed),
        )
        for network, seed in study.runs
    ]


def main() -> None:
    """Trains what is not trained yet."""
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
