import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.lesions.engine.grid import grid
from residual_ensembles.lesions.exactness.sequential_sampling import (
    FIRST_ROUND,
    GROWTH,
    ROUND,
    Sampling,
    check_half_width,
    finite_interval,
    oversampling,
    sampling_order,
)

REPETITIONS = 2000
IMAGE_BYTES = 4 * 32 * 32 * 16
"""Of the largest activation of ResNet-110 at 32×32."""


def outcomes(n, intact_share, discordance, worse_share=1.0):
    """Where the intact and the lesioned network are wrong, with so many discordant images."""
    n_wrong, n_discordant = round(n * intact_share), round(n * discordance)
    n_better = min(n_wrong, round(n_discordant * (1 - worse_share)))
    intact = np.arange(n) < n_wrong
    lesioned = intact.copy()
    lesioned[:n_better] = False
    lesioned[n_wrong : n_wrong + n_discordant - n_better] = True
    assert (intact != lesioned).sum() == n_discordant
    return intact, lesioned


def sampled(intact, lesioned, margin, seed, batch_sizes=(1,)):
    sampling = Sampling(intact, 1, margin, seed, batch_sizes)
    while len(images := sampling.next_images()):
        sampling.record(images, lesioned[images][None])
    return sampling


def coverage(n, intact_share, discordance, worse_share):
    intact, lesioned = outcomes(n, intact_share, discordance, worse_share)
    batch_sizes = grid(n, IMAGE_BYTES).batch_sizes  # as a sweep has them
    hits = 0
    for seed in range(REPETITIONS):
        result = sampled(intact, lesioned, 0.01, seed, batch_sizes).interval(0)
        assert result.half_width <= 0.01
        hits += result.low - 1e-9 <= lesioned.mean() <= result.high + 1e-9
    return hits / REPETITIONS


@pytest.mark.parametrize("discordance", [0.0, 0.005, 0.1])
def test_the_interval_holds_with_the_stopping_rule(discordance):
    assert coverage(2000, 0.155, discordance, worse_share=1.0) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("worse_share", [1.0, 0.75, 0.5])
@pytest.mark.parametrize("intact_share", [0.06, 0.155])
@pytest.mark.parametrize("discordance", [0.0, 0.001, 0.005, 0.02, 0.1, 0.4])
def test_the_interval_holds_on_ten_thousand_images(discordance, intact_share, worse_share):
    assert coverage(10_000, intact_share, discordance, worse_share) >= 0.94


def test_with_all_images_the_interval_is_a_point():
    intact, lesioned = outcomes(100, 0.1, 0.2)
    assert finite_interval(lesioned, np.ones(100, bool), intact) == (0.3, 0.3, 0.3)


def test_without_discordant_images_two_rounds_are_enough():
    intact, lesioned = outcomes(10_000, 0.06, 0.0)
    sampling = sampled(intact, lesioned, 0.01, seed=0)
    assert sampling.n_known == FIRST_ROUND + ROUND
    result = sampling.interval(0)
    assert result.error == 0.06
    assert result.half_width <= 0.01
    assert 0.05 <= result.low < 0.06 < result.high


def test_what_the_sample_has_shown_is_certain():
    intact, known = np.zeros(100, bool), np.arange(100) < 90
    result = finite_interval(np.zeros(100, bool), known, intact)
    assert result.low == 0.0
    assert result.high <= 0.1  # ninety are right


def test_a_smaller_half_width_takes_more_images():
    intact, lesioned = outcomes(10_000, 0.06, 0.05)
    sizes = [sampled(intact, lesioned, margin, seed=0).n_known for margin in (0.03, 0.01, 0.003)]
    assert sizes == sorted(set(sizes))


@given(st.integers(1, 300), st.floats(0, 1), st.integers(0, 1000))
def test_every_beginning_of_the_order_is_stratified(n, share, seed):
    wrong = np.random.default_rng(seed).random(n) < share
    order = sampling_order(wrong, seed)
    assert sorted(order) == list(range(n))
    often, n_wrong, n_right = oversampling(wrong.mean()), wrong.sum(), (~wrong).sum()
    so_far, others = np.cumsum(wrong[order]), np.cumsum(~wrong[order])
    until = so_far < n_wrong  # there are none left
    assert (np.abs(so_far / often * n_right - others * n_wrong)[until] <= n_right + n_wrong).all()


@pytest.mark.parametrize(
    ("share_wrong", "often"), [(0.0, 1), (0.06, 2), (0.2, 2), (0.3, np.sqrt(7 / 3)), (0.6, 1)]
)
def test_errors_are_drawn_more_often_where_they_are_rare(share_wrong, often):
    assert oversampling(share_wrong) == pytest.approx(often)


def test_every_image_of_a_kind_is_as_likely_to_come_early():
    wrong = np.arange(20) < 4
    assert oversampling(wrong.mean()) == 2
    early = sum(np.bincount(sampling_order(wrong, seed)[:6], minlength=20) for seed in range(4000))
    assert (np.abs(early[wrong] - 2 * 1000) < 150).all()
    assert (np.abs(early[~wrong] - 1000) < 150).all()


def test_a_sample_grows_with_its_size():
    sampling = Sampling(np.zeros(10_000, bool), 1, 0.0001, seed=0)
    sizes = []
    while len(images := sampling.next_images()):
        sizes.append(len(images))
        sampling.record(images, np.zeros((1, len(images)), bool))
    assert sizes[:3] == [FIRST_ROUND, ROUND, ROUND]
    known = np.cumsum(sizes)
    assert sizes[1:] == [max(ROUND, int(n * GROWTH)) for n in known[:-1]]
    assert max(sizes) > 400


@pytest.mark.parametrize(
    ("sizes", "rounds"),
    [
        ((500, 250, 125, 63, 32), [250, 63, 63]),
        ((8,), [256, 64, 64]),
        ((171, 86, 43, 22, 11, 6), [258, 66, 66]),
        ((512, 256, 128), [256, 128, 128]),  # no batch is as small as a round
    ],
)
def test_rounds_fill_batches(sizes, rounds):
    sampling = Sampling(np.zeros(10_000, bool), 1, 0.0001, seed=0, batch_sizes=sizes)
    for n in rounds:
        images = sampling.next_images()
        assert len(images) == n
        sampling.record(images, np.zeros((1, n), bool))


def test_lesions_leave_when_they_are_known():
    intact, lesioned = outcomes(2000, 0.1, 0.3)
    sampling = Sampling(intact, 3, 0.02, seed=0)
    sampling.record_all(2, lesioned)
    assert sampling.active.tolist() == [0, 1]
    assert sampling.interval(2).half_width == 0.0
    first = sampling.next_images()
    sampling.record(first, np.stack([intact[first], lesioned[first]]))
    assert sampling.active.tolist() == [1]
    assert len(sampling.next_images()) == ROUND


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_a_half_width_that_is_no_fraction_is_refused(margin):
    with pytest.raises(ValueError, match=f"ci_half_width={margin}"):
        check_half_width(margin)


def test_nothing_known_is_refused():
    with pytest.raises(ValueError, match="without images"):
        finite_interval(np.zeros(3, bool), np.zeros(3, bool), np.zeros(3, bool))
