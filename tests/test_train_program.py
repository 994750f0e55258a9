"""`python -m residual_ensembles.train` as a person calls it."""

import subprocess
import sys

import pytest

from tests.helpers import programs


def train(*arguments, **environment):
    return programs.run("residual_ensembles.train", *arguments, **environment)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--depht=20"], "Unknown command line flag 'depht'"),
        (["resnet"], "Received 'resnet', which is not a flag"),
        (["--epochs=0"], "--epochs=0"),
        (["--epochs=many"], "--epochs=many"),
        (["--model=resnext"], "--model=resnext"),
        (["--depth=111"], "Received depth=111 for model=resnet, expected 6n + 2"),
        (
            ["--gating=effective_paths", "--modules_per_batch=55"],
            "modules_per_batch=55 for a network of 54",
        ),
        (["--dataset=nowhere"], "nowhere, which holds no prepared data"),
        (["--dataset=folder:nowhere"], "nowhere"),
        (["--snapshots=0,x"], "--snapshots=0,x, expected integers"),
    ],
)
def test_bad_input_is_one_line_and_no_traceback(tmp_path, arguments, message):
    done = train(f"--output_dir={tmp_path / 'out'}", f"--data_dir={tmp_path}", *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")


def test_an_output_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    done = train(f"--output_dir={tmp_path / 'out'}")
    assert done.returncode == 1
    assert "which cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_backend_is_refused_in_one_line(tmp_path):
    done = train(f"--output_dir={tmp_path / 'out'}", KERAS_BACKEND="torch")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: the Keras backend is 'torch', expected one of tensorflow, jax"
    )
    assert done.stderr.count("\n") == 1


def test_digits_are_trained_once(tmp_path):
    arguments = [
        "--depth=8",
        "--epochs=1",
        f"--output_dir={tmp_path / 'out'}",
        f"--data_dir={tmp_path / 'data'}",
    ]
    place = {"RESIDUAL_ENSEMBLES_CHECKPOINTS": str(tmp_path / "checkpoints")}
    first = train(*arguments, **place)
    assert first.returncode == 0, first.stderr
    last_line = first.stdout.strip().splitlines()[-1]
    assert last_line.startswith(f"results in {tmp_path / 'out'}: ")
    assert last_line.endswith(" % error on 360 test images")
    second = train(*arguments, **place)
    assert "already finished, nothing to do" in second.stdout
    assert second.stdout.strip().splitlines()[-1] == last_line
    assert "Epoch" not in second.stdout


def test_flags_have_the_range_and_defaults_of_the_library():
    # A subprocess, because flags are the program's own.
    script = """
from typing import get_args
from absl import flags
from residual_ensembles import parameters, train, training
train.define_flags()
flags.FLAGS(["train", "--output_dir=x"])
assert tuple(parameters.MODELS) == ("resnet", "resnet_bottleneck", "vgg", "highway")
assert get_args(parameters.Schedule) == tuple(training.SCHEDULES)
assert train.settings_from_flags() == training.Settings()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
