"""The project's own source as part of what determines a result."""

import hashlib
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]


def code_checksum(*places: str) -> str:
    """Returns the SHA-256 of source files.

    Args:
        *places: Rooms or files of the package, for instance "models", "analysis/rank.py".
    """
    digest = hashlib.sha256()
    for place in places:
        root = LIBRARY / place
        for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            digest.update(file.relative_to(LIBRARY).as_posix().encode() + b"\0")
            digest.update(file.read_bytes())
    return digest.hexdigest()
