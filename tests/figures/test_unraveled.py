import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from residual_ensembles.figures import unraveled


def drawn(n, deleted=()):
    axes = Figure().subplots()
    unraveled.draw_unraveled(axes, n, deleted)
    return axes


@given(st.integers(1, 8), st.data())
def test_deleting_d_modules_leaves_a_power_of_two(n, data):
    gone = data.draw(st.sets(st.integers(1, n)))
    assert len(unraveled.valid_paths(n, gone)) == 2 ** (n - len(gone))


def test_valid_paths_by_hand():
    assert unraveled.valid_paths(3, {2}) == [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)]


@pytest.mark.parametrize("n", [1, 3, 5])
def test_every_path_is_labeled_once(n):
    labels = [text.get_text() for text in drawn(n).texts]
    codes = [label for label in labels if set(label) <= {"0", "1"}]
    assert sorted(codes) == sorted(format(i, f"0{n}b") for i in range(2**n))


def test_modules_are_drawn_once_for_each_way_behind_them():
    labels = [text.get_text() for text in drawn(3).texts]
    assert [labels.count(f"f{s}") for s in "₁₂₃"] == [4, 2, 1]


def test_codes_of_dead_paths_are_pale():
    colors = {text.get_text(): text.get_color() for text in drawn(2, {1}).texts}
    assert colors["00"] == colors["01"] == unraveled.style.INK
    assert colors["10"] == colors["11"] == unraveled.style.DEAD


@pytest.mark.parametrize(("n", "deleted"), [(0, ()), (7, ()), (3, (4,)), (3, (0,))])
def test_too_many_modules_and_unknown_ones_are_refused(n, deleted):
    with pytest.raises(ValueError, match="counted from 1"):
        drawn(n, deleted)


def test_a_row_of_blocks():
    axes = Figure().subplots()
    unraveled.draw_blocks(axes, 3, {2}, skips=False)
    assert [t.get_text() for t in axes.texts] == ["y₀", "f₁", "f₂", "f₃", "y₃"]
