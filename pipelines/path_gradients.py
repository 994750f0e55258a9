"""Stage `path_gradients`: measures the path gradients of every network of a study.

python -m pipelines.path_gradients
"""

from pipelines import study as studies
from residual_ensembles import backend, cli, data, runtime, stages


def main() -> None:
    study = studies.load()
    cli.require_writable_folder(study.results)
    backend.configure()
    prepared = data.load(study.prepared)
    with runtime.choose_executor() as chosen:
        stages.write_gradients(study, prepared, study.results, chosen)


if __name__ == "__main__":
    cli.run(main)
