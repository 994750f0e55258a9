"""Temporary folders: they end with their process, or with the next one that makes some."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from residual_ensembles.storage import temporary

HOLD = """
import sys, tempfile
from residual_ensembles.storage import temporary
with temporary.in_own_folder():
    print(tempfile.mkdtemp(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def above(tmp_path, monkeypatch):
    """The folder of all temporary ones."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder(above):
    """A process with a temporary folder of its own, which ends with its input."""
    command = [sys.executable, "-c", HOLD]
    environment = {**os.environ, "TMPDIR": str(above)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process, Path(process.stdout.readline().strip()).parent
        process.kill()


def test_what_is_temporary_lies_in_one_folder_that_is_removed(above):
    with temporary.in_own_folder():
        (own,) = above.iterdir()
        assert Path(tempfile.mkdtemp()).parent == own
    assert tempfile.gettempdir() == str(above)
    assert not list(above.iterdir())


def test_that_of_a_living_process_stays(above, holder):
    _, folder = holder
    temporary.TemporaryFolder().cleanup()
    assert list(above.iterdir()) == [folder]


def test_that_of_a_killed_process_is_removed(above, holder):
    process, folder = holder
    process.kill()
    process.wait()
    assert list(above.iterdir()) == [folder]
    temporary.TemporaryFolder().cleanup()
    assert not list(above.iterdir())


def test_that_of_a_process_killed_before_it_locked_it_is_removed_after_a_minute(above):
    old, new = above / f"{temporary.PREFIX}old", above / f"{temporary.PREFIX}new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "content").touch()
    long_ago = time.time() - temporary.SECONDS_WITHOUT_LOCK - 1
    os.utime(old, (long_ago, long_ago))
    temporary.TemporaryFolder().cleanup()
    assert list(above.iterdir()) == [new]
