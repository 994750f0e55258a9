import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.statistics.randomness import stratified_draw


@given(st.lists(st.integers(0, 5), max_size=60), st.data())
def test_each_class_has_its_share_to_within_one(labels, data):
    labels = np.array(labels, dtype=int)
    n = data.draw(st.integers(0, len(labels)))
    drawn = stratified_draw(labels, n, np.random.default_rng(0))
    assert len(drawn) == n
    assert np.all(np.diff(drawn) > 0)
    for class_ in range(6):
        share = np.sum(labels == class_) * n / max(1, len(labels))
        assert abs(np.sum(labels[drawn] == class_) - share) < 1


def test_equal_classes_get_equal_numbers():
    labels = np.repeat(np.arange(10), 50)
    drawn = stratified_draw(labels, 50, np.random.default_rng(1))
    np.testing.assert_array_equal(np.bincount(labels[drawn]), np.full(10, 5))


def test_the_draw_belongs_to_the_generator():
    labels = np.arange(100) % 4
    draws = [stratified_draw(labels, 20, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize("n", [-1, 4])
def test_more_than_there_are_is_refused(n):
    with pytest.raises(ValueError, match=f"{n} .* 3"):
        stratified_draw(np.zeros(3), n, np.random.default_rng(0))
