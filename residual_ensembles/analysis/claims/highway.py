"""Claims 19 and 20: highway networks (Sections 2 and 5)."""

import pandas as pd

from residual_ensembles.analysis.claims.claim import (
    Claim,
    Measurement,
    at_most,
    below,
)
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.statistics.intervals import Estimate, over_seeds, student


def lean(gates: pd.DataFrame) -> Estimate | None:
    """Returns how far training moved the mean gate of one network; below 0 is towards the skip.

    Args:
        gates: Rows of gates.csv of one network and seed.
    """
    table = gates.pivot_table(index="module", columns="when", values="mean_gate")
    if not {"before", "after"} <= set(table.columns):
        return None
    moved = (table.after - table.before).dropna()
    return Estimate(float(moved.mean()), *student(moved), len(moved), "modules")


def _leans(tables: Tables) -> list[Measurement]:
    measurements = []
    for (network, bias), gates in tables.gates.groupby(["network", "bias"], sort=False):
        joined = over_seeds([e for _, g in gates.groupby("seed") if (e := lean(g)) is not None])
        if joined is None:
            continue
        means = gates.groupby("when").mean_gate.mean()
        note = (
            f"Gate bias {bias:g}. Mean gate {means['before']:.3f} before training, "
            f"{means['after']:.3f} after; above 0.5 would lean towards the residual."
        )
        measurements.append(Measurement(str(network), joined, note))
    return measurements


RESCALING = (
    "With c = 2^-(i-1), the batch norm that module i begins with gets mean' = c·mean, var' = "
    "c²·var and gamma' = gamma·√(var' + ε)/(c·√(var + ε)), and its last convolution c times its "
    "weights; the head's batch norm is rescaled in the same way, with c = 2^-n. Behind module i, "
    "activations are then 2^-i of the residual network's, and the logits are the same."
)
"""How a residual network becomes a highway network with gates at ½, in models/highway_twin.py."""


def _identities(tables: Tables) -> list[Measurement]:
    """The largest difference of any seed: an identity holds for each network or not at all."""
    measurements = []
    for network, rows in tables.half_gates.groupby("network", sort=False):
        largest = float(rows.largest_relative_difference.max())
        n = int(rows.n_images.sum())
        note = f"Of {n} predictions {int(rows.n_different.sum())} differ. {RESCALING}"
        estimate = Estimate(largest, largest, largest, n, "point")
        measurements.append(Measurement(str(network), estimate, note))
    return measurements


CLAIMS = (
    Claim(
        id="19",
        statement="Highway gates learn to lean towards the skip, beyond where their bias put them.",
        source="Section 5",
        figure="",
        paper_value=None,
        measure="Mean over modules of the gate after training minus the gate before, on validation "
        "images, over seeds",
        target=below(0),
        find=_leans,
        settle="Three seeds or more, for the usual bias and for bias 0.",
        of_training=True,
    ),
    Claim(
        id="20",
        statement="A highway module whose gate is ½ is a residual module at half the scale, and a "
        "network of them equals a residual one after rescaling.",
        source="Section 2",
        figure="",
        paper_value=0.0,
        measure="Largest difference of any logit between a trained residual network and the "
        "highway network made from it, all gates at ½, as a share of the image's largest logit, "
        "on test images in float32",
        target=at_most(1e-5),
        find=_identities,
        settle="A pre-activation residual network among lesion.networks.",
        revised="declared before, with this target, and without a measurement; what exactly is "
        "compared was written with the check that measures it.",
    ),
)
