"""Pruning: a network without the modules that matter least, as an ordinary Keras model."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops, tree

from residual_ensembles import backend
from residual_ensembles.arguments import checked, require_integer
from residual_ensembles.lesions import Lesion, deletable, outputs_of
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.examples import as_arrays, packed_examples
from residual_ensembles.models.types import Inputs, Loss, Metric, Targets
from residual_ensembles.pruning.importance import Costs, Examples
from residual_ensembles.runtime.calls import Verbose, executor_for, progress_bar
from residual_ensembles.runtime.executor import Executor
from residual_ensembles.statistics.intervals import wilson
from residual_ensembles.unraveling.example import structured
from residual_ensembles.unraveling.probing import tolerance
from residual_ensembles.unraveling.rebuild import rebuilt

N_TIMED_PASSES = 9
TIMED_EXAMPLES = 32
TRIED_EXAMPLES = 32
"""Examples on which a copy of the full model is compared with it before modules are deleted."""


def latencies(models: Sequence[keras.Model], inputs: Inputs) -> list[float]:
    """Returns the median time of one compiled pass of a batch by each model, in milliseconds.

    The models take turns, so that other load of the machine affects all of them.
    """
    batch = tree.map_structure(ops.convert_to_tensor, inputs)
    passes = [backend.compile(lambda x, m=model: m(x, training=False)) for model in models]
    for run in passes:
        _wait(run(batch))  # compiles
    times = [[_timed(run, batch) for run in passes] for _ in range(N_TIMED_PASSES)]
    return (1000 * np.median(times, axis=0)).tolist()


def _timed(run, batch) -> float:
    start = time.perf_counter()
    _wait(run(batch))
    return time.perf_counter() - start


def _wait(outputs) -> None:
    for output in tree.flatten(outputs):
        ops.convert_to_numpy(output)


@dataclass(frozen=True)
class Pruned:
    """A network without some of its modules."""

    model: keras.Model
    """An independent functional model, which saves and loads."""
    deleted: tuple[int, ...]
    """Modules that were deleted, from 1, in the order of their deletion."""
    steps: pd.DataFrame
    """The network after each deletion, on the validation split: `module` (number from 1) and
    `name`, `n_examples`, `error_fraction` for class labels, `loss`, and each metric under its name;
    the first row, module 0, is the full network. `attrs["loss"]` and `attrs["metric"]` are the
    names of the loss and the metrics."""
    comparison: pd.DataFrame
    """`original` and `pruned`, on the test split: error and its 95 % interval (Wilson) for class
    labels, loss, metrics, parameters, multiply-adds of one example, and latency in milliseconds of
    a batch."""
    agreement: float
    """Largest difference between `model` and the chain without the same modules on the validation
    split, as a share of the largest output."""


@checked
def prune(
    chain: Chain,
    n: int,
    validation: tuple[Inputs, Targets] | Inputs,
    test: tuple[Inputs, Targets] | Inputs | None = None,
    *,
    loss: Loss | None = None,
    metric: Metric | None = None,
    precision: str = "float32",
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    verbose: Verbose = "auto",
    executor: Executor | None = None,
) -> Pruned:
    """Deletes modules one after another, each time the one that costs least.

    Cost is the error on the validation split, and for equal errors the loss; where `loss` is not
    None, or targets are not class labels, it is the loss alone. Metrics are reported, and do not
    select modules.

    Args:
        chain: What `unravel` returned; neither it nor its model changes.
        n: Number of modules to delete.
        validation: Inputs and targets to select modules on; a pair (x, y), or a data set of both.
        test: Inputs and targets that the result is reported on; None to report on the validation
            split, which makes it look better than it is.
        loss: Whatever `keras.losses.get` takes, as for `module_importance`; then it decides alone.
            None for the loss that the model was compiled with, else the cross entropy of class
            labels, else the mean squared error.
        metric: Whatever `keras.metrics.get` takes, or a list of that. None for the metrics that the
            model was compiled with, in addition to the error of class labels.
        precision: Precision of the deletions, "float32" or "bfloat16".
        memory_bytes: Memory for activations, in each process.
        batch_size: Rows in a batch, each one example after one lesion; None for as many as are
            fast.
        seed: Seed of the samples that are compared with the network itself.
        n_jobs: As in scikit-learn: None or 1 computes in this process, -1 in one on each processor.
        verbose: 1 for a progress bar, 0 for none, "auto" for one in terminals and notebooks.
        executor: Runs the tasks in place of `n_jobs`, for instance a cluster; it is not closed.

    Returns:
        The smaller network and what it cost.

    Raises:
        TypeError: `chain` is not a chain.
        ValueError: There are fewer modules to delete, the chain has no model to rebuild, or
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
    check_prunable(chain, n)
    candidates = deletable(chain)
    x, y = _pair(chain, "validation", validation)
    few = packed_examples(chain, x)[:TRIED_EXAMPLES]
    _difference(chain, rebuilt(chain, ()), (), few)
    measured = tested = Examples(chain, x, y, loss, metric)
    if test is not None:
        tested = Examples(chain, *_pair(chain, "test", test), measured.loss, metric)
    n_tried = 1 + sum(len(candidates) - i for i in range(n))
    total = n_tried * len(measured.packed) + 2 * len(tested.packed)
    with (
        executor_for(n_jobs, executor) as running,
        progress_bar(verbose, total, f"{chain.name}: {n_tried} lesions") as advance,
    ):
        options = {
            "executor": running,
            "precision": precision,
            "memory_bytes": memory_bytes,
            "batch_size": batch_size,
            "seed": seed,
            "progress": advance,
        }
        deleted: list[int] = []
        steps = [_step(measured, None, measured.costs([Lesion()], **options), 0)]
        for _ in range(n):
            left = [i for i in candidates if i not in deleted]
            costs = measured.costs([Lesion(deletions=[*deleted, i]) for i in left], **options)
            best = int(costs.order()[0])
            deleted.append(left[best])
            steps.append(_step(measured, left[best], costs, best))
        costs = tested.costs([Lesion(), Lesion(deletions=deleted)], **options)
    model = rebuilt(chain, deleted)
    tables = pd.DataFrame(steps), _comparison(chain, model, tested, costs)
    for table in tables:
        table.attrs |= {"loss": measured.loss.name, "metric": ", ".join(measured.compared.names)}
    difference = _difference(chain, model, deleted, measured.packed)
    return Pruned(model, tuple(deleted), *tables, difference)


def _step(measured: Examples, module: int | None, costs: Costs, lesion: int) -> dict:
    """Returns a row of `Pruned.steps`, of the lesion at that position in `costs`."""
    name = "" if module is None else measured.chain.modules[module - 1].title
    row = {"module": module or 0, "name": name, "n_examples": len(measured.packed)}
    if costs.n_wrong is not None:
        row["error_fraction"] = costs.n_wrong[lesion] / len(measured.packed)
    metrics = {metric: values[lesion] for metric, values in costs.metrics.items()}
    return row | {"loss": costs.loss[lesion]} | metrics


@checked
def check_prunable(chain: Chain, n: int) -> None:
    """Refuses to prune a network that cannot be rebuilt, or more modules than can be deleted.

    Args:
        chain: The network to prune.
        n: Number of modules to delete.

    Raises:
        TypeError: `n` is not an integer.
        ValueError: The network is not an unraveled model, or fewer of its modules can be deleted.

    Example:
        >>> check_prunable(chain, 1)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        ValueError: Received a Chain, expected what unravel(model) returns: ...
    """
    if chain.graph is None:
        raise ValueError(
            f"Received a {type(chain).__name__}, expected what unravel(model) returns: only a "
            "Keras model can be rebuilt without modules."
        )
    require_integer("n", n, 1, len(deletable(chain)))


def _difference(chain, model: keras.Model, deleted: Collection[int], inputs) -> float:
    """Returns the difference of a rebuilt model and its chain, as a share of the largest output.

    Inputs are packed. It is a ValueError where the difference is larger than rounding.
    """

    def outputs(packed):
        made = model(_unpacked(chain, packed), training=False)
        return ops.cast(chain.outputs_state.packed(tree.flatten(made)), "float32")

    run, lesion = backend.compile(outputs), Lesion(deletions=deleted)
    largest, scale = 0.0, float(np.finfo("float32").tiny)
    for some, (expected,) in outputs_of(chain, [lesion], inputs):
        result = ops.convert_to_numpy(run(ops.convert_to_tensor(inputs[some])))
        scale = max(scale, float(np.abs(expected).max()))
        largest = max(largest, float(np.abs(result - expected).max()))
    if not largest / scale <= tolerance(chain.graph.dtypes):
        raise ValueError(
            f"The model built anew from {chain.name} differs from it by {largest / scale:.1e} of "
            "the largest output, expected rounding: one of its layers keeps something that neither "
            "its get_config() nor its save_own_variables() and save_assets() hold. A model with "
            "such a layer cannot be pruned."
        )
    return largest / scale


def _unpacked(chain, packed):
    """Returns inputs as the model takes them, from those that `chain.packed_inputs` returned."""
    state = chain.inputs_state
    pairs = zip(state.unpacked(packed), state.dtypes, strict=True)
    return structured(chain.network, [ops.cast(x, dtype) for x, dtype in pairs])


def _pair(chain: Chain, name: str, examples: tuple | Inputs) -> tuple[Inputs, Targets]:
    """Returns inputs and targets, from a pair or a data set."""
    if not isinstance(examples, tuple | list):
        inputs, targets = as_arrays(chain, examples)
        examples = examples if targets is None else (inputs, targets)
    if not isinstance(examples, tuple | list) or len(examples) != 2:
        raise ValueError(
            f"Received {name} as {type(examples).__name__}, expected a pair: inputs and targets."
        )
    inputs, targets = examples
    return inputs, targets


def _comparison(chain, model: keras.Model, measured: Examples, costs: Costs) -> pd.DataFrame:
    n = len(measured.packed)
    few = _unpacked(chain, ops.convert_to_tensor(measured.packed[:TIMED_EXAMPLES]))
    both = (chain.graph.model, model)
    rows: dict[str, Any] = {"loss": costs.loss, **costs.metrics}
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
