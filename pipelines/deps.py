"""Writes into dvc.yaml which code each stage depends on, as the imports of its programs say.

    python -m pipelines.deps

To be run after a change of imports; a test says when. A package stands for its files where a stage
imports most of them: it is then run again a little too often, and its list can be read.
"""

import re
from pathlib import Path

from residual_ensembles import cli
from residual_ensembles.storage.files import write_text
from residual_ensembles.storage.imports import (
    DECLARATIONS,
    LIBRARY,
    PACKAGES,
    ROOT,
    file_of,
    reached,
)

PIPELINE = "dvc.yaml"
NETWORKS = "    - results/${name}/networks"
"""A stage that depends on these may meet any class that a network consists of."""
READS_NETWORKS = LIBRARY / "models" / "saving.py"
CLASSES = LIBRARY / "unraveling" / "keras_registration.py"

_STAGE = re.compile(r"  (\w+):$")
_KEY = re.compile(r"    (\w+):")
_CODE = re.compile(rf"    - ({'|'.join(PACKAGES)})/")
_PROGRAM = re.compile(rf"-m ((?:{'|'.join(PACKAGES)})\.[\w.]+)")


def with_code(pipeline: str) -> str:
    """Returns the text of a dvc.yaml with the code of each stage at the end of its `deps`.

    Args:
        pipeline: The text; what it has beside code stays as it is, comments too.
    """
    lines, stage, key = [], [], None
    for line in [*pipeline.splitlines(), ""]:
        begins_stage = _STAGE.match(line) or not line.startswith("  ")
        if key == "deps" and (begins_stage or _KEY.match(line) or not line.strip()):
            lines += [f"    - {place}" for place in code_of(stage)]
        if begins_stage:
            stage, key = [], None
        elif result := _KEY.match(line):
            key = result[1]
        elif not line.strip():
            key = None
        stage.append(line)
        if not _CODE.match(line):
            lines.append(line)
    return "\n".join(lines[:-1]) + "\n"


def code_of(stage: list[str]) -> list[str]:
    """Returns the code that a stage runs, as paths: files, and packages for most of their files.

    Args:
        stage: Its lines in dvc.yaml, as far as its `deps`.
    """
    files = set(reached(*map(file_of, _PROGRAM.findall("\n".join(stage)))))
    if NETWORKS in stage and READS_NETWORKS in files:
        files.update(reached(CLASSES))
    files.discard(DECLARATIONS)
    places = set()
    for folder in {file.parent for file in files}:
        here = {file for file in files if file.parent == folder}
        everything = {file for file in folder.glob("*.py") if file.name != "__init__.py"}
        is_package = folder not in [ROOT / name for name in PACKAGES]
        most = is_package and 2 * len(here) > len(everything)
        places |= {folder} if most else here | _data_files(folder, is_package)
    inner = {place for place in places if any(other in place.parents for other in places)}
    return sorted(place.relative_to(ROOT).as_posix() for place in places - inner)


def _data_files(folder: Path, is_package: bool) -> set[Path]:
    """Returns what a package has beside code: pages and tables that its modules read."""
    files = folder.rglob("*") if is_package else folder.glob("*")
    python = {".py", ".pyi", ".pyc", ".typed"}
    return {file for file in files if file.is_file() and file.suffix not in python}


def main() -> None:
    """Writes dvc.yaml anew."""
    write_text(PIPELINE, with_code(Path(PIPELINE).read_text(encoding="utf-8")))


if __name__ == "__main__":
    cli.run(main)
