"""What deleting a module costs: error with the lesion minus error of the intact network."""

import pandas as pd
from scipy.stats import norm

from residual_ensembles.analysis.additive import additive_prediction
from residual_ensembles.analysis.finite import changes
from residual_ensembles.analysis.paired import difference_interval, score
from residual_ensembles.analysis.tables import Tables, deleted
from residual_ensembles.backend import extras

BARELY = 0.02
"""Two points of error: what one module may cost and still barely matter."""


def _unpaired(lesion, intact) -> tuple[float, float]:
    """Returns Newcombe's interval from the errors of two rows, each on its own pictures.

    Of a sample in which some pictures are more frequent it counts all, though they say a little
    less: how many of each kind there were is not in the table. That it treats the two as
    independent makes it wider by more.
    """
    extras.require("figures", "statsmodels")
    from statsmodels.stats.proportion import confint_proportions_2indep

    low, high = confint_proportions_2indep(
        lesion.error_fraction * lesion.n_images,
        lesion.n_images,
        intact.error_fraction * intact.n_images,
        intact.n_images,
        method="newcomb",
        compare="diff",
    )
    return float(low), float(high)


def single_costs(tables: Tables, network: str, seed: int) -> pd.DataFrame:
    """Returns the cost of every single deletion of one network.

    Where predictions were kept, the interval is Tango's for the same pictures, and `p_barely`
    that of his one-sided test of a cost of no more than BARELY, over the pictures that the lesion
    was evaluated on. If these are a sample in which the intact network's errors are more frequent,
    it counts for as many as could be drawn alike from it: see `Changes.n_alike`. From counts alone
    the interval is Newcombe's for independent samples, which is wider, and `p_barely` is missing.

    Returns:
        Columns module (from 1), error, cost, low, high (fractions), p_barely, n_images; sorted by
        module, empty where the intact network or the single deletions are missing.
    """
    rows = tables.lesions[(tables.lesions.network == network) & (tables.lesions.seed == seed)]
    rows = rows.reset_index(drop=True)  # now the index is the row of the predictions
    intact = rows[rows.sweep == "intact"]
    singles = rows[rows.sweep == "single_deletion"]
    columns = ["module", "error", "cost", "low", "high", "p_barely", "n_images"]
    if intact.empty or singles.empty:
        return pd.DataFrame(columns=columns)
    base = intact.iloc[0]
    wrong, known = tables.wrong(network, seed), tables.known(network, seed)
    costs = []
    for row in singles.itertuples():
        n, p = int(row.n_images), None
        if wrong is None:
            low, high = _unpaired(row, base)
        else:
            before = intact.index[0]
            of_lesion, seen, of_intact = (
                each[known[before]] for each in (wrong[row.Index], known[row.Index], wrong[before])
            )
            found = changes(of_lesion, seen, of_intact)
            n, alike = found.n_known, (*found.alike(), found.n_alike)
            low, high = difference_interval(*alike)
            p = float(norm.sf(score(*alike, BARELY)))
        cost = float(row.error_fraction - base.error_fraction)
        (module,) = deleted(row.lesion)
        costs.append((module, float(row.error_fraction), cost, low, high, p, n))
    return pd.DataFrame(costs, columns=columns).sort_values("module", ignore_index=True)


def predicted_and_real(tables: Tables, network: str, seed: int) -> pd.DataFrame:
    """Sets the additive prediction beside the real cost of every random deletion.

    Returns:
        Columns sweep, n_operations, predicted, real (fractions above the intact error); empty where
        a table lacks what it takes.
    """
    rows = tables.lesions[(tables.lesions.network == network) & (tables.lesions.seed == seed)]
    intact = rows[rows.sweep == "intact"]
    singles = rows[rows.sweep == "single_deletion"]
    random = rows[rows.sweep.isin(["random_deletion", "random_deletion_sparing"])]
    columns = ["sweep", "n_operations", "predicted", "real"]
    if intact.empty or singles.empty or random.empty:
        return pd.DataFrame(columns=columns)
    base = float(intact.error_fraction.iloc[0])
    costs = {
        module: float(row.error_fraction) - base
        for row in singles.itertuples()
        for module in deleted(row.lesion)
    }
    values = [
        (row.sweep, int(row.n_operations), additive_prediction(costs, modules), real - base)
        for row in random.itertuples()
        for modules, real in [(deleted(row.lesion), float(row.error_fraction))]
        if set(modules) <= set(costs)
    ]
    return pd.DataFrame(values, columns=columns)
