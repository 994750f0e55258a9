"""The networks of a study, and the gates of its highway networks, as the page lists them."""

from typing import NamedTuple

from residual_ensembles.analysis import Tables
from residual_ensembles.analysis.tables import Run
from residual_ensembles.report.numbers import (
    NOTHING,
    duration,
    integer,
    is_missing,
    number,
    percent,
)


class NetworkRow(NamedTuple):
    """One trained network, in words."""

    network: str
    seed: int
    model: str
    gating: str
    n_modules: str
    n_parameters: str
    epochs: str
    error: str
    interval: str
    n_images: str
    training_time: str
    run_file: str
    """Path of its run.json from the page, empty where there is none."""


def _model(run: Run) -> str:
    depth = run.facts.get("depth")
    return f"{run.model}-{depth}" if depth else run.model


def network_rows(tables: Tables) -> list[NetworkRow]:
    """Returns one row per network and seed, with Wilson's interval of the intact error."""
    rows = []
    for run in tables.runs:
        intact = tables.sweep(run.network, "intact")
        intact = intact[intact.seed == run.seed]
        measured = intact.iloc[0] if len(intact) else None
        file = f"networks/{run.network}-{run.seed}/run.json"
        rows.append(
            NetworkRow(
                network=run.network,
                seed=run.seed,
                model=_model(run),
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
                run_file=file if (tables.folder / file).exists() else "",
            )
        )
    return rows


class ExactnessRow(NamedTuple):
    """Exactness of one network's lesions, as text."""

    network: str
    seed: int
    precision: str
    n_lesions: str
    n_predictions: str
    close: str
    compared: str
    difference: str
    rounded: str
    reevaluated: str


def exactness_rows(tables: Tables) -> list[ExactnessRow]:
    """Returns a row for each network and seed."""
    return [
        ExactnessRow(
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
    """Says how well the gradients by length add up; nothing where none were taken apart."""
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


class HalfGateRow(NamedTuple):
    """A residual network against the highway network that equals it."""

    network: str
    seed: int
    n_images: str
    difference: str
    n_different: str


def half_gate_rows(tables: Tables) -> list[HalfGateRow]:
    """Returns a row for each residual network that was rescaled into a highway network."""
    return [
        HalfGateRow(
            network=str(row.network),
            seed=int(row.seed),
            n_images=integer(row.n_images),
            difference=number(row.largest_relative_difference, 2),
            n_different=integer(row.n_different),
        )
        for row in tables.half_gates.itertuples()
    ]


class GateRow(NamedTuple):
    """The gates of one highway network before or after training."""

    network: str
    seed: int
    bias: str
    when: str
    mean: str
    lowest: str
    highest: str


def gate_rows(tables: Tables) -> list[GateRow]:
    """Returns two rows per highway network and seed; 1 is all residual, 0 all skip."""
    rows = []
    groups = tables.gates.groupby(["network", "seed", "bias"], sort=False)
    for (network, seed, bias), gates in groups:
        for when in ("before", "after"):
            values = gates.mean_gate[gates.when == when]
            if len(values) and not is_missing(values.mean()):
                ends = (number(v) for v in (values.mean(), values.min(), values.max()))
                rows.append(GateRow(str(network), int(seed), number(bias), when, *ends))
    return rows
