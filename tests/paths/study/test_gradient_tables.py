"""Tables of path gradients, from numbers whose answers are known."""

from math import comb

import numpy as np
import pytest

from residual_ensembles.paths.study import gradient_tables as tables

KEY = {"network": "resnet", "seed": 0, "epoch": 3, "target": "y0", "batch_norm": "inference"}
N = 12


def batches(norms, estimator="exact", skips=(True,) * N, shares=None, lengths=None):
    """Returns batches of norms `(batches, lengths, paths)`."""
    norms = np.asarray(norms, float)
    shares = norms / norms.sum(axis=1, keepdims=True) if shares is None else np.asarray(shares)
    key = {**KEY, "estimator": estimator}
    with np.errstate(divide="ignore"):
        logs = np.log10(norms)
    lengths = np.arange(norms.shape[1]) if lengths is None else np.asarray(lengths)
    return tables.Batches(key, lengths, np.asarray(skips), logs, shares)


def exponential(factor=0.1, n_batches=3, n_paths=1, spread=0.0):
    """Norms `factor ** length`, each batch larger than the one before."""
    sizes = 1 + spread * np.arange(n_batches)
    return (
        np.tile((factor ** np.arange(N + 1))[None, :, None], (n_batches, 1, n_paths))
        * (sizes[:, None, None])
    )


def test_rows_have_the_columns_that_others_rely_on():
    for suffix, make in (
        ("", tables.by_length),
        ("_quantiles", tables.quantiles),
        ("_ranges", tables.ranges),
        ("_fits", tables.fits),
    ):
        assert set(make(batches(exponential())).columns) == set(tables.COLUMNS[suffix])
    modules = tables.by_module({k: v for k, v in KEY.items() if k != "target"}, np.ones((2, 3)))
    assert set(modules.columns) == set(tables.COLUMNS["_modules"])
    key = {k: v for k, v in KEY.items() if k != "estimator"}
    assert set(tables.sums(key, [1e-7]).columns) == set(tables.COLUMNS["_sums"])
    single = batches(exponential(n_paths=4), "sampled")
    kept = tables.cancellation(single, batches(exponential()))
    assert set(kept.columns) == set(tables.COLUMNS["_cancellation"])


def test_means_are_means_of_norms_and_n_counts_measurements():
    norms = np.array([[[1.0, 3.0]], [[5.0, 7.0]]])
    row = tables.by_length(batches(norms, "sampled", lengths=[0])).iloc[0]
    assert 10**row.log10_norm == pytest.approx(4)
    assert 10**row.log10_norm_low == pytest.approx(2)
    assert 10**row.log10_norm_high == pytest.approx(6)
    assert row.n == 4


def test_means_of_what_floats_cannot_hold():
    logs = np.array([[-400.0, -401.0], [-400.0, -np.inf]])
    np.testing.assert_allclose(tables.log10_mean(logs, axis=0), [-400, -401 - np.log10(2)])
    assert tables.log10_mean(np.full((2, 1), -np.inf), axis=0)[0] == -np.inf


def test_the_papers_reading_weighs_with_the_number_of_paths():
    result = tables.by_length(batches(exponential(0.25, n_paths=5), "sampled"))
    expected = np.array([comb(N, k) * 0.25**k for k in range(N + 1)])
    np.testing.assert_allclose(result.share_of_norms, expected / expected.sum())
    assert (result.n == 15).all()


def test_the_largest_error_of_the_sums_counts():
    key = {"network": "net", "seed": 0}
    row = tables.sums(key, [1e-7, float("nan"), 3e-7]).iloc[0]
    assert (row.largest_error, row.n) == (3e-7, 2)
    assert tables.sums(key, [float("nan")]).empty


def test_shares_have_intervals_over_batches():
    norms = np.array([[[1.0], [1.0]], [[1.0], [3.0]]])
    result = tables.by_length(batches(norms, lengths=[0, 1], shares=norms / 4))
    np.testing.assert_allclose(result.share_of_norms, [1 / 3, 2 / 3])
    np.testing.assert_allclose(result.share_of_norms_low, [1 / 4, 1 / 2])
    np.testing.assert_allclose(result.share_of_norms_high, [1 / 2, 3 / 4])
    np.testing.assert_allclose(result.share_projected, [1 / 4, 1 / 2])
    np.testing.assert_allclose(result.share_projected_low, [1 / 4, 1 / 4])
    np.testing.assert_allclose(result.share_projected_high, [1 / 4, 3 / 4])


def test_modules_without_a_skip_leave_fewer_paths():
    made = batches(
        np.ones((2, 4, 1)), "sampled", [True, False, True, False, True], lengths=range(2, 6)
    )
    np.testing.assert_allclose(10**made.log10_counts, [1, 3, 3, 1])


def test_shares_of_sampled_paths_stand_for_all_of_their_length():
    shares = np.full((2, N + 1, 3), 2.0**-N)
    result = tables.by_length(batches(np.ones((2, N + 1, 3)), "sampled", shares=shares))
    np.testing.assert_allclose(result.share_projected, [comb(N, k) / 2**N for k in range(N + 1)])


def test_one_batch_has_no_interval():
    result = tables.by_length(batches(exponential(n_batches=1)))
    assert result[["log10_norm_low", "log10_norm_high"]].isna().all(axis=None)
    assert result.log10_norm.notna().all()


def test_an_interval_over_the_default_number_of_batches_holds_the_truth():
    studies = np.random.default_rng(0).normal(size=(10, 2000))
    low, high = tables.interval(tables.resamples(10) @ studies, 10)
    assert np.mean((low <= 0) & (high >= 0)) > 0.93  # plain percentiles: 0.90


def test_quantiles_and_the_standard_error_over_batches():
    norms = np.arange(1.0, 101).reshape(4, 1, 25)
    row = tables.quantiles(batches(norms, "sampled", lengths=[0])).iloc[0]
    assert [round(10 ** row[f"log10_q{q}"]) for q in ("05", "25", "50", "75", "95")] == [
        5,
        25,
        50,
        75,
        95,
    ]
    means = norms.mean(axis=(1, 2))
    expected = means.std(ddof=1) / 2 / means.mean()
    assert row.relative_standard_error == pytest.approx(expected)
    assert (row.n, row.n_batches) == (100, 4)


def test_cancellation_is_one_where_all_paths_agree_and_falls_where_they_do_not():
    counts = np.array([comb(N, k) for k in range(N + 1)], float)
    single = batches(np.ones((3, N + 1, 2)), "sampled")
    for power in (1.0, 0.5):
        sums = batches(np.tile((counts**power)[None, :, None], (3, 1, 1)))
        result = tables.cancellation(single, sums)
        np.testing.assert_allclose(result.log10_kept, (power - 1) * np.log10(counts), atol=1e-12)
        np.testing.assert_allclose(result.log10_kept_if_random, -np.log10(counts) / 2, atol=1e-12)
        np.testing.assert_allclose(result.log10_kept_low, result.log10_kept, atol=1e-12)


def test_effective_ranges_by_reading():
    amounts = np.array([0.0, 1, 45, 50, 3, 1])
    norms = np.tile(amounts[None, :, None], (4, 1, 1))
    shares = np.tile(np.array([0.5, 0.5, 0, 0, 0, 0])[None, :, None], (4, 1, 1))
    result = tables.ranges(batches(norms, skips=[True] * 5, shares=shares)).set_index("reading")
    assert result.loc["norm_of_sum", ["first", "last"]].tolist() == [2, 3]
    assert result.loc["projection", ["first", "last", "first_low", "last_high"]].tolist() == [
        0,
        1,
        0,
        1,
    ]
    assert result.share_5_to_17.tolist() == pytest.approx([0.01, 0])
    sampled = tables.ranges(batches(exponential(1e-6, n_paths=2), "sampled"))
    assert sampled.reading.tolist() == ["mean_norm_times_paths"]
    assert sampled.loc[0, ["first", "last"]].tolist() == [0, 0]


def test_what_effective_paths_carry_has_an_interval_over_batches():
    shares = np.zeros((2, 6, 1))
    shares[0, 5], shares[1, 4] = 1.0, 1.0  # all of it in one batch, none in the other
    result = tables.ranges(batches(np.ones((2, 6, 1)), skips=[True] * 5, shares=shares))
    row = result.set_index("reading").loc["projection"]
    assert (row.share_5_to_17, row.share_5_to_17_low, row.share_5_to_17_high) == pytest.approx(
        (0.5, 0, 1)
    )


def test_a_line_and_where_it_stops_being_one():
    result = tables.fits(batches(exponential(0.1))).set_index("fitted_lengths")
    assert result.slope.tolist() == pytest.approx([-1, -1])
    assert result["last"].tolist() == [N, N]
    logs = np.where(np.arange(N + 1) <= 6, -np.arange(N + 1.0), -6 - 3 * (np.arange(N + 1.0) - 6))
    bent = tables.fits(batches(10 ** np.tile(logs[None, :, None], (2, 1, 1)))).set_index(
        "fitted_lengths"
    )
    assert bent.loc["straight", "last"] == 6
    assert bent.loc["straight", "slope"] == pytest.approx(-1)
    assert bent.loc["all", "slope"] < -1.5


def test_the_shortest_lengths_are_a_line_only_if_they_lie_near_one():
    for bend, parts in ((0.29, ["all", "straight"]), (0.32, ["all"])):  # a factor of two is 0.301
        logs = np.array([bend, -bend, -bend, bend, 50.0])[None, :, None]
        result = tables.fits(batches(10 ** np.tile(logs, (2, 1, 1)))).set_index("fitted_lengths")
        assert list(result.index) == parts
        if "straight" in parts:
            assert result.loc["straight", ["last", "share_near_line"]].tolist() == [3, 1]


def test_a_parabola_is_no_line_though_its_r_squared_is_large():
    logs = -0.02 * np.arange(55.0)[None, :, None] ** 2
    sizes = np.log10([1.0, 1.1, 1.2])[:, None, None]
    key = {**KEY, "estimator": "sampled"}
    curve = tables.Batches(key, np.arange(55), np.ones(54, bool), logs + sizes, logs)
    result = tables.fits(curve).set_index("fitted_lengths").loc["all"]
    assert result.r_squared > 0.9
    assert result.share_near_line_high < 0.3


def test_a_line_rests_on_batches_and_not_on_lengths():
    steep, flat = (-factor * np.arange(13.0)[None, :, None] for factor in (0.9, 1.1))
    key = {**KEY, "estimator": "sampled"}
    logs = np.concatenate([steep, flat])
    result = tables.fits(tables.Batches(key, np.arange(13), np.ones(12, bool), logs, logs))
    result = result.set_index("fitted_lengths").loc["all"]
    assert (result.slope_low, result.slope_high) == pytest.approx((-1.1, -0.9))
    assert result.n_batches == 2


def test_too_few_lengths_for_a_line():
    assert tables.fits(batches(np.ones((2, 1, 1)), lengths=[12])).empty


def test_shares_by_module():
    result = tables.by_module(KEY, np.array([[0.1, 0.9], [0.3, 0.7]]))
    assert result.module.tolist() == [1, 2]
    np.testing.assert_allclose(result.share_projected, [0.2, 0.8])
    np.testing.assert_allclose(result.share_low, [0.1, 0.7])
    np.testing.assert_allclose(result.share_high, [0.3, 0.9])


def test_batches_without_a_gradient_are_left_out():
    lengths, logs = np.arange(3), np.zeros((3, 1))
    complete, none = np.full((3, 1), 1 / 3), np.full((3, 1), np.nan)
    result = tables.batches_of(KEY, [True] * 2, [(lengths, logs, complete), (lengths, logs, none)])
    assert result.log10_norms.shape == (1, 3, 1)
    assert tables.batches_of(KEY, [True] * 2, [(lengths, logs, none)]) is None
    assert tables.by_module(KEY, np.full((2, 3), np.nan)).empty
