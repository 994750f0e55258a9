"""What each module is worth: cheap estimates beside the true cost of its deletion."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from residual_ensembles.lesions import Lesion, deletable
from residual_ensembles.lesions.examples import packed_examples
from residual_ensembles.paths.loss import cross_entropy
from residual_ensembles.pruning.costs import costs_of, targets_for
from residual_ensembles.pruning.first_order import first_order
from residual_ensembles.pruning.influence import block_influence

ESTIMATES = ("block_influence", "first_order")
TRUE_COSTS = ("loss_increase", "error_increase")
COLUMNS = ("network", "seed", "module", "name", *ESTIMATES, *TRUE_COSTS)
"""Of worth.csv."""
PICTURES = 2000
"""On which the worth of modules is estimated in a study: enough to rank them."""


def worth(
    chain, inputs, targets, *, loss: Callable | None = None, batch_size: int = 32, **options
) -> pd.DataFrame:
    """Returns what the modules of a network are worth, one row for each that can be deleted.

    Args:
        chain: The network; nothing about it changes.
        inputs: As its model takes them.
        targets: Class of each example, or what the loss compares with.
        loss: From outputs `(batch, numbers)` and targets of a batch to its mean loss; None for the
            cross entropy of class labels.
        batch_size: Examples that pass together for the estimates.
        **options: Of the lesions, as for `outputs_of`: precision, memory_bytes, executor, progress.

    Returns:
        `module` (number), `name`, `block_influence`, `first_order` (estimated increase of the
        loss), `loss_increase` and, for class labels, `error_increase` (fraction): what deleting it
        costs in truth.

    Raises:
        ValueError: Targets are not class labels, and there is no loss for others.
    """
    packed = packed_examples(chain, inputs)
    targets = targets_for(chain, targets, len(packed), loss)
    numbers = deletable(chain)
    lesions = [Lesion(), *(Lesion(deletions=[i]) for i in numbers)]
    true = costs_of(chain, lesions, packed, targets, loss, **options)
    mean_loss = cross_entropy(chain) if loss is None else loss
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
