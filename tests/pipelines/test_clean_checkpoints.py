import os
import subprocess
import sys
import time

import pytest

PROGRAM = "pipelines.clean_checkpoints"
NEW, OLD, SWEEP = "0123456789abcdef", "fedcba9876543210", "00112233445566ff"


@pytest.fixture
def checkpoints(tmp_path):
    folder = tmp_path / "checkpoints"
    for name, days in {NEW: 1, OLD: 40, f"lesions/{SWEEP}": 20}.items():
        file = folder / name / "finished" / "model.keras"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x" * 2**20)
        then = time.time() - 86400 * days
        for path in (file, file.parent, file.parent.parent):
            os.utime(path, (then, then))
    (folder / "notes.txt").write_text("of a person")
    return folder


def cleaned(checkpoints, *arguments):
    command = [sys.executable, "-m", PROGRAM, *arguments]
    environment = {**os.environ, "RESIDUAL_ENSEMBLES_CHECKPOINTS": str(checkpoints)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()


def test_work_is_listed_the_oldest_first(checkpoints):
    *works, total = cleaned(checkpoints)
    assert [line.split()[0] for line in works] == ["1.0"] * 3
    assert [line.split()[2:5] for line in works] == [
        ["40.0", "days", "training"],
        ["20.0", "days", "lesions"],
        ["1.0", "days", "training"],
    ]
    assert total == f"3 trainings and sweeps, 3.0 MiB in {checkpoints}"
    assert (checkpoints / OLD).exists()


def test_older_work_is_removed(checkpoints):
    printed = cleaned(checkpoints, "--older_than=30")
    assert [line.endswith("removed") for line in printed] == [True, False, False, False]
    assert not (checkpoints / OLD).exists()
    assert (checkpoints / NEW).exists()
    assert (checkpoints / "lesions" / SWEEP).exists()
    assert (checkpoints / "notes.txt").exists()


def test_a_missing_folder_is_empty(tmp_path):
    assert cleaned(tmp_path / "none")[-1].startswith("0 trainings and sweeps, 0.0 MiB")
