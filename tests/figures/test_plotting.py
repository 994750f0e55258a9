"""`plot` draws the values of the tables that the library's functions return."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from residual_ensembles.figures import style
from residual_ensembles.figures.plotting import plot
from residual_ensembles.lesions import Lesion, random_deletions, reorderings, single_deletions
from residual_ensembles.lesions.plans import intact
from residual_ensembles.lesions.study import _modules, _planned
from residual_ensembles.lesions.table import lesion_table
from residual_ensembles.paths.study.gradient_tables import log10_mean

N_MODULES, N_EXAMPLES = 6, 50


@pytest.fixture(autouse=True)
def _drawn_without_a_window():
    from matplotlib import pyplot

    with matplotlib.rc_context():
        pyplot.switch_backend("agg")
        yield
        pyplot.close("all")


def lesions(*plans) -> pd.DataFrame:
    """A table as `lesion_study` returns it, in which lesion i gets the first i examples wrong."""
    plan = [row for some in plans for row in some]
    predictions = np.array([np.arange(N_EXAMPLES) >= i for i in range(len(plan))], int)
    labels = np.ones(N_EXAMPLES, int)
    table = lesion_table("net", 0, plan, N_MODULES, predictions, labels)
    modules = [_modules(row.lesion) for row in plan]
    table["module"] = [some[0] if len(some) == 1 else 0 for some in modules]
    return table.rename(columns={"n_images": "n_examples"})


SINGLE = lesions(intact(), single_deletions([1, 2, 3, 4]))
RANDOM = random_deletions([1, 2, 3, 4], k=3, draws=4, seed=0)
ORDERS = reorderings([(2, 3), (3, 4), (2, 4)], swaps=4, draws=5, seed=0)


def curve(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return [np.asarray(values, float) for values in line.get_data()]


def band(axes, i=0):
    """The ends of the band of the i-th curve, at each x."""
    points = axes.collections[i].get_paths()[0].vertices
    return {
        x: (points[points[:, 0] == x, 1].min(), points[points[:, 0] == x, 1].max())
        for x in sorted({*points[:, 0]})
    }


def test_single_deletions_are_drawn_with_their_intervals():
    axes = plot(SINGLE.sample(frac=1, random_state=0))
    (line,) = [line for line in axes.lines if len(line.get_xdata()) == 4]
    assert line.get_xdata().tolist() == [1, 2, 3, 4]
    assert line.get_ydata() == pytest.approx([2, 4, 6, 8])  # percent of 50
    ends = band(axes)
    for row in SINGLE.iloc[1:].itertuples():
        assert ends[row.module] == pytest.approx((100 * row.error_low, 100 * row.error_high))
    assert curve(axes, "intact")[1] == pytest.approx([0, 0])
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_ylim()) == (
        "Deleted module",
        "Error (%)",
        (0, 100),
    )


def test_each_sweep_of_a_table_has_its_panel():
    table = lesions(intact(), single_deletions([1, 2, 3]), RANDOM, ORDERS)
    single, several, order = plot(table)
    assert len(single.lines[0].get_xdata()) == 3
    rows = table[table.sweep == "random_deletion"]
    x, y = curve(several, "any module")
    means = rows.groupby("n_operations").error_fraction.mean()
    assert x.tolist() == [1, 2, 3]
    assert y == pytest.approx(100 * means.to_numpy())
    low, high = band(several)[2]
    assert (low + high) / 2 == pytest.approx(100 * means[2])
    assert low < 100 * means[2] < high
    tau, error = curve(order, "one re-ordering")
    rows = table[table.sweep == "reorder"]
    assert tau.tolist() == rows.kendall_tau.tolist()
    assert error == pytest.approx(100 * rows.error_fraction.to_numpy())
    assert order.xaxis_inverted()
    assert [axes.get_ylabel() for axes in (single, several, order)] == ["Error (%)", "", ""]


def test_few_lesions_are_drawn_one_by_one():
    texts = ["delete 1,4", "delete 1; swap 2-3", "duplicate 2"]
    axes = plot(lesions(intact(), _planned(texts)))
    assert [text.get_text() for text in axes.get_xticklabels()] == texts
    points = axes.containers[0].lines[0].get_data()
    assert [list(values) for values in points] == [[0, 1, 2], [2.0, 4.0, 6.0]]


def test_lesions_of_one_table_are_all_drawn_where_another_has_a_curve():
    other = lesions(intact(), _planned(["delete 2", "delete 3"]))
    axes = plot({"deep": SINGLE, "shallow": other})
    assert curve(axes, "deep")[0].tolist() == [1, 2, 3, 4]
    assert curve(axes, "shallow")[0].tolist() == [2, 3]
    looks = [line.get_color() for line in axes.lines[:2]]
    assert looks == [style.PLAIN.color, style.VGG.color]


def test_an_intact_network_alone_is_drawn():
    axes = plot(lesions(intact()))
    assert curve(axes, "intact")[1] == pytest.approx([0, 0])


def test_without_labels_the_first_measure_is_drawn():
    table = SINGLE[["sweep", "lesion", "module", "n_operations", "kendall_tau", "n_examples"]]
    axes = plot(table.assign(mean_squared_error=[0, 3, 1, 2, 4.5], output_distance=1.0))
    assert axes.lines[0].get_ydata().tolist() == [3, 1, 2, 4.5]
    assert axes.get_ylabel() == "mean_squared_error"


def test_importance_is_estimates_against_the_true_cost():
    table = pd.DataFrame(
        {
            "module": [1, 2, 3, 4],
            "name": list("abcd"),
            "block_influence": [0.4, 0.1, 0.2, 0.3],
            "first_order": [4.0, 3.0, 2.0, 1.0],
            "loss_increase": [8.0, 1.0, 2.0, 4.0],
        }
    )
    influence, first = plot(table)
    assert influence.lines[0].get_xdata().tolist() == [0.4, 0.1, 0.2, 0.3]
    assert first.lines[0].get_xdata().tolist() == [4.0, 3.0, 2.0, 1.0]
    assert influence.lines[0].get_ydata().tolist() == [8.0, 1.0, 2.0, 4.0]
    assert [text.get_text() for text in influence.texts] == ["1", "4", "3"]
    assert influence.lines[0].get_label() == "rank correlation 1.00"


@pytest.mark.parametrize("max_length", [3, 2])
def test_gradient_by_length_is_drawn_beside_the_paths(max_length):
    shares = [0.5, 0.4, 0.2, -0.1][: max_length + 1]
    table = pd.DataFrame({"length": range(max_length + 1), "share": shares})
    table["n_paths"] = [1, 3, 3, 1][: max_length + 1]
    axes = plot(table)
    assert curve(axes, "of the gradient")[1] == pytest.approx(100 * np.array(shares))
    expected = np.array([12.5, 37.5, 37.5, 12.5])[: max_length + 1]
    assert curve(axes, "of the paths")[1] == pytest.approx(expected)


def test_sampled_paths_are_drawn_with_their_mean_norm():
    table = pd.DataFrame({"length": [1, 1, 2, 2], "sample": [0, 1, 0, 1], "share": 0.1})
    table["log10_norm"] = [0.0, 1.0, -2.0, -2.0]
    axes = plot(table)
    assert curve(axes, "one path")[1].tolist() == [0.0, 1.0, -2.0, -2.0]
    assert curve(axes, "mean norm")[1] == pytest.approx([np.log10(5.5), -2.0])


def test_means_of_norms_do_not_overflow():
    assert log10_mean(np.array([-900.0, -900.0]), 0) == -900
    assert log10_mean(np.array([-np.inf, -np.inf]), 0) == -np.inf


@pytest.mark.parametrize(
    ("columns", "y"), [({"error_fraction": [0.1, 0.2, 0.4]}, [10, 20, 40]), ({}, [1, 2, 3])]
)
def test_pruning_steps_name_the_modules(columns, y):
    table = pd.DataFrame({"module": [0, 5, 2], "name": ["", "e", "b"], "n_examples": 9, **columns})
    axes = plot(table.assign(loss=[1.0, 2.0, 3.0]))
    assert axes.lines[0].get_ydata() == pytest.approx(y)
    assert [text.get_text() for text in axes.texts] == ["5", "2"]
    assert axes.get_ylabel() == ("Error (%)" if columns else "Loss")


@pytest.mark.parametrize(
    ("table", "error", "named"),
    [
        (Lesion(), TypeError, "Lesion"),
        (pd.DataFrame({"a": [1]}), ValueError, "columns a,"),
        (SINGLE[:0], ValueError, "0 rows"),
        ({}, ValueError, "0 tables"),
        (
            {"a": SINGLE, "b": pd.DataFrame({"length": [0], "n_paths": 1, "share": 1})},
            ValueError,
            "2 kinds",
        ),
        (
            {"a": SINGLE, "b": SINGLE.drop(columns=["error_fraction", "n_wrong"])},
            ValueError,
            "measures",
        ),
    ],
)
def test_other_tables_are_refused(table, error, named):
    with pytest.raises(error, match=named):
        plot(table)


def test_the_callers_settings_stay():
    with matplotlib.rc_context({"lines.linewidth": 7.0}):
        axes = plot(SINGLE)
        assert matplotlib.rcParams["lines.linewidth"] == 7.0
    assert axes.lines[0].get_linewidth() == style.RC["lines.linewidth"]
