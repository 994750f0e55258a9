import numpy as np
import pytest

from residual_ensembles.pieces import Pieces


def test_what_is_kept_is_found(tmp_path):
    assert Pieces(tmp_path / "x").find("one") is None
    Pieces(tmp_path / "x").keep("one", {"a": np.arange(3)})
    pieces = Pieces(tmp_path / "x")
    np.testing.assert_array_equal(pieces.find("one")["a"], [0, 1, 2])
    assert pieces.find("two") is None
    assert pieces.n_found == 1
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["one.npz"]


@pytest.mark.parametrize("n_bytes", [0, 100])
def test_a_damaged_piece_is_not_finished(tmp_path, n_bytes):
    pieces = Pieces(tmp_path)
    pieces.keep("one", {"a": np.arange(1000)})
    whole = (tmp_path / "one.npz").read_bytes()
    (tmp_path / "one.npz").write_bytes(whole[:n_bytes])
    assert pieces.find("one") is None
    assert pieces.n_found == 0


def test_parts_do_not_meet(tmp_path):
    pieces = Pieces(tmp_path)
    pieces.keep("one", {"a": np.array(1)})
    assert pieces.within("intact").find("one") is None


def test_without_a_folder_nothing_is_kept():
    pieces = Pieces()
    pieces.keep("one", {"a": np.array(1)})
    assert pieces.find("one") is None
    assert pieces.within("intact").find("one") is None
    pieces.remove()


def test_removing(tmp_path):
    pieces = Pieces(tmp_path / "x")
    pieces.keep("one", {"a": np.array(1)})
    pieces.remove()
    assert not (tmp_path / "x").exists()
