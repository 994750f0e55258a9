"""Programs killed at random moments: started again, they end in the same bytes, and leave nothing.

Each stage runs once undisturbed. A case begins with what lay there before the stage, ends the
program at a random moment of that time in one of three ways, sees that nothing goes on computing,
and starts it again.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.faults import campaign
from tests.helpers import small_studies
from tests.helpers.clones import ROOT, Clone

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]  # each case has its own limit
STAGES = ("prepare", "train", "lesion_study", "path_gradients", "explorer", "figures", "report")
HOW = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
MARK = "RESIDUAL_ENSEMBLES_FAULT"
SECONDS_TO_END = 10.0
PYTHON_SECONDS = 0.2
"""In which Python itself starts, and tells of Ctrl-C in its own way."""
LEFT_BY_OTHERS = ("tfds", "__pycache__")
"""Temporary folders that TensorFlow Datasets leaves after each run, however it ends."""
NOT_COMPARED = (
    "times.json",
    "*_run.json",
    "tmp",
    ".git",
    "cost.csv",
    "*.running",
    "cache",
    "dvc.lock",
)
"""What says how long something took or who computed it, and what is DVC's own."""


def start(folder: Path, *command: str) -> subprocess.Popen:
    """Starts a program in a session of its own, with a folder of its own for temporary files."""
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    (folder / "tmp").mkdir()
    own = {
        MARK: str(folder),
        "TMPDIR": str(folder / "tmp"),
        "RESIDUAL_ENSEMBLES_CHECKPOINTS": str(folder / ".checkpoints"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(folder: Path, *command: str) -> float:
    """Runs a program to its end, and returns the seconds that it took."""
    begun = time.monotonic()
    process = start(folder, *command)
    printed = process.communicate(timeout=900)[0]
    assert process.returncode == 0, printed[-2000:]
    return time.monotonic() - begun


def computing(folder: Path) -> list[int]:
    """Returns the processes that were started for a folder and have not ended."""
    found = []
    for process in psutil.process_iter():
        try:
            ended = process.status() == psutil.STATUS_ZOMBIE
            if not ended and process.environ().get(MARK) == str(folder):
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def killed(folder: Path, command: tuple[str, ...], delay: float, how: signal.Signals):
    """Ends a program after some seconds; returns what falls short in how it ends, or None."""
    process = start(folder, *command)
    time.sleep(delay)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how) if how == signal.SIGINT else process.send_signal(how)
    deadline = time.monotonic() + SECONDS_TO_END
    while computing(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left := computing(folder):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()
        return f"{len(left)} processes go on"
    printed = process.communicate()[0]
    shown = printed.partition("Traceback")[2]
    code = (root / name for root in (ROOT, folder) for name in ("residual_ensembles", "pipelines"))
    if any(f'File "{place}/' in shown for place in code):  # and not DVC's own
        return f"traceback: {printed[-300:]}"
    names = [path.name for path in (folder / "tmp").iterdir()]
    left = [name for name in names if not name.endswith(LEFT_BY_OTHERS)]
    if how != signal.SIGKILL and left:
        return f"temporary files are left: {', '.join(left[:3])}"
    return None


def attempt_on(before: Path, after: dict, work: Path, case, seconds: float):
    """Kills and starts again; returns what falls short, or None."""
    command, how, moment = case
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(before, work, symlinks=True)
    found = killed(work, command, PYTHON_SECONDS + moment * (seconds - PYTHON_SECONDS), how)
    if found is not None:
        return found
    try:
        finish(work, *command)
    except AssertionError as error:
        return f"started again: {error}"
    if left := [path for path in work.rglob(".*partial-*") if "tmp" not in path.parts]:
        return f"left half written: {left[0].relative_to(work)}"
    results = campaign.tree(work, NOT_COMPARED)
    unlike = [name for name in {*after, *results} if after.get(name) != results.get(name)]
    return f"other results: {', '.join(sorted(unlike)[:5])}" if unlike else None


def moments(commands) -> list[tuple]:
    """Returns cases: each command, in each way, at moments between its start and its end."""
    dice = random.Random(campaign.SEED)
    return [(c, how, dice.random()) for _ in range(20) for c in commands for how in HOW]


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """For each stage: the folder before it, its results, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("kills")
    project = folder / "project"
    networks = {"resnet": {"depth": 20}, "vgg": {"model": "vgg", "depth": 15}}
    small_studies.write(
        project,
        data={"limit_train": 200, "limit_test": 40},
        network=networks,
        networks=list(networks),
        train={"epochs": 2, "batch_size": 32, "snapshots": [0, 1]},
        ensemble={"members": 0},
        paths={"batches": 2, "batch_size": 4, "samples": 4},
    )
    found = {}
    for stage in STAGES:
        before = shutil.copytree(project, folder / stage, symlinks=True)
        seconds = finish(project, f"pipelines.{stage}")
        found[f"pipelines.{stage}"] = before, campaign.tree(project, NOT_COMPARED), seconds
    return found


def test_stages(stages, tmp_path):
    """The two networks train in two processes where there are two processors."""

    def attempt(case):
        before, after, seconds = stages[case[0][0]]
        return attempt_on(before, after, tmp_path / "work", case, seconds)

    campaign.run("kills", moments([(stage,) for stage in stages]), 180, attempt)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A clone before and after `dvc repro`, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("dvc")
    study = "\nensemble: {members: 0}\npaths: {samples: 0, batches: 1, batch_size: 4}\n"
    before = Clone(folder / "before", {"tiny": study}).folder
    whole = shutil.copytree(before, folder / "whole", symlinks=True)
    seconds = finish(whole, "dvc", "repro")
    return before, campaign.tree(whole, NOT_COMPARED), seconds


def test_dvc_repro(reproduced, tmp_path):
    before, after, seconds = reproduced

    def attempt(case):
        return attempt_on(before, after, tmp_path / "work", case, seconds)

    campaign.run("kills of dvc", moments([("dvc", "repro")]), 20, attempt)
