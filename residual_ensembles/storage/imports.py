"""Import graph of the project's files, from their source, without running it.

For the code that a result (`storage.fingerprint`) or a stage of the pipeline (`pipelines.deps`)
depends on, and to find circles.

Imports within functions count. A package exports what its stub (`__init__.pyi`) lists: with the
package `data`, `data.load` in the source is an import of the file that defines `load`, and `data`
by itself an import of all that the package exports. Not counted: imports for type checkers, imports
by a name made at run time, and the `__init__.py` of a package.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
ROOT = LIBRARY.parent
PACKAGES = ("residual_ensembles", "pipelines")
DECLARATIONS = LIBRARY / "parameters.py"
"""Declares the parameters. A new parameter or help text does not change fingerprints: parameters
that a result depends on are part of one by their values, as every field of `training.Settings` is,
and of `lesions.SweepSettings` every field that is not in `NOT_IN_KEY`."""


@functools.cache
def imported(file: Path) -> frozenset[Path]:
    """Returns the project's files that one of them imports itself."""
    result, packages = set(), {}
    tree = ast.parse(file.read_bytes())
    for node in _executed(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [(alias.name, alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, file)
            names = [(f"{module}.{each.name}", each.asname or each.name) for each in node.names]
        for name, bound in names:
            if name.split(".")[0] in PACKAGES:
                target = _defining(name)
                if target.name == "__init__.py" and _dotted(target) == name:
                    packages[bound] = target
                else:
                    result.add(target)
    for bound, used in _uses(tree, packages):
        result |= _listed(packages[bound]) if used is None else _of_package(packages[bound], used)
    return frozenset(result - {file})


def reached(*files: Path) -> list[Path]:
    """Returns files and all that they import, directly or through others, sorted by path."""
    result, waiting = set(files), list(files)
    while waiting:
        new = imported(waiting.pop()) - result
        result |= new
        waiting.extend(new)
    return sorted(result)


def file_of(module: str) -> Path:
    """Returns the file of a module of the project, such as `residual_ensembles.paths.lengths`.

    Raises:
        ValueError: There is no such module.
    """
    path = ROOT.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    raise ValueError(f"Received the module {module}, which is not in {ROOT}.")


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes of a tree, without those that only type checkers read."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        test = child.test if isinstance(child, ast.If) else None
        if not (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"):
            yield from _executed(child)


def _absolute(node: ast.ImportFrom, file: Path) -> str:
    if not node.level:
        return node.module or ""
    package = file.parents[node.level - 1].relative_to(ROOT).parts
    return ".".join([*package, *filter(None, [node.module])])


def _dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _defining(name: str) -> Path:
    """Returns the file of a module, or the file that defines what a module or package exports."""
    try:
        return file_of(name)
    except ValueError:
        module, _, attribute = name.rpartition(".")
        return _exports(file_of(module)).get(attribute, file_of(module))


@functools.cache
def _exports(package: Path) -> dict[str, Path]:
    """Returns the files of the exports of a package, by name; nothing without a stub."""
    stub = package.with_suffix(".pyi")
    if package.name != "__init__.py" or not stub.is_file():
        return {}
    nodes = [node for node in ast.parse(stub.read_bytes()).body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: _defining(f"{_absolute(node, stub)}.{alias.name}")
        for node in nodes
        for alias in node.names
    }


def _listed(package: Path) -> set[Path]:
    """Returns the files of all exports of a package."""
    return set(_exports(package).values()) or {package}


def _of_package(package: Path, name: str) -> set[Path]:
    target = _defining(f"{_dotted(package)}.{name}")
    return _listed(target) if target.name == "__init__.py" and target != package else {target}


def _uses(tree: ast.AST, packages: dict) -> Iterator[tuple[str, str | None]]:
    """Yields each used package and its used attribute, None where it is used by itself."""
    for node in _executed(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Name) and child.id in packages:
                yield child.id, node.attr if isinstance(node, ast.Attribute) else None
