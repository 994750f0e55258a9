"""Writes params.yaml as DVC composes it.

    python -m pipelines.compose study=cifar10 lesion.k=10

`dvc exp run -S` does the same for one experiment; this is for a change under `pipelines/conf` or of
a default, and for `dvc repro` with another study than the default.
"""

import sys
from pathlib import Path

from dvc.utils.hydra import compose_and_dump
from hydra.errors import HydraException

from pipelines import reference
from pipelines.study import PARAMS, Study, read
from residual_ensembles import cli
from residual_ensembles.parameters import validated
from residual_ensembles.storage.files import atomic_path, remove_partial

CONF = Path("pipelines/conf")


def compose(output: Path, overrides: list[str]) -> None:
    """Composes a study.

    Args:
        output: File to write, if the study is valid.
        overrides: As after `dvc exp run -S`, for instance `["study=cifar10", "lesion.k=10"]`.

    Raises:
        ValueError: There is no such study or parameter, or the study is invalid.
    """
    remove_partial(output.parent)
    with atomic_path(output) as composed:
        try:
            compose_and_dump(composed, str(CONF.resolve()), None, "config", "", list(overrides))
        except HydraException as error:
            raise ValueError(
                f"Received {' '.join(overrides)}: {' '.join(str(error).split())}"
            ) from error
        validated(Study, read(composed))


if __name__ == "__main__":
    cli.show_help(__doc__)
    reference.write_defaults()
    try:
        compose(PARAMS, sys.argv[1:])
    except ValueError as error:
        sys.exit(f"error: {error}")
