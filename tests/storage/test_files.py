import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from residual_ensembles import data
from residual_ensembles.storage import files
from tests.helpers import programs


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def fail():
        with files.atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_parents_are_made_and_others_may_read(tmp_path):
    path = tmp_path / "a/b/c.json"
    files.write_json(path, {"ü": 1})
    assert path.read_text() == '{\n  "ü": 1\n}\n'
    assert path.stat().st_mode & 0o777 == 0o644


def test_floats_keep_every_digit(tmp_path):
    frame = pd.DataFrame({"x": [0.1 + 0.2, 1 / 3]})
    files.write_csv(tmp_path / "a.csv", frame)
    written = pd.read_csv(tmp_path / "a.csv", dtype=str)  # pandas 2 rounds numbers
    pd.testing.assert_frame_equal(written.astype(float), frame, check_exact=True)


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A limit on the size of files stands for a full disk."""
    script = """
import resource, signal, sys
from residual_ensembles.storage import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
files.write_text(sys.argv[1], "old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write_text(sys.argv[1], "x" * 100_000)
except OSError as error:
    print(type(error).__name__, error.errno)
"""
    path = tmp_path / "a.txt"
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("OSError")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_programs_that_write_to_one_folder_take_turns(tmp_path):
    data.prepare("digits", tmp_path / "digits", limit_train=60, limit_test=20)
    flags = ["--dataset=digits", "--depth=8", "--epochs=1", "--output_dir=out"]
    with ThreadPoolExecutor() as pool:
        ended = pool.map(
            lambda _: programs.succeed("residual_ensembles.train", *flags, folder=tmp_path),
            range(2),
        )
    printed = sorted((program.stdout for program in ended), key=len)
    assert "waiting for another process that writes to out" in printed[0]
    assert "already finished, nothing to do" in printed[0]
    assert "waiting" not in printed[1]
