"""Commands as they run on a node."""

import os
import signal
import time

import programs
import pytest

from residual_ensembles.runtime.commands import run_command


def test_what_it_prints_is_told_by_name(tmp_path, capfd):
    steps = []
    command = "echo $PWD; echo $RESIDUAL_ENSEMBLES_THREADS >&2"
    run_command("resnet-0", command, str(tmp_path), 3, steps.append)
    assert capfd.readouterr().out.splitlines() == [f"resnet-0: {tmp_path}", "resnet-0: 3"]
    assert steps == [1]


def test_how_it_failed_is_told(tmp_path):
    with pytest.raises(ChildProcessError, match="it ended with 3; its last line: so far"):
        run_command("a", "echo so far; exit 3", str(tmp_path), 1, print)
    with pytest.raises(FileNotFoundError, match=r"does not reach /nowhere, expected a folder on"):
        run_command("a", "true", "/nowhere", 1, print)


def test_what_it_started_ends_when_it_is_killed(tmp_path):
    pid = tmp_path / "pid"
    command = f"sleep 300 & echo $! > {pid}; wait"
    process = programs.FORKS.Process(
        target=run_command, args=("a", command, str(tmp_path), 1, print)
    )
    process.start()
    while not (pid.exists() and pid.read_text().strip()):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert programs.has_ended(int(pid.read_text()))
