import numpy as np

from residual_ensembles.lesions import cascade, single_deletions
from residual_ensembles.lesions.closeness import leads
from residual_ensembles.lesions.evaluator import Evaluator

LESIONS = [row.lesion for row in single_deletions(range(1, 10))]
EVERYONE = np.arange(len(LESIONS))


def test_a_threshold_is_twice_the_largest_rounding_of_the_lesion_or_that_of_most_others():
    roundings = np.zeros((2, 5000))
    roundings[0, 7] = 0.5
    roundings[1, :100] = 0.1
    np.testing.assert_allclose(cascade.thresholds(roundings), [1.0, 0.2])


def test_what_is_close_is_float32_and_what_is_not_is_bfloat16(resnet, pictures):
    evaluator = Evaluator(resnet, LESIONS, len(pictures))
    low, high = (evaluator.logits(pictures, p) for p in ("bfloat16", "float32"))
    limits = np.full(len(LESIONS), 0.2)
    found = cascade.cascaded(evaluator, pictures, EVERYONE, limits, lambda share: None)
    np.testing.assert_array_equal(found.redone, leads(low) < 0.2)
    assert 0.05 < found.redone.mean() < 0.95
    np.testing.assert_array_equal(found.logits[~found.redone], low[~found.redone])
    np.testing.assert_allclose(found.logits[found.redone], high[found.redone], rtol=1e-4, atol=1e-5)
    assert not found.beyond.any()


def test_rounding_beyond_the_threshold_is_counted(resnet, pictures):
    evaluator = Evaluator(resnet, LESIONS, len(pictures))
    limits = np.full(len(LESIONS), 0.005)
    found = cascade.cascaded(evaluator, pictures, EVERYONE, limits, lambda share: None)
    assert found.beyond.any()
    assert not found.beyond[~found.redone].any()


def test_without_close_pictures_nothing_is_done_again(resnet, pictures):
    evaluator = Evaluator(resnet, LESIONS, len(pictures))
    limits = np.zeros(len(LESIONS))
    found = cascade.cascaded(evaluator, pictures, EVERYONE, limits, lambda share: None)
    assert not found.redone.any()
    assert "float32" not in evaluator.networks


def test_groups_of_lesions_are_checked_as_all_together(resnet, pictures):
    evaluator = Evaluator(resnet, LESIONS, len(pictures))
    sample = cascade.sample(len(pictures), seed=0)
    assert len(np.unique(sample)) == len(pictures)  # they are fewer than the sample may be
    whole, *halves = (
        cascade.compare(evaluator, pictures[sample], lesions, None)
        for lesions in (EVERYONE, EVERYONE[:4], EVERYONE[4:])
    )
    check = cascade.checked(**{n: np.concatenate([half[n] for half in halves]) for n in whole})
    assert check.n == len(LESIONS) * len(pictures)
    assert check.n_changed == whole["changed"].sum()
    np.testing.assert_allclose(check.thresholds, cascade.thresholds(whole["rounding"]), rtol=1e-3)
    assert (check.thresholds > 0).all()
