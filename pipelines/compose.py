"""Writes params.yaml as DVC composes it: `python -m pipelines.compose [study=NAME] [KEY=VALUE …]`.

`dvc exp run -S` does the same for one experiment; this is for a change under `pipelines/conf`, and
for `dvc repro` with another study than the default.
"""

import sys
from pathlib import Path

from dvc.utils.hydra import compose_and_dump
from hydra.errors import HydraException

from pipelines.study import PARAMS

CONF = Path("pipelines/conf")


def compose(output: Path, overrides: list[str]) -> None:
    """Composes a study.

    Args:
        output: File to write.
        overrides: As after `dvc exp run -S`, for instance `["study=cifar10", "lesion.k=10"]`.

    Raises:
        ValueError: There is no such study or parameter.
    """
    try:
        compose_and_dump(output, str(CONF.resolve()), None, "config", "", list(overrides))
    except HydraException as error:
        raise ValueError(
            f"Received {' '.join(overrides)}: {' '.join(str(error).split())}"
        ) from error


if __name__ == "__main__":
    try:
        compose(PARAMS, sys.argv[1:])
    except ValueError as error:
        sys.exit(f"error: {error}")
