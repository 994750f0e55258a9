"""Module importance: cheap estimates beside the true cost of a deletion."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import pandas as pd
from keras import ops, tree
from scipy import stats

from residual_ensembles import backend
from residual_ensembles.arguments import checked
from residual_ensembles.backend.precision import compiled
from residual_ensembles.lesions import Lesion, deletable, outputs_of
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES
from residual_ensembles.lesions.metric import Comparison, comparison, metrics_for, results, update
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.examples import as_arrays, packed_examples
from residual_ensembles.models.types import Inputs, Loss, Metric, Targets, Tensor
from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.runtime.calls import Verbose, executor_for, progress_bar
from residual_ensembles.runtime.executor import Executor


class Costs(NamedTuple):
    """Errors and loss after each lesion, `(n_lesions,)` each."""

    n_wrong: np.ndarray | None
    """Misclassified examples; None where targets are not class labels."""
    loss: np.ndarray
    """Mean loss."""
    metrics: dict[str, np.ndarray]
    """Further metrics by name, which are reported but do not select modules."""

    def order(self) -> np.ndarray:
        """Returns the positions of the lesions, sorted by errors and then by loss."""
        if self.n_wrong is None:
            return np.argsort(self.loss)
        return np.lexsort((self.loss, self.n_wrong))


class Examples:
    """Examples with the loss, labels and metrics that lesions are evaluated with."""

    def __init__(
        self,
        chain: Chain,
        inputs: Inputs,
        y: Targets,
        loss: MeanLoss | Loss | None,
        metric: Metric | None = (),
    ):
        self.chain, self.y = chain, y
        self.packed = packed_examples(chain, inputs)
        n = len(self.packed)
        self.loss = loss if isinstance(loss, MeanLoss) else MeanLoss(chain, loss, y)
        self.targets = self.loss.targets(y, n)
        self.labels = self.loss.labels(y, n)
        self.compared = Comparison(self.labels)
        if metric is not None or chain.compiled_with.metrics:
            self.compared = comparison(chain, y, metric, n)._replace(labels=self.labels)

    def costs(self, lesions: Sequence[Lesion], **options) -> Costs:
        """Returns error, loss and metrics after each lesion; options are those of `outputs_of`."""
        chain, sums, n_wrong = self.chain, np.zeros(len(lesions)), np.zeros(len(lesions), int)
        n_examples = len(self.packed)
        metrics, wanted = metrics_for(chain, self.compared, self.y, n_examples, len(lesions))
        for some, outputs in outputs_of(chain, lesions, self.packed, **options):
            update(chain, metrics, wanted, some, outputs)
            these = tree.map_structure(
                lambda x, some=some: ops.convert_to_tensor(x[some]), self.targets
            )
            n = some.stop - some.start
            for i, made in enumerate(outputs):
                sums[i] += n * float(self.loss(these, ops.convert_to_tensor(made)))
            if self.labels is not None:
                n_wrong += (outputs.argmax(axis=2) != self.labels[some]).sum(axis=1)
        if not np.isfinite(sums).all():
            lesion = lesions[int(np.flatnonzero(~np.isfinite(sums))[0])]
            raise ArithmeticError(
                f"The loss {self.loss.name} of {chain.name} is not finite after the lesion "
                f"{str(lesion)!r}, expected a number: look for targets that the loss cannot take."
            )
        measured = {name: np.array(values) for name, values in results(metrics).items()}
        return Costs(n_wrong if self.labels is not None else None, sums / n_examples, measured)


def _mean_over_batches(function: Callable, examples: tuple, batch_size: int) -> np.ndarray:
    n = len(tree.flatten(examples)[0])
    parts = [slice(i, min(i + batch_size, n)) for i in range(0, n, batch_size)]
    values = [
        np.asarray(function(*tree.map_structure(lambda each, p=p: each[p], examples)))
        for p in parts
    ]
    return np.average(values, axis=0, weights=[p.stop - p.start for p in parts])


def block_influence(chain: Chain, inputs: Tensor, batch_size: int = 32) -> np.ndarray:
    """Returns the block influence of each module, 0..2, `(n_modules,)`, by one forward pass.

    One minus the cosine between what enters and what leaves (ShortGPT, arXiv 2403.03853, equation
    1), along the channels at each position of a map or a sequence, averaged over positions and
    examples. Where a module changes the shape, the output of its skip replaces what enters.
    """
    influence = backend.compile(lambda x: _influence_of_batch(chain, x))
    return _mean_over_batches(influence, (inputs,), batch_size)


def _influence_of_batch(chain, x):
    y, result = chain.stem(x, training=False), []
    for module, segment in zip_longest(chain.modules, chain.segments):
        left = module(y, training=False)
        before, after = module.stream(y), module.output_stream(left)
        if before.shape[1:] != after.shape[1:]:
            before = module.output_stream(module.deleted(y, training=False))
        result.append(1.0 - ops.mean(_cosine(before, after, module.channel_axis)))
        y = left if segment is None else segment(left, training=False)
    return ops.stack(result)


def _cosine(a, b, axis: int):
    """Returns the cosine along an axis; 1 where both vectors are 0, and equal."""
    a, b = ops.cast(a, "float32"), ops.cast(b, "float32")
    sizes = ops.sqrt(ops.sum(a * a, axis) * ops.sum(b * b, axis))
    same = ops.cast(ops.all(a == b, axis), "float32")
    return ops.where(sizes > 0, ops.sum(a * b, axis) / ops.maximum(sizes, 1e-30), same)


def first_order(
    chain: Chain, inputs: Tensor, targets: Targets, loss: Callable, batch_size: int = 32
) -> np.ndarray:
    """Returns the estimated change of the mean loss by each module's deletion, `(n_modules,)`.

    The gradient of the loss with respect to the sum, times the change of the sum by the deletion,
    which is the negative residual (Molchanov et al. 2017, equation 4, with the sign kept). It takes
    one pass forward and one backward.
    """
    estimate = compiled(lambda x, t: _first_order_of_batch(chain, x, t, loss))
    return _mean_over_batches(estimate, (inputs, targets), batch_size)


def _first_order_of_batch(chain, x, targets, loss: Callable):
    changes = []  # of each sum, by the deletion of its module

    def mean_loss(added):
        y = chain.stem(x, training=False)
        for i, (module, segment) in enumerate(zip_longest(chain.modules, chain.segments)):
            total = module.residual(y)
            total = total + module.skip(y) if module.has_skip else total
            if added is None:
                changes.append(module.bypass(y) - total)
            else:
                total = total + added[i]
            y = module.after(total)
            y = y if segment is None else segment(y, training=False)
        return loss(targets, chain.head(y, training=False))

    mean_loss(None)
    value, pull = backend.vjp(lambda *added: mean_loss(added), *map(ops.zeros_like, changes))
    gradients = pull(ops.ones_like(value))
    products = [ops.sum(g * c) for g, c in zip(gradients, changes, strict=True)]
    return ops.stack([ops.cast(p, "float32") for p in products])


ESTIMATES = ("block_influence", "first_order")
TRUE_COSTS = ("loss_increase", "error_increase")
COLUMNS = ("network", "seed", "module", "name", *ESTIMATES, *TRUE_COSTS)
"""Columns of module_importance.csv."""
N_SELECTION_IMAGES = 2000
"""Images on which a study estimates module importance, at most: enough to rank the modules."""


@checked
def module_importance(
    chain: Chain,
    x: Inputs,
    y: Targets | None = None,
    *,
    loss: Loss | None = None,
    batch_size: int = 32,
    precision: str = "float32",
    memory_bytes: int = MEMORY_BYTES,
    n_jobs: int | None = None,
    verbose: Verbose = "auto",
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Returns how much a network depends on each module that can be deleted, one row for each.

    Args:
        chain: The network; nothing about it changes.
        x: Inputs as `keras.Model.predict` takes them, as for `lesion_study`.
        y: Class of each example, numbers or one-hot, or other targets that the loss takes; None for
            those of a data set.
        loss: Whatever `keras.losses.get` takes: a name, an object, or a function of (y_true,
            y_pred); for several outputs a list or a dictionary of that too. None for the loss that
            the model was compiled with, else the cross entropy of class labels, else the mean
            squared error.
        batch_size: Examples in a batch of the estimates; for deletions it is chosen automatically.
        precision: Precision of the deletions, "float32" or "bfloat16"; estimates are float32.
        memory_bytes: Memory for activations of the deletions, in each process.
        n_jobs: As in scikit-learn: None or 1 computes in this process, -1 in one on each processor.
        verbose: 1 for a progress bar, 0 for none, "auto" for one in terminals and notebooks.
        executor: Runs the tasks in place of `n_jobs`, for instance a cluster; it is not closed.

    Returns:
        `module` (number from 1), `name`, `block_influence` (one minus a cosine, 0..2; Men et al.
        2024, equation 1), `first_order` (estimated increase of the mean loss; Molchanov et al.
        2017, equation 4), and the true cost of its deletion: `loss_increase` and, for class labels
        where `loss` is None, `error_increase` (fraction). `table.attrs["loss"]` is the name of the
        loss.

    Raises:
        TypeError: `chain` is not a chain.
        ValueError: There is no such loss, or targets do not fit it and the outputs.
        ArithmeticError: The loss or an output is not finite.

    Example:
        >>> import keras, numpy as np
        >>> from residual_ensembles import module_importance, unravel
        >>> x = keras.Input((4,))
        >>> y = keras.layers.Add(name="first")([x, keras.layers.Dense(4, activation="relu")(x)])
        >>> y = keras.layers.Add(name="second")([y, keras.layers.Dense(4, activation="relu")(y)])
        >>> chain = unravel(keras.Model(x, keras.layers.Dense(3)(y)))
        >>> examples = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
        >>> table = module_importance(chain, examples, np.arange(20) % 3, verbose=0)
        >>> table[["module", "name"]]
           module    name
        0       1   first
        1       2  second
        >>> table.attrs["loss"]
        'cross_entropy'
    """
    x, y = as_arrays(chain, x, y)
    measured = Examples(chain, x, y, loss)
    numbers = deletable(chain)
    lesions = [Lesion(), *(Lesion(deletions=[i]) for i in numbers)]
    title = f"{chain.name}: {len(lesions)} lesions"
    with (
        executor_for(n_jobs, executor) as running,
        progress_bar(verbose, len(lesions) * len(measured.packed), title) as advance,
    ):
        options = {"precision": precision, "memory_bytes": memory_bytes}
        true = measured.costs(lesions, executor=running, progress=advance, **options)
    packed, targets, mean_loss = measured.packed, measured.targets, measured.loss
    rows = np.array(numbers) - 1
    table = pd.DataFrame(
        {
            "module": numbers,
            "name": [chain.modules[row].title for row in rows],
            "block_influence": block_influence(chain, packed, batch_size)[rows],
            "first_order": first_order(chain, packed, targets, mean_loss, batch_size)[rows],
            "loss_increase": true.loss[1:] - true.loss[0],
        }
    )
    if true.n_wrong is not None:
        table["error_increase"] = (true.n_wrong[1:] - true.n_wrong[0]) / len(packed)
    table.attrs["loss"] = mean_loss.name
    return table


@checked
def rank_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Returns how each estimate ranks the modules compared with their true cost.

    Args:
        table: What `module_importance` returned, of one network.

    Returns:
        `estimate, cost, spearman, kendall, n` (modules); NaN where a column has one value only.

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


@checked
def with_network_columns(table: pd.DataFrame, network: str, seed: int) -> pd.DataFrame:
    """Returns the table of one network with the columns `network` and `seed` of a study's."""
    return table.assign(network=network, seed=seed)[["network", "seed", *table.columns]]


@checked
def selection_data(prepared) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images and labels on which a study selects modules to prune.

    They are from the validation split, or from the train split where there is none.
    """
    split = prepared.split("validation")
    split = split if len(split) else prepared.split("train")
    chosen = slice(0, min(N_SELECTION_IMAGES, len(split)))
    return split.images(chosen), split.labels[chosen]
