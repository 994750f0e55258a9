import numpy as np
import pytest

from residual_ensembles.lesions import single_deletions
from residual_ensembles.lesions.engine.evaluator import SweepSpec
from residual_ensembles.lesions.exactness import cascade
from residual_ensembles.lesions.exactness.ties import margin_error, top2_margin

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
        low: In bfloat16, `(n_lesions, n_images, n_classes)`.
        high: In float32.
    """

    def __init__(self, low, high):
        self.known = {"bfloat16": np.float32(low), "float32": np.float32(high)}

    def logits(self, images, precision, wanted=None, lesions=None, progress=None):
        result = self.known[precision][lesions][:, images]
        return result if wanted is None else np.where(wanted[..., None], result, np.nan)


def test_after_a_threshold_violation_all_images_are_float32():
    low = np.zeros((3, 3, 2))
    low[..., 0] = [0.1, 0.4, 3.0]  # leads of the first class
    high = low.copy()
    high[0, :, 0] += [-0.2, 0.1, -9.0]  # within the threshold, where that can be seen
    high[1, :, 0] += [-0.6, 0.1, -9.0]  # beyond it
    high[2, :, 0] += [0.6, 0.1, -9.0]  # as far, but in favor of the class that wins anyway
    everyone, thresholds = np.arange(3), np.full(3, 0.3)
    result = cascade.cascaded(Tabulated(low, high), np.arange(3), everyone, thresholds, None)
    assert result.reevaluated.tolist() == [[True, False, False], [True] * 3, [True, False, False]]
    assert result.threshold_violations.tolist() == [[False] * 3, [True, False, True], [False] * 3]
    expected = np.where(result.reevaluated[..., None], high, low)
    np.testing.assert_allclose(result.logits, expected, rtol=1e-6)
    assert result.logits.argmax(-1).tolist() == [[1, 0, 0], [1, 0, 1], [0, 0, 0]]


@pytest.mark.bfloat16
def test_what_is_close_is_float32_and_what_is_not_is_bfloat16(resnet, images):
    evaluator = SweepSpec(resnet, LESIONS, len(images)).evaluator
    low, high = (evaluator.logits(images, p) for p in ("bfloat16", "float32"))
    thresholds = np.median(top2_margin(low), axis=1)
    result = cascade.cascaded(evaluator, images, EVERYONE, thresholds, lambda share: None)
    close = top2_margin(low) < thresholds[:, None]
    assert (close.sum(axis=1) == len(images) // 2).all()
    threshold_violations = close & (margin_error(low, high) > thresholds[:, None])
    np.testing.assert_array_equal(
        result.reevaluated, close | threshold_violations.any(axis=1, keepdims=True)
    )
    assert not result.reevaluated.all()
    np.testing.assert_array_equal(result.logits[~result.reevaluated], low[~result.reevaluated])
    np.testing.assert_allclose(
        result.logits[result.reevaluated], high[result.reevaluated], rtol=1e-4, atol=1e-5
    )


@pytest.mark.bfloat16
def test_without_close_images_nothing_is_done_again(resnet, images):
    evaluator = SweepSpec(resnet, LESIONS, len(images)).evaluator
    thresholds = np.zeros(len(LESIONS))
    result = cascade.cascaded(evaluator, images, EVERYONE, thresholds, lambda share: None)
    assert not result.reevaluated.any()
    assert "float32" not in evaluator.networks


def test_a_sample_is_no_larger_than_what_there_is():
    np.testing.assert_array_equal(cascade.sample(40, seed=0), np.arange(40))
    sample = cascade.sample(1000, seed=0)
    assert len(np.unique(sample)) == cascade.SAMPLE
    assert (sample != cascade.sample(1000, seed=1)).any()


def test_groups_of_lesions_give_the_same_check_as_all_at_once():
    random = np.random.default_rng(0)
    high = random.normal(size=(9, 40, 10))
    low = high + random.normal(0.0, 0.1, high.shape)
    evaluator, images = Tabulated(low, high), np.arange(40)
    halves = [
        cascade.compare(evaluator, images, part, None) for part in (EVERYONE[:4], EVERYONE[4:])
    ]
    joined = {n: np.concatenate([half[n] for half in halves]) for n in halves[0]}
    changes = cascade.changes_of(**joined)
    assert changes.n == 9 * 40
    assert changes.n_changed == (low.argmax(-1) != high.argmax(-1)).sum() > 0
    np.testing.assert_allclose(
        changes.thresholds, cascade.thresholds(margin_error(low, high)), rtol=1e-5
    )
    assert (changes.thresholds > 0).all()
