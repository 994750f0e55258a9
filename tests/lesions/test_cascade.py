import numpy as np
import pytest

from residual_ensembles.lesions import cascade, single_deletions
from residual_ensembles.lesions.closeness import leads, rounding
from residual_ensembles.lesions.worker import SweepSpec

LESIONS = [row.lesion for row in single_deletions(range(1, 10))]
EVERYONE = np.arange(len(LESIONS))


def test_a_threshold_is_twice_the_largest_rounding_of_the_lesion_or_that_of_most_others():
    roundings = np.zeros((2, 5000))
    roundings[0, 7] = 0.5
    roundings[1, :100] = 0.1
    np.testing.assert_allclose(cascade.thresholds(roundings), [1.0, 0.2])


class Tabulated:
    """Stands for an evaluator whose logits are known.

    Args:
        low: In bfloat16, `(n_lesions, n_pictures, n_classes)`.
        high: In float32.
    """

    def __init__(self, low, high):
        self.known = {"bfloat16": np.float32(low), "float32": np.float32(high)}

    def logits(self, pictures, precision, wanted=None, lesions=None, progress=None):
        found = self.known[precision][lesions][:, pictures]
        return found if wanted is None else np.where(wanted[..., None], found, np.nan)


def test_a_lesion_that_rounds_more_than_its_threshold_is_float32_altogether():
    low = np.zeros((3, 3, 2))
    low[..., 0] = [0.1, 0.4, 3.0]  # leads of the first class
    high = low.copy()
    high[0, :, 0] += [-0.2, 0.1, -9.0]  # within the threshold, where that can be seen
    high[1, :, 0] += [-0.6, 0.1, -9.0]  # beyond it
    high[2, :, 0] += [0.6, 0.1, -9.0]  # as far, but in favor of the class that wins anyway
    everyone, limits = np.arange(3), np.full(3, 0.3)
    found = cascade.cascaded(Tabulated(low, high), np.arange(3), everyone, limits, None)
    assert found.redone.tolist() == [[True, False, False], [True] * 3, [True, False, False]]
    assert found.beyond.tolist() == [[False] * 3, [True, False, True], [False] * 3]
    expected = np.where(found.redone[..., None], high, low)
    np.testing.assert_allclose(found.logits, expected, rtol=1e-6)
    assert found.logits.argmax(-1).tolist() == [[1, 0, 0], [1, 0, 1], [0, 0, 0]]


@pytest.mark.bfloat16
def test_what_is_close_is_float32_and_what_is_not_is_bfloat16(resnet, pictures):
    evaluator = SweepSpec(resnet, LESIONS, len(pictures)).evaluator
    low, high = (evaluator.logits(pictures, p) for p in ("bfloat16", "float32"))
    limits = np.median(leads(low), axis=1)
    found = cascade.cascaded(evaluator, pictures, EVERYONE, limits, lambda share: None)
    close = leads(low) < limits[:, None]
    assert (close.sum(axis=1) == len(pictures) // 2).all()
    beyond = close & (rounding(low, high) > limits[:, None])
    np.testing.assert_array_equal(found.redone, close | beyond.any(axis=1, keepdims=True))
    assert not found.redone.all()
    np.testing.assert_array_equal(found.logits[~found.redone], low[~found.redone])
    np.testing.assert_allclose(found.logits[found.redone], high[found.redone], rtol=1e-4, atol=1e-5)


@pytest.mark.bfloat16
def test_without_close_pictures_nothing_is_done_again(resnet, pictures):
    evaluator = SweepSpec(resnet, LESIONS, len(pictures)).evaluator
    limits = np.zeros(len(LESIONS))
    found = cascade.cascaded(evaluator, pictures, EVERYONE, limits, lambda share: None)
    assert not found.redone.any()
    assert "float32" not in evaluator.networks


def test_a_sample_is_no_larger_than_what_there_is():
    np.testing.assert_array_equal(cascade.sample(40, seed=0), np.arange(40))
    sample = cascade.sample(1000, seed=0)
    assert len(np.unique(sample)) == cascade.SAMPLE
    assert (sample != cascade.sample(1000, seed=1)).any()


def test_groups_of_lesions_are_checked_as_all_together():
    random = np.random.default_rng(0)
    high = random.normal(size=(9, 40, 10))
    low = high + random.normal(0.0, 0.1, high.shape)
    evaluator, pictures = Tabulated(low, high), np.arange(40)
    halves = [
        cascade.compare(evaluator, pictures, part, None) for part in (EVERYONE[:4], EVERYONE[4:])
    ]
    check = cascade.checked(**{n: np.concatenate([half[n] for half in halves]) for n in halves[0]})
    assert check.n == 9 * 40
    assert check.n_changed == (low.argmax(-1) != high.argmax(-1)).sum() > 0
    np.testing.assert_allclose(check.thresholds, cascade.thresholds(rounding(low, high)), rtol=1e-5)
    assert (check.thresholds > 0).all()
