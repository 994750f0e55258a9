import numpy as np
import pytest

from residual_ensembles.lesions import Pieces


def test_a_piece_is_computed_once(tmp_path):
    computed = []

    def compute():
        computed.append(1)
        return {"a": np.arange(3)}

    for _ in range(2):
        np.testing.assert_array_equal(Pieces(tmp_path / "x").get("one", compute)["a"], [0, 1, 2])
    assert computed == [1]
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["one.npz"]


@pytest.mark.parametrize("n_bytes", [0, 100])
def test_a_damaged_piece_is_computed_again(tmp_path, n_bytes):
    def compute():
        return {"a": np.arange(1000)}

    pieces = Pieces(tmp_path)
    pieces.get("one", compute)
    whole = (tmp_path / "one.npz").read_bytes()
    (tmp_path / "one.npz").write_bytes(whole[:n_bytes])
    np.testing.assert_array_equal(pieces.get("one", compute)["a"], np.arange(1000))
    assert pieces.n_found == 0
    assert (tmp_path / "one.npz").read_bytes() == whole


def test_parts_do_not_meet(tmp_path):
    pieces = Pieces(tmp_path)
    pieces.get("one", lambda: {"a": np.array(1)})
    assert pieces.within("intact").get("one", lambda: {"a": np.array(2)})["a"] == 2


def test_without_a_folder_nothing_is_kept():
    pieces = Pieces()
    assert pieces.get("one", lambda: {"a": 1}) == {"a": 1}
    assert pieces.within("intact").get("one", lambda: {"a": 2}) == {"a": 2}
    pieces.remove()


def test_removing(tmp_path):
    pieces = Pieces(tmp_path / "x")
    pieces.get("one", lambda: {"a": np.array(1)})
    pieces.remove()
    assert not (tmp_path / "x").exists()
