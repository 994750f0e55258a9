"""Atomic files, locks, and manifests of folders.

Every file of the project is written to a temporary name in the same folder, flushed to the disk,
then renamed over the old file: a full disk or a killed process leaves the old one. A folder of
results gets a manifest, written last, with size and checksum of each file.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

PARTIAL = ".partial-"
"""Prefix of temporary files."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk or quota."""

MANIFEST = "manifest.json"
FULL_CHECKSUM_BYTES = 2**30
"""Largest file whose checksum covers all of its content; that of a larger one covers samples."""
_SAMPLES, _SAMPLE_BYTES = 64, 2**20


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path that replaces `path` if the block ends without an error.

    It is in the same folder, which is created, and has the same suffix.

    Raises:
        OSError: The folder cannot be created or written, or the disk is full, with `path` as its
            file name; `path` is unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    try:
        mark_in_use(handle)
        with naming_full_disk(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would hide results from a group's other members
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


@contextlib.contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Adds `path` to the error of a full disk; the system names none, or the source of a copy."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def mark_in_use(descriptor: int) -> None:
    """Locks an open file while it is open and this process lives."""
    with contextlib.suppress(OSError):  # a file system without locks: nobody else removes it
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_in_use(path: Path) -> bool:
    """Whether a living process has locked a file, or that cannot be known."""
    try:
        with path.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


@contextlib.contextmanager
def exclusive(folder: str | os.PathLike) -> Iterator[None]:
    """Locks a folder for one process at a time; others say so and wait until it ends.

    Where the file system has no locks, none waits.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"waiting for another process that writes to {folder}", flush=True)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_partial(*folders: str | os.PathLike) -> None:
    """Removes the temporary files of killed processes in these folders."""
    for folder in folders:
        for path in Path(folder).glob(f"{PARTIAL}*"):
            if not is_in_use(path):
                path.unlink(missing_ok=True)


def write_manifest(folder: str | os.PathLike, names: Iterable[str], **facts: str) -> None:
    """Writes the manifest of a folder, after its files; `facts` are other entries of it."""
    folder = Path(folder)
    contents = {name: content_of(folder / name) for name in sorted({*names} - {MANIFEST})}
    write_json(folder / MANIFEST, {**facts, "files": contents})


def read_manifest(folder: str | os.PathLike) -> dict:
    """Returns the manifest of a folder after comparing every file with it.

    It takes a fifth of a second for 200 MB. Of a file larger than `FULL_CHECKSUM_BYTES`, its size
    and 64 samples of a megabyte are compared.

    Raises:
        FileNotFoundError: There is no manifest.
        ValueError: A file differs from the manifest, or the manifest is damaged.
    """
    folder = Path(folder)
    try:
        require_file(folder / MANIFEST)
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        contents = {str(name): dict(content) for name, content in manifest["files"].items()}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / MANIFEST} cannot be read ({error})") from None
    for name, content in contents.items():
        try:
            result = content_of(folder / name, content.get("bytes"))
        except OSError as error:
            raise ValueError(f"{folder / name} cannot be read ({error.strerror})") from None
        if result["bytes"] != content.get("bytes"):
            raise ValueError(
                f"{folder / name} has {result['bytes']} bytes, {content.get('bytes')} when finished"
            )
        if result != content:
            raise ValueError(f"{folder / name} has other content than when it was finished")
    return manifest


def require_file(path: Path) -> None:
    """Raises an error for a folder, pipe, socket or device; reading a pipe would never end.

    Raises:
        OSError: `path` exists and is not a file.
    """
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe, socket or device"
        raise OSError(errno.EINVAL, f"It is {kind}, expected a file", str(path))


def content_of(path: Path, n_bytes: int | None = None) -> dict:
    """Returns the size of a file, and the SHA-256 of its content or of samples of it.

    A file of another size than `n_bytes`, which is what is expected, is not read.
    """
    require_file(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if n_bytes is not None and size != n_bytes:
            return {"bytes": size}
        if size <= FULL_CHECKSUM_BYTES:
            return {"bytes": size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        digest = hashlib.sha256()
        for i in range(_SAMPLES):
            file.seek(i * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
        return {"bytes": size, "sha256_of_samples": digest.hexdigest()}


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` to `path`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes `content` to `path`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | os.PathLike, value: object) -> None:
    """Writes `value` to `path` as indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: str | os.PathLike, frame: "pd.DataFrame") -> None:
    """Writes `frame` to `path` without its index, floats with all digits."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Returns all arrays of the file `path`.

    Raises:
        ValueError: There is no such file, or it is damaged.
    """
    try:
        require_file(Path(path))
        with Path(path).open("rb") as file, np.load(file) as stored:
            return dict(stored)
    except Exception as error:  # damage makes zipfile, zlib and NumPy raise whatever they meet
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {error})") from error


def write_npz(path: str | os.PathLike, **arrays: np.ndarray) -> None:
    """Writes `arrays` to the compressed file `path`, whose name ends in .npz."""
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type] # none is allow_pickle
