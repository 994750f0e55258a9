"""Cancellation between the gradients of paths of one length."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.analysis.gradient_readings import final_gradients, is_complete, log10_counts
from residual_ensembles.figures import fig6_path_gradients, style
from residual_ensembles.figures.figure_spec import FigureSpec


def both(tables: Tables) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns log10 of (mean norm × number of paths, norm of their sum) by length, per run."""
    result = []
    for network in tables.plain:
        n = tables.n_modules(network)
        for run in tables.of(network):
            sampled = final_gradients(tables, network, run.seed, "sampled")
            exact = final_gradients(tables, network, run.seed, "exact")
            if is_complete(sampled, n) and is_complete(exact, n):
                apart = sampled.log10_norm.to_numpy(float) + log10_counts(n)
                result.append((apart, exact.log10_norm.to_numpy(float)))
    return result


def canceled(tables: Tables) -> list[pd.DataFrame]:
    """Returns the log10 of how much cancels by length, with its interval over batches, per run."""
    rows = tables.gradient_cancellation
    rows = rows[rows.network.isin(tables.plain) & (rows.target == "y0")]
    rows = rows[rows.batch_norm.eq("inference") | ~rows.batch_norm.eq("inference").any()]
    return [
        pd.DataFrame(
            {
                "length": of_run.length,
                "canceled": -of_run.log10_kept,
                "low": -of_run.log10_kept_high,
                "high": -of_run.log10_kept_low,
            }
        ).sort_values("length", ignore_index=True)
        for _, of_seed in rows.groupby(["network", "seed"], sort=False)
        for of_run in [of_seed[of_seed.epoch == of_seed.epoch.max()]]
    ]


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws both amounts on the left, and the ratio between them on the right."""
    figure = Figure(figsize=(7.2, 3.2))
    left, right = figure.subplots(1, 2)
    runs = both(tables)
    names = "mean norm × number of paths (sampled)", "norm of their sum (exact)"
    for run in runs:
        for amount, look, name in zip(run, (style.PLAIN, style.EXACT), names, strict=True):
            style.curve(left, np.arange(len(amount)), amount, look, name)
        names = "_", "_"
    for rows in canceled(tables):
        style.curve(right, rows.length, rows.canceled, style.PROJECTED, "_", rows.low, rows.high)
    for axes in (left, right):
        if not axes.lines:
            style.missing(axes, "needs sampled and exact\npath gradients")
        axes.set_xlabel("Path length (modules)")
    left.set_ylabel("log₁₀ of the amount of gradient")
    right.set_ylabel("log₁₀ of how much cancels")
    right.set_title("0: nothing cancels; 1: nine tenths do")
    if runs:
        left.legend(loc="lower center", fontsize=7.5)
    style.caption(figure, fig6_path_gradients.measurements(tables))
    return figure


def finding(tables: Tables) -> str:
    """Returns a sentence on the number of lengths at which most of the gradient cancels."""
    sentences = []
    for rows in canceled(tables):
        most = int((rows.canceled > 1).sum())
        least = rows.loc[rows.canceled.idxmin()]
        sentences.append(
            f"Nine tenths or more cancel at {most} of {len(rows)} lengths; where least of it does, "
            f"at length {least.length:.0f}, {100 * 10**-least.canceled:.0f} % is left."
        )
    return " ".join(sentences)


FIGURE = FigureSpec(
    name="fig10_cancellation",
    title="Gradients of paths cancel",
    paper="The paper multiplies the mean norm of a path by the number of paths; gradients that "
    "point against each other count there, but not in their sum.",
    table="path_gradients_cancellation.csv",
    draw=draw,
    rests_on=fig6_path_gradients.measurements,
    finding=finding,
)
