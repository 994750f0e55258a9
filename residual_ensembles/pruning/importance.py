"""What each module is worth: cheap estimates beside the true cost of its deletion."""

import numpy as np
import pandas as pd
from scipy import stats

from residual_ensembles.lesions import Lesion, deletable
from residual_ensembles.lesions.examples import as_arrays, packed_examples
from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.pruning.costs import costs_of
from residual_ensembles.pruning.first_order import first_order
from residual_ensembles.pruning.influence import block_influence

ESTIMATES = ("block_influence", "first_order")
TRUE_COSTS = ("loss_increase", "error_increase")
COLUMNS = ("network", "seed", "module", "name", *ESTIMATES, *TRUE_COSTS)
"""Of worth.csv."""
PICTURES = 2000
"""On which the worth of modules is estimated in a study: enough to rank them."""


def worth(
    chain, inputs, targets=None, *, loss=None, batch_size: int = 32, **options
) -> pd.DataFrame:
    """Returns what the modules of a network are worth, one row for each that can be deleted.

    Args:
        chain: The network; nothing about it changes.
        inputs: As its model takes them; or a data set, as for `lesion_study`.
        targets: Class of each example, or what the loss compares with; None for those of a data
            set.
        loss: Whatever `keras.losses.get` takes: a name, an object, or a function of (y_true,
            y_pred). None for the loss that the model was compiled with, else the cross entropy of
            class labels, else the mean squared error.
        batch_size: Examples that pass together for the estimates.
        **options: Of the lesions, as for `outputs_of`: precision, memory_bytes, executor, progress.

    Returns:
        `module` (number), `name`, `block_influence`, `first_order` (estimated increase of the
        loss), `loss_increase` and, for class labels where no loss was said, `error_increase`
        (fraction): what deleting it costs in truth. `table.attrs["loss"]` is the name of the loss.

    Raises:
        ValueError: There is no such loss, or targets do not fit it and the outputs.
    """
    inputs, targets = as_arrays(chain, inputs, targets)
    packed, mean_loss = packed_examples(chain, inputs), MeanLoss(chain, loss, targets)
    labels = mean_loss.labels(targets, len(packed))
    targets = mean_loss.targets(targets, len(packed))
    numbers = deletable(chain)
    lesions = [Lesion(), *(Lesion(deletions=[i]) for i in numbers)]
    true = costs_of(chain, lesions, packed, targets, mean_loss, labels, **options)
    places = np.array(numbers) - 1
    modules = [chain.modules[place] for place in places]
    table = pd.DataFrame(
        {
            "module": numbers,
            "name": [module.title for module in modules],
            "block_influence": block_influence(chain, packed, batch_size)[places],
            "first_order": first_order(chain, packed, targets, mean_loss, batch_size)[places],
            "loss_increase": true.loss[1:] - true.loss[0],
        }
    )
    if true.n_wrong is not None:
        table["error_increase"] = (true.n_wrong[1:] - true.n_wrong[0]) / len(packed)
    table.attrs["loss"] = mean_loss.name
    return table


def rank_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Returns how each estimate ranks the modules compared with their true cost.

    Args:
        table: From `worth`.

    Returns:
        `estimate, cost, spearman, kendall, n`; NaN where one of the two is the same everywhere.
    """
    rows = []
    for estimate in ESTIMATES:
        for cost in (name for name in TRUE_COSTS if name in table):
            pair = table[estimate], table[cost]
            varied = min(column.nunique() for column in pair) > 1
            spearman = stats.spearmanr(*pair).statistic if varied else np.nan
            kendall = stats.kendalltau(*pair).statistic if varied else np.nan
            rows.append((estimate, cost, spearman, kendall, len(table)))
    return pd.DataFrame(rows, columns=["estimate", "cost", "spearman", "kendall", "n"])


def named(table: pd.DataFrame, network: str, seed: int) -> pd.DataFrame:
    """Returns a table of one network as it stands in a study's."""
    return table.assign(network=network, seed=seed)[["network", "seed", *table.columns]]


def chosen_on(prepared) -> tuple[np.ndarray, np.ndarray]:
    """Returns pictures and labels that choices are made on: of the validation part, or of train.

    Args:
        prepared: Prepared data.
    """
    part = prepared.part("validation")
    part = part if len(part) else prepared.part("train")
    chosen = slice(0, min(PICTURES, len(part)))
    return part.pictures(chosen), part.labels[chosen]
