"""Plots of the tables that the library's functions return, in the look of a study's page."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from residual_ensembles.figures import errors, style
from residual_ensembles.figures.fig5_random_lesions import draw_reorderings
from residual_ensembles.figures.fig16_importance import draw_estimate
from residual_ensembles.figures.fig17_pruning import draw_steps
from residual_ensembles.paths.study.gradient_tables import log10_mean
from residual_ensembles.statistics.intervals import student

FEWEST = 3
"""Smallest number of lesions of a sweep that are drawn as a curve; fewer are drawn one by one."""
SINGLE = {"single_deletion": "deleted", "single_duplication": "run twice"}
SEVERAL = {name: label for name, (label, _) in errors.SWEEPS.items()} | {
    "random_duplication": "run twice"
}
ORDER = {"reorder": ""}
"""Sweeps that share a panel, with the labels of their curves."""
ESTIMATES = {
    "block_influence": "Block influence (1 − cosine)",
    "first_order": "First-order estimate of the increase",
}
Tables = Mapping[str, pd.DataFrame]
"""Tables of one kind, by their labels in the legend."""


class Panel(NamedTuple):
    """One panel of a figure."""

    draw: Callable[[Axes], None]
    x: str
    """Name of the horizontal axis."""
    y: str


@style.styled
def plot(table: pd.DataFrame | Mapping[str, pd.DataFrame]) -> Axes | np.ndarray:
    """Draws a table that `lesion_study`, `module_importance` or another function returned.

    Needs the extra `figures`. A notebook shows the figure; elsewhere `matplotlib.pyplot.show()`
    does, or `axes.figure.savefig("lesions.png")` writes it.

    Args:
        table: What `lesion_study` returned: errors, or the first metric, after deleting each
            module, several modules, and after re-orderings, a panel for each of these that is in
            the table; sweeps of fewer than three lesions lesion by lesion. Or what
            `module_importance` (estimates against true cost), `gradient_by_length` (beside the
            share of the paths), `sampled_path_gradients`, or `prune(…).steps` returned. A
            dictionary draws several tables of one kind, by the names that its keys give them.

    Returns:
        The panel, or an array of panels where there are several. Bands and bars are 95 %
        intervals: of single lesions Wilson's, over examples; of means Student's, over draws.

    Raises:
        ImportError: The extra `figures` is not installed.
        TypeError: This is not a table.
        ValueError: It is not one of these tables, or they are of several kinds, or empty.

    Example:
        >>> import keras, numpy as np
        >>> from residual_ensembles import lesion_study, plot, unravel
        >>> y = x = keras.Input((4,))
        >>> for name in ("first", "second", "third"):
        ...     y = keras.layers.Add(name=name)([y, keras.layers.Dense(4, activation="relu")(y)])
        >>> chain = unravel(keras.Model(x, keras.layers.Dense(3)(y)))
        >>> examples = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
        >>> axes = plot(lesion_study(chain, examples, np.arange(20) % 3, verbose=0))
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('Deleted module', 'Error (%)')
    """
    tables = dict(table) if isinstance(table, Mapping) else {"": table}
    panels = _kind(tables)(tables)
    width = 5.0 if len(panels) == 1 else 3.6 * len(panels)
    figure = pyplot.figure(figsize=(width, 3.5))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for at, panel in zip(axes, panels, strict=True):
        panel.draw(at)
        at.set_xlabel(panel.x)
        style.legend_above(at, columns=1 if len(panels) > 1 else 2)
    axes[0].set_ylabel(panels[0].y)
    return axes[0] if len(panels) == 1 else axes


def _kind(tables: Tables) -> Callable[[Tables], list[Panel]]:
    """Returns the function that makes the panels of such tables."""
    kinds = []
    for table in tables.values():
        if not isinstance(table, pd.DataFrame):
            raise TypeError(
                f"Received a {type(table).__name__}, expected a table, for instance what "
                "lesion_study returns, or a dictionary of such tables."
            )
        made = [panels for columns, panels in KINDS.items() if columns <= {*table.columns}]
        if not made or table.empty:
            raise ValueError(
                f"Received a table of {len(table)} rows with the columns "
                f"{', '.join(map(str, table.columns))}, expected what lesion_study, "
                "module_importance, gradient_by_length, sampled_path_gradients or prune(…).steps "
                "returned."
            )
        kinds.append(made[0])
    if len(set(kinds)) != 1:
        raise ValueError(
            f"Received {len(tables)} tables of {len(set(kinds))} kinds, expected one or more of "
            "one kind."
        )
    return kinds[0]


def _lesions(tables: Tables) -> list[Panel]:
    """Returns a panel for single lesions, for several at once, for orders, and for all others."""
    column, label = _measure(tables)
    present = [sweep for table in tables.values() for sweep, _ in _sweeps(table)]
    enough = {
        sweep for table in tables.values() for sweep, rows in _sweeps(table) if len(rows) >= FEWEST
    }
    single, several, order = (
        {sweep: label for sweep, label in names.items() if sweep in enough}
        for names in (SINGLE, SEVERAL, ORDER)
    )
    panels = []
    if single:
        only_deleted = [*single] == ["single_deletion"]  # then the axis says it
        names = {"single_deletion": ""} if only_deleted else single
        x = "Deleted module" if only_deleted else "Module"
        panels.append(Panel(partial(_draw_single, tables, column, names), x, label))
    if several:
        x = "Number of modules" + ("" if "random_duplication" in several else " deleted")
        panels.append(Panel(partial(_draw_several, tables, column, several), x, label))
    if order:
        x = "Kendall's τ of the order (1 is intact)"
        panels.append(Panel(partial(_draw_order, tables, column), x, label))
    others = {*present} - {*single, *several, *order}
    if others or not panels:
        panels.append(Panel(partial(_draw_each, tables, column, others), "Lesion", label))
    return panels


def _measure(tables: Tables) -> tuple[str, str]:
    """Returns the column to draw, and the name of its axis: the error, or the first measure."""
    columns = set()
    for table in tables.values():
        after = table.columns[table.columns.get_loc("n_examples") + 1]  # a metric, where no error
        columns.add("error_fraction" if "error_fraction" in table else str(after))
    if len(columns) != 1:
        raise ValueError(
            f"Received tables of different measures, {', '.join(sorted(columns))}, expected one."
        )
    column = columns.pop()
    return column, "Error (%)" if column == "error_fraction" else column


def _sweeps(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Returns the lesions of each sweep, but for the intact network."""
    return [(str(sweep), rows) for sweep, rows in table.groupby("sweep") if sweep != "intact"]


def _scaled(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Returns lesions with `error`, `low` and `high` as they are drawn: errors in percent."""
    if column != "error_fraction":
        return rows.assign(error=rows[column].astype(float), low=np.nan, high=np.nan)
    ends = {"error": column, "low": "error_low", "high": "error_high"}
    return rows.assign(**{name: 100 * rows[own].astype(float) for name, own in ends.items()})


def _label(name: str, what: str) -> str:
    """Returns the text of a legend: a table's name and what is drawn of it; "_" hides it."""
    return ": ".join(part for part in (name, what) if part) or "_"


def _draw_intact(axes: Axes, tables: Tables, column: str) -> None:
    """Draws what the intact network of each table does, and gives errors their range."""
    for name, table, look in _with_looks(tables):
        rows = table[table.sweep == "intact"]
        if len(rows):
            intact = float(_scaled(rows, column).error.iloc[0])
            errors.draw_intact(axes, intact, look.color, _label(name, "intact"))
    if column == "error_fraction":
        axes.set_ylim(0, 100)


def _with_looks(tables: Tables) -> list[tuple[str, pd.DataFrame, style.Look]]:
    """Returns the name, the table and the look of each."""
    pairs = zip(tables.items(), cycle(style.DISTINCT), strict=False)
    return [(name, table, look) for (name, table), look in pairs]


def _curves(tables: Tables, names: Mapping[str, str]) -> list[tuple[pd.DataFrame, style.Look, str]]:
    """Returns lesions, look and label of each curve; `names` says what sweeps are called."""
    curves = [
        (rows, _label(name, names[sweep]))
        for name, table in tables.items()
        for sweep, rows in _sweeps(table)
        if sweep in names
    ]
    pairs = zip(curves, cycle(style.DISTINCT), strict=False)
    return [(rows, look, label) for (rows, label), look in pairs]


def _draw_single(tables: Tables, column: str, names: Mapping[str, str], axes: Axes) -> None:
    for rows, look, label in _curves(tables, names):
        points = _scaled(rows, column).sort_values("module")
        errors.draw_curve(axes, points.module, points, look, label)
    _draw_intact(axes, tables, column)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_several(tables: Tables, column: str, names: Mapping[str, str], axes: Axes) -> None:
    for rows, look, label in _curves(tables, names):
        drawn = _scaled(rows, column).groupby("n_operations").error
        ends = pd.DataFrame([student(some) for _, some in drawn], columns=["low", "high"])
        points = drawn.mean().reset_index().join(ends)
        errors.draw_curve(axes, points.n_operations, points, look, label)
    _draw_intact(axes, tables, column)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_order(tables: Tables, column: str, axes: Axes) -> None:
    for rows, look, name in _curves(tables, ORDER):
        name = "" if name == "_" else name
        labels = _label(name, "one re-ordering"), _label(name, "mean of a bin")
        error = _scaled(rows, column).error.to_numpy(float)
        draw_reorderings(axes, rows.kendall_tau.to_numpy(float), error, look, labels)
    _draw_intact(axes, tables, column)
    axes.invert_xaxis()


def _draw_each(tables: Tables, column: str, sweeps: set[str], axes: Axes) -> None:
    texts: dict[str, int] = {}
    for name, table, look in _with_looks(tables):
        points = _scaled(table[table.sweep.isin(sweeps)], column)
        at = [texts.setdefault(text, len(texts)) for text in points.lesion]
        beyond = [(points.error - points.low).clip(0), (points.high - points.error).clip(0)]
        axes.errorbar(
            at,
            points.error,
            None if points.low.isna().any() else beyond,
            fmt=look.marker,
            color=look.color,
            capsize=2,
            label=_label(name, ""),
        )
    axes.set_xticks(range(len(texts)), list(texts), rotation=30, ha="right")
    axes.set_xlim(-0.5, max(len(texts), 1) - 0.5)
    _draw_intact(axes, tables, column)


def _importance(tables: Tables) -> list[Panel]:
    """Returns both estimates against the true cost, as Figure 16 has them."""

    def draw(estimate: str, axes: Axes) -> None:
        for name, rows, look in _with_looks(tables):
            draw_estimate(axes, rows, estimate, look, name)

    y = "Increase of the loss when deleted"
    return [Panel(partial(draw, estimate), x, y) for estimate, x in ESTIMATES.items()]


def _pruning(tables: Tables) -> list[Panel]:
    """Returns the cost of each step, with the number of the module that was deleted in it."""
    has_error = all("error_fraction" in table for table in tables.values())

    def draw(axes: Axes) -> None:
        for name, table, look in _with_looks(tables):
            cost = 100 * table.error_fraction if has_error else table.loss
            draw_steps(axes, table.module, cost, look, _label(name, ""))
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    x = "Number of modules deleted (above: which)"
    return [Panel(draw, x, "Error (%)" if has_error else "Loss")]


def _by_length(tables: Tables) -> list[Panel]:
    """Returns the share of the gradient by path length, beside the share of the paths."""

    def draw(axes: Axes) -> None:
        for name, table, look in _with_looks(tables):
            if len(table) > 1:  # the second length has a path for each module with a skip
                shares = [int(n) / 2 ** int(table.n_paths.iloc[1]) for n in table.n_paths]
                label = _label(name, "of the paths")
                style.authors_curve(axes, table.length, 100 * np.array(shares), label)
            label = _label(name, "of the gradient")
            style.curve(axes, table.length, 100 * table.share, look, label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return [Panel(draw, "Path length (modules)", "Share (%)")]


def _sampled(tables: Tables) -> list[Panel]:
    """Returns the gradients of single paths by length, and their mean norm."""

    def draw(axes: Axes) -> None:
        for name, table, look in _with_looks(tables):
            label = _label(name, "one path")
            style.dots(axes, table.length, table.log10_norm, look, label)
            means = table.groupby("length").log10_norm.agg(lambda x: log10_mean(x.to_numpy(), 0))
            style.curve(axes, means.index, means, look, _label(name, "mean norm"))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return [Panel(draw, "Path length (modules)", "log₁₀ of the norm of the gradient")]


KINDS: dict[frozenset, Callable[[Tables], list[Panel]]] = {
    frozenset({"sweep", "lesion", "module", "n_examples", "kendall_tau"}): _lesions,
    frozenset({"module", "block_influence", "first_order", "loss_increase"}): _importance,
    frozenset({"length", "n_paths", "share"}): _by_length,
    frozenset({"length", "sample", "log10_norm"}): _sampled,
    frozenset({"module", "n_examples", "loss"}): _pruning,
}
"""Columns by which a table is recognized, and its panels."""
