"""A network without the modules that it misses least, as an ordinary Keras model."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import pandas as pd
from keras import ops, tree

from residual_ensembles import backend
from residual_ensembles.analysis.intervals import wilson
from residual_ensembles.lesions import Lesion, deletable, outputs_of
from residual_ensembles.lesions.examples import as_arrays, packed_examples
from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.pruning.costs import Costs, costs_of
from residual_ensembles.pruning.latency import latencies
from residual_ensembles.unraveling import UnraveledChain
from residual_ensembles.unraveling.chain import allowed_difference
from residual_ensembles.unraveling.inputs import structured
from residual_ensembles.unraveling.rebuild import rebuilt

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
    """What each deletion cost on the validation part: `module, name`, then `error_fraction` for
    class labels, and `loss`; the first row is the whole network."""
    comparison: pd.DataFrame
    """`original` and `pruned`, on the test part: error and its 95 % interval (Wilson) for class
    labels, loss, parameters, multiply-adds of one example, and latency in milliseconds of a
    batch."""
    agreement: float
    """Largest difference between `model` and the chain without the same modules on the validation
    part, as a share of the largest output."""


def prune(chain, n: int, validation, test=None, *, loss=None, **options) -> Pruned:
    """Deletes modules one after another, each time the one that costs least.

    Cost is the error on the validation part, and of as many errors the loss.

    Args:
        chain: What `unravel` returned; neither it nor its model changes.
        n: Modules to delete.
        validation: Inputs and targets that decide which; a pair, or a data set of both.
        test: Inputs and targets that the result is reported on; None to report on the validation
            part, which flatters it.
        loss: Whatever `keras.losses.get` takes: a name, an object, or a function of (y_true,
            y_pred); what it says then decides alone. None for the loss that the model was compiled
            with, else the cross entropy of class labels, else the mean squared error.
        **options: As for `outputs_of`: precision, memory_bytes, batch_size, executor, progress.

    Raises:
        ValueError: There are not so many modules to delete, the chain has no model to rebuild, or
            targets do not fit.

    Example:
        >>> smaller = prune(chain, 3, (pictures, labels))  # doctest: +SKIP
        >>> smaller.model.save("smaller.keras")  # doctest: +SKIP
    """
    check_number(chain, n)
    candidates = deletable(chain)
    validation = _pair(chain, "validation", validation)
    test = validation if test is None else _pair(chain, "test", test)
    packed = packed_examples(chain, validation[0])
    _difference(chain, rebuilt(chain, ()), (), packed[:TRIED_EXAMPLES])
    cost = partial(_costs, chain, MeanLoss(chain, loss, validation[1]), options)
    deleted, steps = [], [_step(chain, None, cost([Lesion()], validation), 0, validation)]
    for _ in range(n):
        left = [i for i in candidates if i not in deleted]
        found = cost([Lesion(deletions=[*deleted, i]) for i in left], validation)
        best = int(found.order()[0])
        deleted.append(left[best])
        steps.append(_step(chain, left[best], found, best, validation))
    model = rebuilt(chain, deleted)
    return Pruned(
        model,
        tuple(deleted),
        pd.DataFrame(steps),
        _comparison(chain, model, deleted, cost, test),
        _difference(chain, model, deleted, packed),
    )


def check_number(chain, n: int) -> None:
    """Refuses to prune what cannot be built anew, or more modules than there are to delete.

    Args:
        chain: The network.
        n: Modules to delete.

    Raises:
        ValueError: It is no unravelled model, or there are not so many.
    """
    if not isinstance(chain, UnraveledChain):
        raise ValueError(
            f"Received a {type(chain).__name__}, expected what unravel(model) returns: only a "
            "Keras model can be built anew without modules."
        )
    most = len(deletable(chain))
    if not isinstance(n, int | np.integer) or not 1 <= n <= most:
        raise ValueError(f"Received n={n}, expected 1 to {most} modules to delete.")


def _difference(chain, model: keras.Model, deleted: Collection[int], inputs) -> float:
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
        found = ops.convert_to_numpy(run(ops.convert_to_tensor(inputs[some])))
        scale = max(scale, float(np.abs(expected).max()))
        largest = max(largest, float(np.abs(found - expected).max()))
    if not largest / scale <= allowed_difference(chain.graph.dtypes):
        raise ValueError(
            f"The model built anew from {chain.name} differs from it by {largest / scale:.1e} of "
            "the largest output, expected rounding: one of its layers keeps something that neither "
            "its get_config() nor its save_own_variables() and save_assets() hold. A model with "
            "such a layer cannot be pruned."
        )
    return largest / scale


def _pair(chain, name: str, examples) -> tuple:
    """Returns inputs and targets, of a data set too."""
    if not isinstance(examples, tuple | list):
        inputs, targets = as_arrays(chain, examples)
        examples = examples if targets is None else (inputs, targets)
    if not isinstance(examples, tuple | list) or len(examples) != 2:
        raise ValueError(
            f"Received {name} as {type(examples).__name__}, expected a pair: inputs and targets."
        )
    return tuple(examples)


def _costs(chain, loss: MeanLoss, options, lesions, examples: tuple) -> Costs:
    inputs, targets = examples
    packed = packed_examples(chain, inputs)
    labels = loss.labels(targets, len(packed))
    targets = loss.targets(targets, len(packed))
    return costs_of(chain, lesions, packed, targets, loss, labels, **options)


def _step(chain, module: int | None, costs: Costs, place: int, examples: tuple) -> dict:
    name = "" if module is None else chain.modules[module - 1].title
    row = {"module": module or 0, "name": name}
    if costs.n_wrong is not None:
        row["error_fraction"] = costs.n_wrong[place] / _length(examples[0])
    return row | {"loss": costs.loss[place]}


def _length(inputs) -> int:
    return len(tree.flatten(inputs)[0])


def _comparison(chain, model, deleted, cost: Callable, examples: tuple) -> pd.DataFrame:
    inputs, _ = examples
    n = _length(inputs)
    found = cost([Lesion(), Lesion(deletions=deleted)], examples)
    few = tree.map_structure(lambda x: np.asarray(x)[:TIMED_EXAMPLES], inputs)
    both = (chain.network, model)
    rows = {"loss": found.loss}
    if found.n_wrong is not None:
        low, high = zip(*(wilson(int(wrong), n) for wrong in found.n_wrong), strict=True)
        rows = {"error_fraction": found.n_wrong / n, "error_low": low, "error_high": high} | rows
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
