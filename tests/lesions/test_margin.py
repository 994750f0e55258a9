import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.lesions.margin import (
    FIRST_ROUND,
    ROUND,
    Sampling,
    finite_interval,
    sampling_order,
)

REPETITIONS = 2000


def outcomes(n, intact_share, discordance, worse_share=1.0):
    """Where the intact and the lesioned network are wrong, with so many discordant pictures."""
    n_wrong, n_discordant = round(n * intact_share), round(n * discordance)
    n_better = min(n_wrong, round(n_discordant * (1 - worse_share)))
    intact = np.arange(n) < n_wrong
    lesioned = intact.copy()
    lesioned[:n_better] = False
    lesioned[n_wrong : n_wrong + n_discordant - n_better] = True
    assert (intact != lesioned).sum() == n_discordant
    return intact, lesioned


def sampled(intact, lesioned, margin, seed):
    sampling = Sampling(intact, 1, margin, seed)
    while len(pictures := sampling.next_pictures()):
        sampling.record(pictures, lesioned[pictures][None])
    return sampling


def coverage(n, intact_share, discordance, worse_share):
    intact, lesioned = outcomes(n, intact_share, discordance, worse_share)
    hits = 0
    for seed in range(REPETITIONS):
        found = sampled(intact, lesioned, 0.01, seed).interval(0)
        assert found.half_width <= 0.01
        hits += found.low - 1e-9 <= lesioned.mean() <= found.high + 1e-9
    return hits / REPETITIONS


@pytest.mark.parametrize("discordance", [0.0, 0.001, 0.005, 0.02, 0.1, 0.4])
def test_the_interval_holds_with_the_stopping_rule(discordance):
    assert coverage(2000, 0.155, discordance, worse_share=1.0) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("worse_share", [1.0, 0.75, 0.5])
@pytest.mark.parametrize("intact_share", [0.06, 0.155])
@pytest.mark.parametrize("discordance", [0.0, 0.001, 0.005, 0.02, 0.1, 0.4])
def test_the_interval_holds_on_ten_thousand_pictures(discordance, intact_share, worse_share):
    assert coverage(10_000, intact_share, discordance, worse_share) >= 0.94


def test_with_all_pictures_the_interval_is_a_point():
    intact, lesioned = outcomes(100, 0.1, 0.2)
    assert finite_interval(lesioned, np.ones(100, bool), intact) == (0.3, 0.3, 0.3)


def test_without_discordant_pictures_the_first_round_is_enough():
    intact, lesioned = outcomes(10_000, 0.06, 0.0)
    sampling = sampled(intact, lesioned, 0.01, seed=0)
    assert sampling.n_known == FIRST_ROUND
    found = sampling.interval(0)
    assert found.error == 0.06
    assert 0.05 <= found.low < 0.06 < found.high <= 0.07


def test_what_the_sample_has_shown_is_certain():
    intact, known = np.zeros(100, bool), np.arange(100) < 90
    found = finite_interval(np.zeros(100, bool), known, intact)
    assert found.low == 0.0
    assert found.high <= 0.1  # ninety are right


def test_a_narrower_margin_takes_more_pictures():
    intact, lesioned = outcomes(10_000, 0.06, 0.05)
    sizes = [sampled(intact, lesioned, margin, seed=0).n_known for margin in (0.03, 0.01, 0.003)]
    assert sizes == sorted(set(sizes))


@given(st.integers(1, 300), st.floats(0, 1), st.integers(0, 1000))
def test_every_beginning_of_the_order_is_stratified(n, share, seed):
    wrong = np.random.default_rng(seed).random(n) < share
    order = sampling_order(wrong, seed)
    assert sorted(order) == list(range(n))
    so_far = np.cumsum(wrong[order])
    assert (np.abs(so_far - np.arange(1, n + 1) * wrong.mean()) <= 1 + 1e-9).all()


def test_every_picture_is_as_likely_to_come_early():
    wrong = np.arange(20) < 5
    early = sum(np.bincount(sampling_order(wrong, seed)[:4], minlength=20) for seed in range(4000))
    assert (np.abs(early - 800) < 120).all()


def test_lesions_leave_when_they_are_known():
    intact, lesioned = outcomes(2000, 0.1, 0.3)
    sampling = Sampling(intact, 3, 0.02, seed=0)
    sampling.settle(2, lesioned)
    assert sampling.active.tolist() == [0, 1]
    assert sampling.interval(2).half_width == 0.0
    first = sampling.next_pictures()
    sampling.record(first, np.stack([intact[first], lesioned[first]]))
    assert sampling.active.tolist() == [1]
    assert len(sampling.next_pictures()) == ROUND


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_a_margin_that_is_no_fraction_is_refused(margin):
    with pytest.raises(ValueError, match=r"error_margin=.* expected a fraction between 0 and 1"):
        Sampling(np.zeros(10, bool), 1, margin, 0)


def test_nothing_known_is_refused():
    with pytest.raises(ValueError, match="sample without pictures"):
        finite_interval(np.zeros(3, bool), np.zeros(3, bool), np.zeros(3, bool))
