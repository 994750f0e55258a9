"""What each module is worth: cheap estimates beside the true cost of its deletion."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from residual_ensembles.lesions import Lesion, deletable
from residual_ensembles.lesions.grid import MEMORY_BYTES
from residual_ensembles.models.examples import as_arrays, packed_examples
from residual_ensembles.models.protocols import ChainLike, check_chain
from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.pruning.costs import Computing, costs_of
from residual_ensembles.pruning.first_order import first_order
from residual_ensembles.pruning.influence import block_influence
from residual_ensembles.runtime.calls import Verbose, executor_for, progress_bar
from residual_ensembles.runtime.executor import Executor

ESTIMATES = ("block_influence", "first_order")
TRUE_COSTS = ("loss_increase", "error_increase")
COLUMNS = ("network", "seed", "module", "name", *ESTIMATES, *TRUE_COSTS)
"""Of worth.csv."""
PICTURES = 2000
"""On which the worth of modules is estimated in a study: enough to rank them."""


def worth(
    chain: ChainLike,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    batch_size: int = 32,
    precision: str = "float32",
    memory_bytes: int = MEMORY_BYTES,
    n_jobs: int | None = None,
    verbose: Verbose = "auto",
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Returns what the modules of a network are worth, one row for each that can be deleted.

    Args:
        chain: The network; nothing about it changes.
        x: Inputs as `keras.Model.predict` takes them, as for `lesion_study`.
        y: Class of each example, numbers or one-hot, or what the loss compares with; None for those
            of a data set.
        loss: Whatever `keras.losses.get` takes: a name, an object, or a function of (y_true,
            y_pred); for several outputs a list or a dictionary of that too. None for the loss that
            the model was compiled with, else the cross entropy of class labels, else the mean
            squared error.
        batch_size: Examples that pass together for the estimates.
        precision: Of the deletions, "float32" or "bfloat16"; estimates are float32.
        memory_bytes: What activations of the deletions may take, in each process.
        n_jobs: As in scikit-learn: None or 1 computes in this process, -1 in one on each processor.
        verbose: 1 for a progress bar, 0 for none, "auto" for one in terminals and notebooks.
        executor: What computes in place of `n_jobs`, for instance a cluster; it is left open.

    Returns:
        `module` (number from 1), `name`, `block_influence` (one minus a cosine, 0..2; Men et al.
        2024, equation 1), `first_order` (estimated increase of the mean loss; Molchanov et al.
        2017, equation 4), `loss_increase` and, for class labels where no loss was said,
        `error_increase` (fraction): what deleting it costs in truth. `table.attrs["loss"]` is the
        name of the loss.

    Raises:
        TypeError: `chain` is none.
        ValueError: There is no such loss, or targets do not fit it and the outputs.
        ArithmeticError: The loss or an output is not finite.

    Example:
        >>> import keras, numpy as np
        >>> from residual_ensembles import unravel, worth
        >>> x = keras.Input((4,))
        >>> y = keras.layers.Add(name="first")([x, keras.layers.Dense(4, activation="relu")(x)])
        >>> y = keras.layers.Add(name="second")([y, keras.layers.Dense(4, activation="relu")(y)])
        >>> chain = unravel(keras.Model(x, keras.layers.Dense(3)(y)))
        >>> examples = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
        >>> table = worth(chain, examples, np.arange(20) % 3, verbose=0)
        >>> table[["module", "name"]]
           module    name
        0       1   first
        1       2  second
        >>> table.attrs["loss"]
        'cross_entropy'
    """
    check_chain(chain)
    x, y = as_arrays(chain, x, y)
    packed, mean_loss = packed_examples(chain, x), MeanLoss(chain, loss, y)
    labels = mean_loss.labels(y, len(packed))
    targets = mean_loss.targets(y, len(packed))
    numbers = deletable(chain)
    lesions = [Lesion(), *(Lesion(deletions=[i]) for i in numbers)]
    title = f"{chain.name}: {len(lesions)} lesions"
    with (
        executor_for(n_jobs, executor) as computes,
        progress_bar(verbose, len(lesions) * len(packed), title) as advance,
    ):
        computing = Computing(computes, precision, memory_bytes, progress=advance)
        true = costs_of(chain, lesions, packed, targets, mean_loss, labels, computing)
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
        `estimate, cost, spearman, kendall, n` (modules); NaN where one of the two is the same
        everywhere.

    Example:
        >>> import pandas as pd
        >>> columns = ["block_influence", "first_order", "loss_increase"]
        >>> table = pd.DataFrame([[0.1, 3, 1.0], [0.2, 2, 2.0], [0.3, 1, 4.0]], columns=columns)
        >>> rank_correlations(table)[["estimate", "spearman", "n"]]
                  estimate  spearman  n
        0  block_influence       1.0  3
        1      first_order      -1.0  3
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


def chosen_on(prepared: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns pictures and labels that choices are made on: of the validation part, or of train.

    Args:
        prepared: Prepared data.
    """
    part = prepared.part("validation")
    part = part if len(part) else prepared.part("train")
    chosen = slice(0, min(PICTURES, len(part)))
    return part.pictures(chosen), part.labels[chosen]
