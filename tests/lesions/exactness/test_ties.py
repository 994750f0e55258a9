import numpy as np
import pytest

from residual_ensembles.lesions.exactness import ties
from residual_ensembles.lesions.exactness.agreement import agreement, bounds_of_others, differences


def test_gaps_are_shares_of_the_largest_logit():
    np.testing.assert_allclose(
        ties.relative_top2_margin(np.array([[1.0, -4.0, 3.0], [2.0, 2.0, 0.0]])), [0.5, 0]
    )


def test_rounding_is_what_the_winner_loses_to_the_best_rival():
    low = np.array([[4.0, 3.0, 0.0]])
    exact = np.array([[3.9, 3.2, 0.1]])  # the lead over the second falls from 1.0 to 0.7
    np.testing.assert_allclose(ties.margin_error(low, exact), [0.3])


@pytest.mark.parametrize("seed", range(3))
def test_a_lead_larger_than_rounding_keeps_the_prediction(seed):
    random = np.random.default_rng(seed)
    low = random.normal(size=(500, 10))
    exact = low + random.normal(0.0, 0.1, low.shape)
    safe = ties.top2_margin(low) > ties.margin_error(low, exact)
    assert (low.argmax(-1) == exact.argmax(-1))[safe].all()
    assert (low.argmax(-1) != exact.argmax(-1)).any()


def test_agreement_by_hand():
    reference = np.array([[2.0, 1.0], [1.0, 1.00001], [0.0, 4.0], [4.0, 1.0]])
    logits = np.array([[2.0, 1.0], [1.00002, 1.0], [0.0, 3.0], [1.0, 4.0]])
    result = agreement(logits, reference)
    assert result.n == 4
    assert result.n_different == 2
    assert result.n_close == 1
    assert result.n_unexplained == 1
    assert result.largest_relative_difference == pytest.approx(0.75)


def test_the_bound_of_a_lesion_is_that_of_the_others():
    reference = np.array([[[2.0, 1.0]], [[2.0, 1.0]], [[1.0, 1.001]]])
    logits = reference + np.array([[[0.0, 2e-6]], [[0.0, 4e-4]], [[1e-2, 0.0]]])
    bounds = bounds_of_others(differences(logits, reference))
    np.testing.assert_allclose(bounds, [[0.1 / 1.001], [0.1 / 1.001], [2e-3]], rtol=1e-4)
    assert agreement(logits, reference, bounds).n_unexplained == 0
    logits[1, 0, 1] = 1.0  # the others agree to rounding: nothing explains what the third does
    result = agreement(logits, reference, bounds_of_others(differences(logits, reference)))
    assert (result.n_different, result.n_unexplained) == (1, 1)
    (alone,) = bounds_of_others(differences(logits[2:], reference[2:]))
    assert alone == ties.ROUNDING
