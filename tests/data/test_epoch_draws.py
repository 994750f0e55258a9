import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.data.epoch_draws import uniform

indices_strategy = st.lists(st.integers(0, 2**31), min_size=1, max_size=20)


@given(indices=indices_strategy, seed=st.integers(0, 2**31), epoch=st.integers(0, 1000))
def test_numbers_of_an_image_do_not_depend_on_its_batch(indices, seed, epoch):
    at_once = uniform(seed, epoch, indices, 3)
    alone = [uniform(seed, epoch, [index], 3)[0] for index in indices]
    np.testing.assert_array_equal(at_once, alone)
    assert at_once.shape == (len(indices), 3)
    assert np.all((at_once >= 0) & (at_once < 1))


def test_the_hash_is_the_published_splitmix64(monkeypatch):
    """The generator's first outputs for the seed 1234567, from Vigna's reference program."""
    first = [6457827717110365317, 3203168211198807973, 9817491932198370423]

    class Key:
        def integers(self, *_, **__):
            return np.uint64(1234567)

    monkeypatch.setattr("residual_ensembles.data.epoch_draws.generator", lambda *_: Key())
    numbers = uniform(0, 0, [0], 3)[0]
    np.testing.assert_array_equal(numbers, [(value >> 11) * 2.0**-53 for value in first])


def test_numbers_are_uniform_and_independent():
    numbers = uniform(0, 1, np.arange(20_000), 3)
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    expected = numbers.size / 20
    assert np.sum((counts - expected) ** 2 / expected) < 43.8  # chi-squared, 19 d.o.f., p = 0.001
    neighbors = np.column_stack([numbers[:-1], numbers[1:]])
    correlations = np.corrcoef(neighbors, rowvar=False) - np.eye(6)
    assert np.abs(correlations).max() < 0.03  # 4 standard errors of 1 / √20,000


@pytest.mark.parametrize(("seed", "epoch"), [(1, 1), (0, 2)])
def test_another_seed_or_epoch_has_other_numbers(seed, epoch):
    assert not np.any(uniform(seed, epoch, range(50), 2) == uniform(0, 1, range(50), 2))
