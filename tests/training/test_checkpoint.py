import json

import keras
import numpy as np
import pytest

from residual_ensembles.training import checkpoint
from residual_ensembles.training.checkpoint import Progress


def variables(shape=(2, 3)):
    return [keras.Variable(np.arange(6.0).reshape(shape)), keras.Variable(np.zeros(4))]


def test_a_written_checkpoint_is_read(tmp_path):
    progress = Progress(7, 1.5, [{"epoch": 1, "loss": 0.25}])
    checkpoint.write(tmp_path, variables(), progress, "abc")
    others = [keras.Variable(np.ones((2, 3))), keras.Variable(np.ones(4))]
    assert checkpoint.read(tmp_path, others, "abc") == progress
    np.testing.assert_array_equal(others[0], np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(others[1], np.zeros(4))


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path):
    assert checkpoint.read(tmp_path, variables(), "abc") is None


def test_another_run_or_network_is_refused(tmp_path):
    checkpoint.write(tmp_path, variables(), Progress(), "abc")
    with pytest.raises(ValueError, match=str(tmp_path)):
        checkpoint.read(tmp_path, variables(), "abd")
    with pytest.raises(ValueError, match=str(tmp_path)):
        checkpoint.read(tmp_path, variables((3, 2)), "abc")
    with pytest.raises(ValueError, match=str(tmp_path)):
        checkpoint.read(tmp_path, variables()[:1], "abc")


def test_a_newer_format_is_refused(tmp_path):
    header = {"format": checkpoint.FORMAT + 1, "fingerprint": "abc"}
    np.savez(tmp_path / checkpoint.FILE, header=np.array(json.dumps(header)))
    with pytest.raises(ValueError, match="format"):
        checkpoint.read(tmp_path, [], "abc")


@pytest.mark.parametrize("n_bytes", [0, 2, 200, -30])
def test_a_damaged_file_is_named(tmp_path, n_bytes):
    checkpoint.write(tmp_path, variables(), Progress(), "abc")
    path = tmp_path / checkpoint.FILE
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(ValueError, match=r"checkpoint\.npz"):
        checkpoint.read(tmp_path, variables(), "abc")


@pytest.mark.parametrize("header", [{"fingerprint": "abc"}, {"format": 1}, ["format"], None])
def test_another_header_is_refused(tmp_path, header):
    np.savez(tmp_path / checkpoint.FILE, header=np.array(json.dumps(header)))
    with pytest.raises(ValueError, match=r"checkpoint\.npz"):
        checkpoint.read(tmp_path, [], "abc")
