"""Draws of batches and paths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.paths import draw_batch, draw_paths


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.data())
def test_paths_have_the_length_and_take_what_has_no_skip(skips, data):
    length = data.draw(st.integers(skips.count(False), len(skips)))
    drawn = draw_paths(skips, length, 5, 0, 3)
    assert drawn.shape == (5, len(skips))
    assert (drawn.sum(axis=1) == length).all()
    assert drawn[:, ~np.array(skips)].all()


def test_paths_are_a_function_of_seed_length_and_batch():
    one = draw_paths([True] * 30, 12, 8, 1, 2)
    np.testing.assert_array_equal(one, draw_paths([True] * 30, 12, 8, 1, 2))
    np.testing.assert_array_equal(one[:3], draw_paths([True] * 30, 12, 3, 1, 2))
    for other in (draw_paths([True] * 30, 12, 8, 2, 2), draw_paths([True] * 30, 12, 8, 1, 3)):
        assert (one != other).any()


def test_modules_are_drawn_uniformly():
    drawn = draw_paths([True] * 6, 2, 6000, 0, 0)
    np.testing.assert_allclose(drawn.mean(axis=0), 1 / 3, atol=0.03)
    assert len(np.unique(drawn, axis=0)) == 15


def test_batches_are_distinct_images_and_repeatable():
    one = draw_batch(100, 16, 0, 5)
    assert len(set(one.tolist())) == 16
    np.testing.assert_array_equal(one, draw_batch(100, 16, 0, 5))
    assert (one != draw_batch(100, 16, 0, 6)).any()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: draw_batch(10, 11, 0, 0), "batch_size=11"),
        (lambda: draw_batch(10, 0, 0, 0), "batch_size=0"),
        (lambda: draw_paths([True, False], 0, 1, 0, 0), "length=0"),
        (lambda: draw_paths([True, False], 3, 1, 0, 0), "length=3"),
    ],
)
def test_bad_arguments_are_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
