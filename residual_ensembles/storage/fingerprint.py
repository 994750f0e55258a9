"""Fingerprint of all that determines a result, to the bit.

Trainings, lesions and path gradients are saved under it: a digest of data, parameters, code,
threads, library versions, and settings of the process.
"""

import ast
import functools
import hashlib
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from residual_ensembles import backend
from residual_ensembles.backend import process
from residual_ensembles.storage.imports import DECLARATIONS, ROOT, file_of, reached

LIBRARIES = ("keras", "numpy", "scipy")
"""Libraries that compute, in addition to the backend."""


def digest(entries: Sequence[str], threads: int, **facts) -> str:
    """Returns 16 hexadecimal digits of everything that determines a result.

    Args:
        entries: Modules of the project that compute it, by name; their imports are included.
        threads: Threads within an operation, on which the order of sums depends.
        **facts: All other values that determine it: data, weights, parameters.
    """
    everything = {
        **facts,
        "code": code_checksum(*entries),
        "threads": threads,
        "versions": {**{name: metadata.version(name) for name in LIBRARIES}, **backend.VERSIONS},
        "rounding": process.rounding(),
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]


@functools.cache
def code_checksum(*entries: str) -> str:
    """Returns the SHA-256 of modules and of all modules of the project that they import.

    Comments, docstrings, layout and declarations of parameters are left out.
    """
    checksum = hashlib.sha256()
    for file in sorted(set(reached(*map(file_of, entries))) - {DECLARATIONS}):
        checksum.update(f"{file.relative_to(ROOT).as_posix()}\0{_meaning(file)}\0".encode())
    return checksum.hexdigest()


def _meaning(file: Path) -> str:
    """Returns the syntax tree of a source file without docstrings, as text."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [each for each in body if not _is_docstring(each)]
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    """Whether a statement is the docstring of a definition or of a variable."""
    match node:
        case ast.Expr(ast.Constant(str())):
            return True
    return False
