"""Cost of deleting a module: error with the lesion minus error of the intact network."""

from collections.abc import Iterable, Mapping

import pandas as pd
from scipy.stats import norm

from residual_ensembles.analysis.tables import Tables, deleted
from residual_ensembles.arguments import checked
from residual_ensembles.backend import extras
from residual_ensembles.statistics.finite_population import changes
from residual_ensembles.statistics.paired import difference_interval, score


@checked
def additive_prediction(costs: Mapping[int, float], deleted: Iterable[int]) -> float:
    """Returns the sum of the single costs of the deleted modules.

    If the modules of a random deletion did not depend on each other, and errors stayed small, this
    is what it would add to the error. Its rank correlation with the real cost, against that of the
    number of modules alone, says how much it matters *which* modules are deleted.

    Args:
        costs: Error of each single deletion minus the intact error, by module (from 1).
        deleted: The deleted modules.

    Example:
        >>> round(additive_prediction({1: 0.3, 2: 0.01, 3: 0.02}, [2, 3]), 4)
        0.03
    """
    return float(sum(costs[module] for module in deleted))


BARELY = 0.02
"""Largest cost of a module that barely matters: two points of error."""


def _unpaired(lesion, intact) -> tuple[float, float]:
    """Returns Newcombe's interval from the errors of two rows, each on its own images.

    Of a sample in which some images are more frequent it counts all, though their effective sample
    size is a little smaller, as the table does not have the counts of each kind. Treating the two
    errors as independent widens the interval by more than that.
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


@checked
def single_costs(tables: Tables, network: str, seed: int) -> pd.DataFrame:
    """Returns the cost of every single deletion of one network.

    Where predictions were kept, the interval is Tango's for the same images, and `p_barely`
    that of his one-sided test of a cost of no more than BARELY, over the images that the lesion
    was evaluated on. If these are a sample in which the intact network's errors are more frequent,
    it counts for as many as could be drawn uniformly from it: `Changes.effective_sample_size`.
    From counts alone the interval is Newcombe's for independent samples, which is wider, and
    `p_barely` is missing.

    Returns:
        Columns module (from 1), error, cost, low, high (fractions), p_barely, n_images; sorted by
        module, empty where the intact network or the single deletions are missing.

    Example:
        >>> from residual_ensembles.analysis import read_tables
        >>> costs = single_costs(read_tables(results), "resnet", 0)
        >>> costs[["module", "cost"]].head(3).round(3).values.tolist()
        [[1.0, 0.528], [2.0, 0.233], [3.0, 0.003]]
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
        if wrong is None or known is None:
            low, high = _unpaired(row, base)
        else:
            before = intact.index[0]
            of_lesion, seen, of_intact = (
                each[known[before]] for each in (wrong[row.Index], known[row.Index], wrong[before])
            )
            result = changes(of_lesion, seen, of_intact)
            n, counts = result.n_known, (*result.equivalent_counts(), result.effective_sample_size)
            low, high = difference_interval(*counts)
            p = float(norm.sf(score(*counts, BARELY)))
        cost = float(row.error_fraction - base.error_fraction)
        (module,) = deleted(row.lesion)
        costs.append((module, float(row.error_fraction), cost, low, high, p, n))
    return pd.DataFrame(costs, columns=columns).sort_values("module", ignore_index=True)


@checked
def predicted_and_real(tables: Tables, network: str, seed: int) -> pd.DataFrame:
    """Returns the additive prediction and the real cost of every random deletion.

    Returns:
        Columns sweep, n_operations, predicted, real (fractions above the intact error); empty where
        a table lacks what it takes.

    Example:
        >>> from residual_ensembles.analysis import read_tables
        >>> table = predicted_and_real(read_tables(results), "resnet", 0)
        >>> table.query("n_operations == 20")[["predicted", "real"]].mean().round(2).tolist()
        [0.27, 0.72]
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
