"""Holds a chain to its model, and all that is done with it to models without modules."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from residual_ensembles.lesions import lesion_study
from residual_ensembles.pruning import module_importance, prune
from residual_ensembles.unraveling import unravel
from tests.helpers import unraveled_networks as networks


def titles(chain):
    return [module.title for module in chain.modules]


def check(model, expected, skips=None, tmp_path=None, **options):
    """Holds a chain to its model, each deletion to Keras' cloning without, and `prune` to both.

    Args:
        model: With weights that all matter.
        expected: Names of the modules.
        skips: What becomes of the arguments of an addition that is deleted, by its name; the first
            of them by default.
        tmp_path: Where the pruned model is saved and loaded; None not to prune, and not to compile
            what else is computed.
        **options: Of `unravel`.
    """
    chain, inputs = unravel(model, **options), networks.inputs_for(model, 12)
    assert titles(chain) == expected
    intact = flat(model(inputs))
    np.testing.assert_allclose(flat(chain(inputs)), intact, rtol=1e-4, atol=1e-5)
    for number, name in enumerate(expected):
        skip = (skips or {}).get(name, 0)
        gates = np.ones(len(expected), "float32")
        gates[number] = 0
        without = flat(deleted(model, name, skip)(inputs))
        result = flat(chain(inputs, gates=gates))
        np.testing.assert_allclose(result, without, rtol=1e-4, atol=1e-5)
        assert np.abs(without - intact).max() > 1e-3
    one = len(model.outputs) == 1
    targets = np.arange(12) % intact.shape[-1]
    targets = targets if one else [np.zeros(x.shape) for x in model(inputs)]
    loss = None if one else squares
    with uncompiled() if tmp_path is None else contextlib.nullcontext():
        assert lesion_study(chain, inputs, targets if one else None).shape[0] == 1 + len(expected)
        table = module_importance(chain, inputs, targets, loss=loss)
    assert np.isfinite(table.drop(columns="name").to_numpy(float)).all()
    if tmp_path is not None:
        result = prune(chain, 1, (inputs, targets), loss=loss)
        gates = np.array([i not in result.deleted for i in range(1, 1 + len(expected))], "float32")
        rest = flat(chain(inputs, gates=gates))
        np.testing.assert_allclose(flat(result.model(inputs)), rest, rtol=1e-4, atol=1e-5)
        assert result.agreement < 1e-4
        result.model.save(tmp_path / "pruned.keras")
        loaded = keras.models.load_model(tmp_path / "pruned.keras", safe_mode=False)
        np.testing.assert_allclose(flat(loaded(inputs)), rest, rtol=1e-4, atol=1e-5)
    return chain


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Within it, TensorFlow traces nothing: for few examples, tracing takes longer than they do."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def flat(outputs):
    """Returns one output as it is, and several beside one another."""
    if not isinstance(outputs, list | tuple):
        return np.asarray(outputs)
    return np.concatenate([np.reshape(x, (len(x), -1)) for x in outputs], axis=1)


def squares(targets, outputs):
    """A loss of several outputs."""
    return sum(ops.mean((y - t) ** 2) for t, y in zip(targets, outputs, strict=True))


def deleted(model, name, skip):
    """Returns the model without one addition, by Keras' own cloning."""

    def call(layer, *args, **kwargs):
        if layer.name != name:
            return layer(*args, **kwargs)
        added = args[0] if isinstance(args[0], list | tuple) else args
        return skip(*added) if callable(skip) else added[skip]

    return keras.models.clone_model(model, call_function=call, clone_function=lambda layer: layer)
