"""Programs that are told to end do so in one line; a stage ends with the DVC that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from residual_ensembles.backend import interruption
from tests.helpers import programs

PROGRAM = """
import sys, time
from pathlib import Path
from residual_ensembles import cli
from residual_ensembles.backend import interruption
interruption.GRACE_SECONDS = 1.0
def sleep(word):
    print(word, flush=True)
    time.sleep(60)
def swallow():
    try:
        sleep("begun")
    except BaseException:
        sleep("swallowed")
def change():
    try:
        sleep("begun")
    except BaseException:
        raise ImportError(1)
def main():
    {main}
cli.run(main)
"""
SLEEP = 'sleep("begun")'
DEADLINE = 10  # seconds
ENDS = [(signal.SIGINT, "error: interrupted\n", 130), (signal.SIGTERM, "error: terminated\n", 143)]


def started(main: str, **environment) -> subprocess.Popen:
    """A program that has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(main=main)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize("main", [SLEEP, "swallow()", "change()"])
@pytest.mark.parametrize(("number", "line", "status"), ENDS)
def test_a_signal_ends_the_program_in_one_line(main, number, line, status):
    process = started(main)
    process.send_signal(number)
    _, errors = process.communicate(timeout=DEADLINE)
    assert (errors, process.returncode) == (line, status)


@pytest.mark.parametrize(("number", "line", "status"), ENDS)
def test_a_second_signal_ends_it_at_once(number, line, status):
    process = started("interruption.GRACE_SECONDS = 100; swallow()")
    process.send_signal(number)
    assert process.stdout.readline() == "swallowed\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=DEADLINE)
    assert (errors, process.returncode) == (line, status)


def test_resources_of_the_block_are_closed(tmp_path):
    within = f"with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}): {SLEEP}"
    process = started(f"import tempfile\n    {within}")
    assert list(tmp_path.iterdir())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE)
    assert not list(tmp_path.iterdir())


LOOKING = """
import signal, sys
sys.argv = ["-m"]
import residual_ensembles
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_during_import_ends_the_program_in_one_line():
    done = subprocess.run([sys.executable, "-c", LOOKING], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "error: interrupted\n", 130)


def test_importing_the_library_leaves_the_signal_handlers_of_python():
    own = "import signal, residual_ensembles; signal.raise_signal(signal.SIGINT)"
    done = subprocess.run(
        [sys.executable, "-c", own],
        capture_output=True,
        text=True,
        # Python takes it over only where who started it does not ignore it, as shells do with `&`.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.stderr.endswith("KeyboardInterrupt\n")


DVC = """
import os, subprocess, sys
os.environ["DVC_STAGE"] = "train"
command = [sys.executable, "-c", sys.argv[1]]
child = subprocess.Popen(["/bin/sh", "-c", sys.argv[2], "sh", *command])
child.wait()
"""


@pytest.mark.parametrize("shell", ['"$@"; exit', 'exec "$@"'])
def test_a_stage_ends_with_dvc_and_another_waits_for_it(tmp_path, shell):
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    stage = PROGRAM.format(main='Path("pid").write_text(str(__import__("os").getpid())); ' + SLEEP)

    def dvc():
        (tmp_path / "pid").unlink(missing_ok=True)
        return subprocess.Popen(
            [sys.executable, "-c", DVC, stage, shell],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def pid() -> int:
        def written() -> str:
            return (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()

        return int(programs.wait_until(written))

    first = dvc()
    running = pid()
    second = dvc()
    time.sleep(1.5)
    assert not (tmp_path / "pid").exists()  # it waits for the one that runs
    first.kill()
    first.wait()
    assert pid() != running
    assert programs.has_ended(running, seconds=1)
    later = pid()
    second.kill()
    second.wait()
    assert programs.has_ended(later)


def test_without_dvc_no_program_waits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(interruption.DVC_STAGE, raising=False)
    with interruption.only_one_of_its_stage():
        assert not list(Path().iterdir())
