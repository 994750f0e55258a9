"""A network without the modules that it misses least, as an ordinary Keras model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import pandas as pd
from keras import tree

from residual_ensembles import backend
from residual_ensembles.analysis.intervals import wilson
from residual_ensembles.lesions import Lesion, deletable
from residual_ensembles.lesions.examples import packed_examples
from residual_ensembles.pruning.costs import Costs, costs_of, targets_for
from residual_ensembles.pruning.latency import latencies
from residual_ensembles.unraveling import UnraveledChain
from residual_ensembles.unraveling.inputs import structured
from residual_ensembles.unraveling.rebuild import check_rebuildable, rebuilt

TIMED_EXAMPLES = 32


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


def prune(
    chain, n: int, validation: tuple, test: tuple | None = None, *, loss=None, **options
) -> Pruned:
    """Deletes modules one after another, each time the one that costs least.

    Cost is the error on the validation part, and of as many errors the loss.

    Args:
        chain: What `unravel` returned; neither it nor its model changes.
        n: Modules to delete.
        validation: Inputs and targets that decide which.
        test: Inputs and targets that the result is reported on; None to report on the validation
            part, which flatters it.
        loss: From outputs `(batch, numbers)` and targets of a batch to its mean loss; None for
            class labels.
        **options: As for `outputs_of`: precision, memory_bytes, batch_size, executor, progress.

    Raises:
        ValueError: There are not so many modules to delete, the chain has no model to rebuild, or
            targets do not fit.

    Example:
        >>> smaller = prune(chain, 3, (pictures, labels))  # doctest: +SKIP
        >>> smaller.model.save("smaller.keras")  # doctest: +SKIP
    """
    if not isinstance(chain, UnraveledChain):
        raise ValueError(
            f"Received a {type(chain).__name__}, expected what unravel(model) returns: only a "
            "Keras model can be built anew without modules."
        )
    candidates = deletable(chain)
    if not isinstance(n, int | np.integer) or not 1 <= n <= len(candidates):
        raise ValueError(f"Received n={n}, expected 1 to {len(candidates)} modules to delete.")
    _check_pair("validation", validation)
    _check_pair("test", validation if test is None else test)
    check_rebuildable(chain)
    cost = partial(_costs, chain, loss, options)
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
        _comparison(chain, model, deleted, cost, validation if test is None else test),
    )


def _check_pair(name: str, examples) -> None:
    if not isinstance(examples, tuple | list) or len(examples) != 2:
        raise ValueError(
            f"Received {name} as {type(examples).__name__}, expected a pair: inputs and targets."
        )


def _costs(chain, loss: Callable | None, options, lesions, examples: tuple) -> Costs:
    inputs, targets = examples
    packed = packed_examples(chain, inputs)
    targets = targets_for(chain, targets, len(packed), loss)
    return costs_of(chain, lesions, packed, targets, loss, **options)


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
