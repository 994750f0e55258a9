import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from residual_ensembles.analysis import predicted_and_real, read_tables, single_costs
from residual_ensembles.analysis.claims.lesion_measurements import exceptions
from residual_ensembles.analysis.deletion_costs import BARELY
from residual_ensembles.statistics.finite_population import changes
from residual_ensembles.statistics.intervals import wilson
from residual_ensembles.statistics.paired import difference_interval, mcnemar, score
from residual_ensembles.storage.columns import UNKNOWN

LABELS = np.array([0, 1, 2, 3, 4])
PREDICTIONS = {
    "intact": [0, 1, 2, 3, 0],  # image 5 wrong
    "delete 1": [9, 9, 2, 3, 4],  # 1 and 2 newly wrong, 5 right again
    "delete 2": [0, 1, 2, 3, 0],
    "delete 1,2": [9, 9, 9, 3, 0],
}


def write(folder, with_predictions=True):
    rows = []
    for lesion, predicted in PREDICTIONS.items():
        n = int((np.array(predicted) != LABELS).sum())
        sweep = "intact" if lesion == "intact" else "single_deletion"
        sweep = "random_deletion" if "," in lesion else sweep
        rows.append(("net", 0, sweep, 0, lesion, lesion.count(",") + 1, 1.0, 5, n, n / 5, 0, 1))
    columns = (
        "network seed sweep draw lesion n_operations kendall_tau n_images n_wrong "
        "error_fraction error_low error_high"
    )
    pd.DataFrame(rows, columns=columns.split()).to_csv(folder / "lesions.csv", index=False)
    if with_predictions:
        (folder / "predictions").mkdir()
        np.savez(
            folder / "predictions" / "net-0.npz",
            predictions=np.array(list(PREDICTIONS.values())),
            labels=LABELS,
        )
    return read_tables(folder)


def test_costs_by_hand(tmp_path):
    costs = single_costs(write(tmp_path), "net", 0)
    assert list(costs.module) == [1, 2]
    assert list(costs.cost) == pytest.approx([0.2, 0.0])
    assert (costs.low[0], costs.high[0]) == pytest.approx(difference_interval(2, 1, 5))
    assert list(costs.p_barely) == pytest.approx(
        [norm.sf(score(2, 1, 5, BARELY)), norm.sf(score(0, 0, 5, BARELY))]
    )


def test_a_cost_that_may_be_less_than_barely_is_no_exception():
    n = 360  # an observed 2.8 points are far from 0, and not from two points
    counts = {1: (10, 0), 2: (36, 0), 3: (0, 0)}
    costs = pd.DataFrame(
        [
            (module, (a - b) / n, norm.sf(score(a, b, n, BARELY)))
            for module, (a, b) in counts.items()
        ],
        columns=["module", "cost", "p_barely"],
    )
    assert mcnemar(10, 0) < 0.05 / 3
    assert exceptions(costs) == [2]


def test_images_that_were_not_evaluated_say_nothing(tmp_path):
    write(tmp_path)
    with np.load(tmp_path / "predictions" / "net-0.npz") as kept:
        predictions = kept["predictions"]
    predictions[1, [1, 4]] = UNKNOWN  # of "delete 1" three images are left, one newly wrong
    np.savez(tmp_path / "predictions" / "net-0.npz", predictions=predictions, labels=LABELS)
    costs = single_costs(read_tables(tmp_path), "net", 0)
    assert list(costs.n_images) == [3, 5]
    # Of four images that were right three are known, and nothing of the one that was wrong: what
    # is known counts for three of all five, of which 1/3 of 4/5 became wrong.
    alike = 0.8, 0.0, 3.0
    assert (costs.low[0], costs.high[0]) == pytest.approx(difference_interval(*alike))
    assert costs.p_barely[0] == pytest.approx(norm.sf(score(*alike, BARELY)))


def test_a_cost_that_is_barely_borne_is_seldom_called_more():
    # An intact error of 20 %, whose errors were drawn twice as often as the other images.
    random = np.random.default_rng(0)
    before = np.arange(10_000) < 2000
    wrong = before.copy()
    wrong[2000:2200] = True  # it costs two points, BARELY
    called = 0
    for _ in range(4000):
        known = np.zeros(10_000, bool)
        known[random.choice(2000, 333, replace=False)] = True
        known[2000 + random.choice(8000, 667, replace=False)] = True
        result = changes(wrong, known, before)
        called += (
            norm.sf(score(*result.equivalent_counts(), result.effective_sample_size, BARELY)) < 0.05
        )
    assert called / 4000 < 0.06


def test_without_predictions_each_error_counts_on_its_own_images(tmp_path):
    write(tmp_path, with_predictions=False)
    rows = pd.read_csv(tmp_path / "lesions.csv")
    rows.loc[0, ["n_images", "n_wrong", "error_fraction"]] = [10_000, 600, 0.06]
    # The same error, on a sample in which images that the intact network gets wrong are frequent.
    rows.loc[1, ["n_images", "n_wrong", "error_fraction"]] = [1000, 113, 0.06]
    rows.to_csv(tmp_path / "lesions.csv", index=False)
    costs = single_costs(read_tables(tmp_path), "net", 0)
    assert costs.cost[0] == 0.0
    assert -0.02 < costs.low[0] < 0.0 < costs.high[0] < 0.02


def test_without_predictions_the_interval_is_wider(tmp_path):
    costs = single_costs(write(tmp_path, with_predictions=False), "net", 0)
    assert costs.p_barely.isna().all()
    assert list(costs.cost) == pytest.approx([0.2, 0.0])
    # Newcombe's interval of 2 against 1 wrong of 5, by hand from Wilson's of each
    (low_2, high_2), (low_1, high_1) = wilson(2, 5), wilson(1, 5)
    low = 0.2 - math.hypot(0.4 - low_2, high_1 - 0.2)
    high = 0.2 + math.hypot(high_2 - 0.4, 0.2 - low_1)
    assert (costs.low[0], costs.high[0]) == pytest.approx((low, high))
    paired_low, paired_high = difference_interval(0, 0, 5)
    assert costs.high[1] - costs.low[1] > paired_high - paired_low


def test_what_was_not_measured_has_no_costs(tmp_path):
    assert single_costs(write(tmp_path), "other", 0).empty


def test_additive_prediction_beside_the_real_cost(tmp_path):
    table = predicted_and_real(write(tmp_path), "net", 0)
    assert list(table.predicted) == pytest.approx([0.2])
    assert list(table.real) == pytest.approx([0.6])
    assert list(table.n_operations) == [2]


def test_no_random_deletion_no_prediction(study):
    assert predicted_and_real(read_tables(study), "vgg", 0).empty
