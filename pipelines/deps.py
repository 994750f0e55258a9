"""Writes the code that each stage depends on, by the imports of its program, into dvc.yaml.

    python -m pipelines.deps

Run it after a change of imports; a test fails until then. Where a stage imports most files of a
package, the package is listed: the stage then runs a little too often, but the list stays short.
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
"""A dependency of stages that load networks, which may have any class of the project."""
READS_NETWORKS = LIBRARY / "models" / "saving.py"
CLASSES = LIBRARY / "unraveling" / "keras_registration.py"

_STAGE = re.compile(r"  (\w+):$")
_KEY = re.compile(r"    (\w+):")
_CODE = re.compile(rf"    - ({'|'.join(PACKAGES)})/")
_PROGRAM = re.compile(rf"-m ((?:{'|'.join(PACKAGES)})\.[\w.]+)")


def with_code(pipeline: str) -> str:
    """Returns the text of a dvc.yaml with the code of each stage at the end of its `deps`."""
    lines, stage, key = [], [], None
    for line in [*pipeline.splitlines(), ""]:
        begins_stage = _STAGE.match(line) or not line.startswith("  ")
        if key == "deps" and (begins_stage or _KEY.match(line) or not line.strip()):
            lines += [f"    - {path}" for path in code_of(stage)]
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
    """Returns the paths of the code of a stage: files, or a package for most of its files."""
    files = set(reached(*map(file_of, _PROGRAM.findall("\n".join(stage)))))
    if NETWORKS in stage and READS_NETWORKS in files:
        files.update(reached(CLASSES))
    files.discard(DECLARATIONS)
    paths = set()
    for folder in {file.parent for file in files}:
        here = {file for file in files if file.parent == folder}
        everything = {file for file in folder.glob("*.py") if file.name != "__init__.py"}
        is_package = folder not in [ROOT / name for name in PACKAGES]
        lists_package = is_package and 2 * len(here) > len(everything)
        paths |= {folder} if lists_package else here | _data_files(folder, is_package)
    inner = {path for path in paths if any(other in path.parents for other in paths)}
    return sorted(path.relative_to(ROOT).as_posix() for path in paths - inner)


def _data_files(folder: Path, is_package: bool) -> set[Path]:
    """Returns the data files of a package: pages and tables that its modules read."""
    files = folder.rglob("*") if is_package else folder.glob("*")
    python = {".py", ".pyi", ".pyc", ".typed"}
    return {file for file in files if file.is_file() and file.suffix not in python}


def main() -> None:
    write_text(PIPELINE, with_code(Path(PIPELINE).read_text(encoding="utf-8")))


if __name__ == "__main__":
    cli.run(main)
