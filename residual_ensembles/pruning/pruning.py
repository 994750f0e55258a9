"""A network without the modules that it misses least, as an ordinary Keras model."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops, tree

from residual_ensembles import backend
from residual_ensembles.lesions import Lesion, deletable, outputs_of
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES
from residual_ensembles.lesions.metric import Comparison, comparison
from residual_ensembles.models.examples import as_arrays, packed_examples
from residual_ensembles.models.protocols import ChainLike, check_chain
from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.pruning.importance import Computing, Costs, costs_of
from residual_ensembles.runtime.calls import Verbose, executor_for, progress_bar
from residual_ensembles.runtime.executor import Executor
from residual_ensembles.statistics.intervals import wilson
from residual_ensembles.unraveling.chain import allowed_difference
from residual_ensembles.unraveling.inputs import structured
from residual_ensembles.unraveling.rebuild import rebuilt

ROUNDS = 9


def latencies(models: Sequence, inputs: Any) -> list[float]:
    """Returns the median time of one compiled pass of each model, in milliseconds.

    They take turns, so that what else the machine does falls on all of them.

    Args:
        models: Keras models that take the same inputs.
        inputs: One batch.
    """
    batch = tree.map_structure(ops.convert_to_tensor, inputs)
    passes = [backend.compile(lambda x, m=model: m(x, training=False)) for model in models]
    for run in passes:
        _wait(run(batch))  # compiles
    result = np.array([[_timed(run, batch) for run in passes] for _ in range(ROUNDS)])
    return (1000 * np.median(result, axis=0)).tolist()


def _timed(run, batch) -> float:
    start = time.perf_counter()
    _wait(run(batch))
    return time.perf_counter() - start


def _wait(outputs) -> None:
    for output in tree.flatten(outputs):
        ops.convert_to_numpy(output)


TIMED_EXAMPLES = 32
TRIED_EXAMPLES = 32
"""With which a copy of the whole model is held against it before the search."""


@dataclass(frozen=True)
class Pruned:
    """A network without some of its modules."""

    model: keras.Model
    """An ordinary functional model of its own; it saves and loads."""
    deleted: tuple[int, ...]
    """Modules that are gone, from 1, in the order of their deletion."""
    steps: pd.DataFrame
    """What each deletion cost on the validation split: `module` (number from 1) and `name`,
    `n_examples`, `error_fraction` for class labels, `loss`, and each metric under its name; the
    first row, module 0, is the whole network. `attrs["loss"]` and `attrs["metric"]` are the names
    of the loss and the metrics."""
    comparison: pd.DataFrame
    """`original` and `pruned`, on the test split: error and its 95 % interval (Wilson) for class
    labels, loss, metrics, parameters, multiply-adds of one example, and latency in milliseconds of
    a batch."""
    agreement: float
    """Largest difference between `model` and the chain without the same modules on the validation
    split, as a share of the largest output."""


def prune(
    chain: ChainLike,
    n: int,
    validation: Any,
    test: Any = None,
    *,
    loss: Any = None,
    metric: Any = None,
    precision: str = "float32",
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    verbose: Verbose = "auto",
    executor: Executor | None = None,
) -> Pruned:
    """Deletes modules one after another, each time the one that costs least.

    Cost is the error on the validation split, and of as many errors the loss; where a loss is said,
    or targets are no class labels, it is the loss alone. A metric is reported, and decides nothing.

    Args:
        chain: What `unravel` returned; neither it nor its model changes.
        n: Modules to delete.
        validation: Inputs and targets that decide which; a pair (x, y), or a data set of both.
        test: Inputs and targets that the result is reported on; None to report on the validation
            split, which flatters it.
        loss: As for `module_importance`; what it says then decides alone. None for the loss that
            the model was compiled with, else the cross entropy of class labels, else the mean
            squared error.
        metric: Whatever `keras.metrics.get` takes, or a list of that. None for the metrics that the
            model was compiled with, beside the error of class labels.
        precision: Precision of the deletions, "float32" or "bfloat16".
        memory_bytes: What activations may take, in each process.
        batch_size: Activations that may pass a module together; None for as many as are fast.
        seed: Seed of the samples that are compared with the network itself.
        n_jobs: As in scikit-learn: None or 1 computes in this process, -1 in one on each processor.
        verbose: 1 for a progress bar, 0 for none, "auto" for one in terminals and notebooks.
        executor: Runs the tasks in place of `n_jobs`, for instance a cluster; it is left open.

    Raises:
        TypeError: `chain` is none.
        ValueError: There are not so many modules to delete, the chain has no model to rebuild, or
            targets, loss or metric do not fit.
        ArithmeticError: The loss or an output is not finite.

    Example:
        >>> import keras, numpy as np
        >>> from residual_ensembles import prune, unravel
        >>> x = keras.Input((4,))
        >>> y = x
        >>> for name in ("first", "second", "third"):
        ...     y = keras.layers.Add(name=name)([y, keras.layers.Dense(4, activation="relu")(y)])
        >>> chain = unravel(keras.Model(x, keras.layers.Dense(3)(y)))
        >>> examples = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
        >>> smaller = prune(chain, 1, (examples, np.arange(20) % 3), verbose=0)
        >>> len(smaller.deleted), smaller.model.count_params()
        (1, 55)
    """
    check_chain(chain)
    check_number(chain, n)
    candidates = deletable(chain)
    validation = _pair(chain, "validation", validation)
    few = packed_examples(chain, validation[0])[:TRIED_EXAMPLES]
    _difference(chain, rebuilt(chain, ()), (), few)
    measured = _Measured(chain, loss, metric, validation)
    tested = measured if test is None else measured.on(_pair(chain, "test", test))
    n_tried = 1 + sum(len(candidates) - i for i in range(n))
    total = n_tried * len(measured.packed) + 2 * len(tested.packed)
    with (
        executor_for(n_jobs, executor) as computes,
        progress_bar(verbose, total, f"{chain.name}: {n_tried} lesions") as advance,
    ):
        computing = Computing(computes, precision, memory_bytes, batch_size, seed, advance)
        deleted: list[int] = []
        steps = [measured.step(None, measured.costs([Lesion()], computing), 0)]
        for _ in range(n):
            left = [i for i in candidates if i not in deleted]
            result = measured.costs([Lesion(deletions=[*deleted, i]) for i in left], computing)
            best = int(result.order()[0])
            deleted.append(left[best])
            steps.append(measured.step(left[best], result, best))
        costs = tested.costs([Lesion(), Lesion(deletions=deleted)], computing)
    model = rebuilt(chain, deleted)
    tables = pd.DataFrame(steps), _comparison(chain, model, tested, costs)
    for table in tables:
        table.attrs |= {"loss": measured.loss.name, "metric": ", ".join(measured.compared.names)}
    difference = _difference(chain, model, deleted, measured.packed)
    return Pruned(model, tuple(deleted), *tables, difference)


class _Measured:
    """Examples, and what lesions are measured by on them.

    Args:
        chain: What `unravel` returned.
        loss: As for `prune`; a `MeanLoss` as it is.
        metric: As for `prune`.
        examples: Inputs and targets.
    """

    def __init__(self, chain: ChainLike, loss: Any, metric: Any, examples: tuple):
        self.chain = chain
        self.metric = metric
        self.inputs, self.given = examples
        self.packed = packed_examples(chain, self.inputs)
        n = len(self.packed)
        self.loss = loss if isinstance(loss, MeanLoss) else MeanLoss(chain, loss, self.given)
        self.labels = self.loss.labels(self.given, n)
        self.targets = self.loss.targets(self.given, n)
        self.compared = self._compared(n)

    def on(self, examples: tuple) -> "_Measured":
        """Returns the same on other examples."""
        return _Measured(self.chain, self.loss, self.metric, examples)

    def _compared(self, n: int) -> Comparison:
        if self.metric is None and not self.chain.compiled_with.metrics:
            return Comparison(self.labels)
        return comparison(self.chain, self.given, self.metric, n)._replace(labels=self.labels)

    def costs(self, lesions: list[Lesion], computing: Computing) -> Costs:
        """Returns what lesions cost."""
        known = self.packed, self.targets, self.loss, self.labels
        return costs_of(self.chain, lesions, *known, computing, self.compared, self.given)

    def step(self, module: int | None, costs: Costs, place: int) -> dict:
        """Returns a row of the steps: what is left after one more module is gone."""
        name = "" if module is None else self.chain.modules[module - 1].title
        row = {"module": module or 0, "name": name, "n_examples": len(self.packed)}
        if costs.n_wrong is not None:
            row["error_fraction"] = costs.n_wrong[place] / len(self.packed)
        metrics = {metric: values[place] for metric, values in costs.metrics.items()}
        return row | {"loss": costs.loss[place]} | metrics


def check_number(chain: ChainLike, n: int) -> None:
    """Refuses to prune what cannot be built anew, or more modules than there are to delete.

    Args:
        chain: The network.
        n: Modules to delete.

    Raises:
        ValueError: It is no unraveled model, or there are not so many.
    """
    if chain.graph is None:
        raise ValueError(
            f"Received a {type(chain).__name__}, expected what unravel(model) returns: only a "
            "Keras model can be built anew without modules."
        )
    most = len(deletable(chain))
    if not isinstance(n, int | np.integer) or not 1 <= n <= most:
        raise ValueError(f"Received n={n}, expected 1 to {most} modules to delete.")


def _difference(chain: Any, model: keras.Model, deleted: Collection[int], inputs) -> float:
    """Returns by how much a rebuilt model differs from its chain, as a share of the largest output.

    Args:
        chain: What `unravel` returned.
        model: What `rebuilt` returned.
        deleted: The modules that it was built without, from 1.
        inputs: As `chain.packed_inputs` returns them.

    Raises:
        ValueError: They differ by more than rounding.
    """
    state = chain.inputs_state

    def outputs(packed):
        pairs = zip(state.unpacked(packed), state.dtypes, strict=True)
        flat = [ops.cast(x, dtype) for x, dtype in pairs]
        made = model(structured(chain.network, flat), training=False)
        return ops.cast(chain.outputs_state.packed(tree.flatten(made)), "float32")

    run, lesion = backend.compile(outputs), Lesion(deletions=deleted)
    largest, scale = 0.0, float(np.finfo("float32").tiny)
    for some, (expected,) in outputs_of(chain, [lesion], inputs):
        result = ops.convert_to_numpy(run(ops.convert_to_tensor(inputs[some])))
        scale = max(scale, float(np.abs(expected).max()))
        largest = max(largest, float(np.abs(result - expected).max()))
    if not largest / scale <= allowed_difference(chain.graph.dtypes):
        raise ValueError(
            f"The model built anew from {chain.name} differs from it by {largest / scale:.1e} of "
            "the largest output, expected rounding: one of its layers keeps something that neither "
            "its get_config() nor its save_own_variables() and save_assets() hold. A model with "
            "such a layer cannot be pruned."
        )
    return largest / scale


def _pair(chain: ChainLike, name: str, examples: Any) -> tuple:
    """Returns inputs and targets, of a data set too."""
    if not isinstance(examples, tuple | list):
        inputs, targets = as_arrays(chain, examples)
        examples = examples if targets is None else (inputs, targets)
    if not isinstance(examples, tuple | list) or len(examples) != 2:
        raise ValueError(
            f"Received {name} as {type(examples).__name__}, expected a pair: inputs and targets."
        )
    return tuple(examples)


def _comparison(chain: Any, model: keras.Model, measured: _Measured, costs: Costs) -> pd.DataFrame:
    n = len(measured.packed)
    few = tree.map_structure(lambda x: np.asarray(x)[:TIMED_EXAMPLES], measured.inputs)
    both = (chain.graph.model, model)
    rows = {"loss": costs.loss, **costs.metrics}
    if costs.n_wrong is not None:
        low, high = zip(*(wilson(int(wrong), n) for wrong in costs.n_wrong), strict=True)
        rows = {"error_fraction": costs.n_wrong / n, "error_low": low, "error_high": high} | rows
    rows |= {
        "n_examples": [n, n],
        "parameters": [one.count_params() for one in both],
        "multiply_adds": [_multiply_adds(one, chain.inputs_state) for one in both],
        "latency_ms": latencies(both, few),
        "latency_batch": 2 * [min(n, TIMED_EXAMPLES)],
    }
    return pd.DataFrame(rows, index=["original", "pruned"])


def _multiply_adds(model: keras.Model, inputs) -> int:
    return backend.multiply_adds(
        lambda *tensors: model(structured(model, list(tensors)), training=False),
        inputs.shapes,
        inputs.dtypes,
    )
