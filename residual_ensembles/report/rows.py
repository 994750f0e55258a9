"""A study's tables as text: networks, exactness, gates and provenance, as the page lists them."""

import json
from collections.abc import Mapping
from types import SimpleNamespace

import pandas as pd

from residual_ensembles.analysis import Tables
from residual_ensembles.figures.errors import repetitions
from residual_ensembles.report.numbers import NOTHING, duration, integer, number, percent


class Row(SimpleNamespace):
    """A row of a table of the page: its cells by name, as text."""


def network_rows(tables: Tables) -> list[Row]:
    """Returns one row per network and seed, with Wilson's interval of the intact error."""
    rows = []
    for run in tables.runs:
        intact = tables.sweep(run.network, "intact")
        intact = intact[intact.seed == run.seed]
        measured = intact.iloc[0] if len(intact) else None
        file = f"networks/{run.network}-{run.seed}/run.json"
        depth = run.facts.get("depth")
        rows.append(
            Row(
                network=run.network,
                seed=run.seed,
                model=f"{run.model}-{depth}" if depth else run.model,
                gating=run.gating.replace("_", " "),
                n_modules=integer(tables.n_modules(run.network) or None),
                n_parameters=integer(run.facts.get("n_parameters")),
                epochs=integer(run.facts.get("epochs")),
                error=NOTHING if measured is None else percent(measured.error_fraction),
                interval=""
                if measured is None
                else f"{percent(measured.error_low)} to {percent(measured.error_high)}",
                n_images=NOTHING if measured is None else integer(measured.n_images),
                training_time=duration(run.facts.get("seconds_training")),
                # Path from the page, empty where there is none.
                run_file=file if (tables.folder / file).exists() else "",
            )
        )
    return rows


def exactness_rows(tables: Tables) -> list[Row]:
    """Returns a row for each network and seed."""
    return [
        Row(
            network=str(row.network),
            seed=int(row.seed),
            precision=str(row.precision),
            n_lesions=integer(row.n_lesions),
            n_predictions=integer(row.n_predictions),
            close=f"{integer(row.n_close)} (within {number(row.rounding, 2)})",
            compared=_compared(row),
            difference=number(row.largest_relative_difference, 2),
            rounded=_changed(row),
            reevaluated=_reevaluated(row),
        )
        for row in tables.exactness.itertuples()
    ]


def gradient_sums(tables: Tables) -> str:
    """Returns how well the gradients by length add up; empty where there are none."""
    result = tables.gradient_sums
    if result.empty:
        return ""
    return (
        f"The exact gradients of all path lengths add up to the gradient of {len(result)} "
        "networks, snapshots of their training included, within "
        f"{number(result.largest_error.max(), 2)} of it, in each of {integer(result.n.sum())} "
        "batches."
    )


def _compared(row) -> str:
    result = f"{integer(row.n_different)} of {integer(row.n_compared)}"
    return result + (f", {integer(row.n_unexplained)} unexplained" if row.n_unexplained else "")


def _changed(row) -> str:
    if not row.n_rounded:
        return NOTHING
    share = percent(row.n_changed / row.n_rounded)
    return f"{share} ({integer(row.n_changed)} of {integer(row.n_rounded)})"


def _reevaluated(row) -> str:
    if row.precision != "cascade":
        return NOTHING
    return f"{integer(row.n_reevaluated)}, {integer(row.n_threshold_violations)} beyond"


def half_gate_rows(tables: Tables) -> list[Row]:
    """Returns a row for each residual network that was rescaled into a highway network."""
    return [
        Row(
            network=str(row.network),
            seed=int(row.seed),
            n_images=integer(row.n_images),
            difference=number(row.largest_relative_difference, 2),
            n_different=integer(row.n_different),
        )
        for row in tables.half_gates.itertuples()
    ]


def gate_rows(tables: Tables) -> list[Row]:
    """Returns two rows per highway network and seed; 1 is all residual, 0 all skip."""
    rows = []
    groups = tables.gates.groupby(["network", "seed", "bias"], sort=False)
    for (network, seed, bias), gates in groups:
        for when in ("before", "after"):
            values = gates.mean_gate[gates.when == when]
            if values.notna().any():
                rows.append(
                    Row(
                        network=str(network),
                        seed=int(seed),
                        bias=number(bias),
                        when=when,
                        mean=number(values.mean()),
                        lowest=number(values.min()),
                        highest=number(values.max()),
                    )
                )
    return rows


def flattened(parameters: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Returns nested parameters as one level, with dots between the names.

    >>> flattened({"train": {"epochs": 30}, "seeds": [0, 1]})
    {'train.epochs': '30', 'seeds': '0, 1'}
    """
    flat: dict[str, str] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            flat[f"{prefix}{name}"] = ", ".join(map(str, value))
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat


def _distinct(tables: Tables, name: str) -> list:
    """Returns the different values of a fact over the runs, in order."""
    values = [run.facts[name] for run in tables.runs if run.facts.get(name)]
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())


def provenance_rows(tables: Tables) -> list[tuple[str, str]]:
    """Returns (what, value) about images, code, versions, hardware and seeds of the networks."""
    rows = [("study", tables.study)]
    for dataset in _distinct(tables, "dataset"):
        rows += [(f"data set, {name}", value) for name, value in flattened(dataset).items()]
    for revision in _distinct(tables, "revision"):
        rows.append(("revision", str(revision)))
    for kind in ("versions", "hardware"):
        for facts in _distinct(tables, kind):
            rows += [(f"{kind}, {name}", value) for name, value in flattened(facts).items()]
    for stage, facts in tables.provenance.items():
        own = {name: facts.get(name) for name in ("engine", "threads_of_a_task", "tasks_by_node")}
        own = {name: value for name, value in own.items() if value is not None}
        what = stage.replace("_", " ")
        rows += [(f"{what}, {name}", value) for name, value in flattened(own).items()]
    seeds = sorted({run.seed for run in tables.runs})
    if seeds:
        rows.append(("seeds", ", ".join(map(str, seeds))))
    return rows


HEADER = (
    "network",
    "error intact, % (95 %)",
    "median of single deletions, %",
    "worst single deletion, % (module)",
    "10 deleted at random, %",
    "20 deleted, %",
)


def results_table(tables: Tables) -> str:
    """Returns errors of each network in percent, as a Markdown table.

    Args:
        tables: A study. Errors of several seeds are averaged, except for the interval of the intact
            network, which is shown for a single seed only.

    Example:
        >>> from residual_ensembles.analysis import read_tables
        >>> results_table(read_tables(results)).splitlines()[-1].split("|")[1:3]
        [' `resnet` ', ' 1.39 (0.59–3.21) ']
    """
    rows = [HEADER, ("---",) * len(HEADER)]
    rows += [_markdown_row(tables, network) for network in tables.networks]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _markdown_row(tables: Tables, network: str) -> tuple[str, ...]:
    single = tables.sweep(network, "single_deletion")
    by_module = single.groupby("lesion").error_fraction.mean()
    return (
        f"`{network}`",
        _intact(tables.sweep(network, "intact")),
        _percent(by_module.median()),
        f"{_percent(by_module.max())} ({by_module.idxmax().removeprefix('delete ')})",
        _deleted(tables.sweep(network, "random_deletion"), 10),
        _deleted(tables.sweep(network, "random_deletion"), 20),
    )


def _intact(rows: pd.DataFrame) -> str:
    if len(rows) == 1:
        row = rows.iloc[0]
        return (
            f"{_percent(row.error_fraction)} ({_percent(row.error_low)}–{_percent(row.error_high)})"
        )
    return f"{_percent(rows.error_fraction.mean())} (n={len(rows)})"


def _deleted(rows: pd.DataFrame, k: int) -> str:
    """Returns mean, standard deviation and number of the draws of k deleted modules, or seeds."""
    result = rows[rows.n_operations == k]
    if result.empty:
        return NOTHING
    errors, n_seeds = 100 * repetitions(result), result.seed.nunique()
    of = f"{n_seeds} seeds" if n_seeds > 1 else len(errors)
    return f"{errors.mean():.1f} ± {errors.std():.1f} (n={of})"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"
