"""Path gradients in one call: exact by length, or sampled, as a table.

The examples are one batch, whose mean loss is differentiated. At each module a path takes the
residual or the skip; its length is the number of residuals (section 4.2).
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from residual_ensembles.arguments import checked
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.configs import in_float32
from residual_ensembles.models.examples import as_arrays, packed_examples
from residual_ensembles.models.types import Inputs, Loss, Targets
from residual_ensembles.paths.exact_lengths import batch_gradient_by_length
from residual_ensembles.paths.linearization import Linearization, LinearizedBatch
from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.paths.sampled_paths import batch_path_gradients, draw_paths
from residual_ensembles.runtime.calls import Verbose, progress_bar


@checked
def gradient_by_length(
    chain: Chain,
    x: Inputs,
    y: Targets | None = None,
    *,
    loss: Loss | None = None,
    max_length: int | None = None,
    target: str = "y0",
    batch_norm: str = "inference",
    verbose: Verbose = "auto",
) -> pd.DataFrame:
    """Returns the exact gradient of the loss by path length, over all 2^n paths (Fig. 6c).

    Args:
        chain: Network, which is not changed.
        x: One batch of inputs, as `keras.Model.predict` takes them; memory grows with the batch and
            with the number of modules.
        y: Class of each example, numbers or one-hot, or other targets of the loss; None for those
            of a data set.
        loss: Whatever `keras.losses.get` takes: a name, an object, or a function of (y_true,
            y_pred). None for the loss that the model was compiled with, else the cross entropy of
            class labels, else the mean squared error.
        max_length: Largest path length, in modules; None for all.
        target: The gradient is with respect to "y0", the input of the first module, or "image", the
            model's input.
        batch_norm: "inference" uses the moving statistics, "training" those of the batch, whose
            derivative then is part of the residual.
        verbose: 1 for a progress bar, 0 for none, "auto" for one in terminals and notebooks.

    Returns:
        `length` (modules), `n_paths`, `log10_norm` of the sum over all paths of that length, and
        `share`: its projection on the full gradient, as a fraction of that; all shares add up to
        1. `attrs`: `loss` (name), `loss_value`, `log10_gradient_norm`, `relative_error` (of the sum
        of all lengths; NaN with `max_length`) and `n_examples`.

    Raises:
        TypeError: `chain` is not a chain.
        ValueError: Targets do not fit, there is no such loss, target or mode of batch
            normalization, or `max_length` is below the shortest path.
        ArithmeticError: The loss is not finite, or the lengths do not add up to the gradient.

    Example:
        >>> import keras, numpy as np
        >>> from residual_ensembles import gradient_by_length, unravel
        >>> x = keras.Input((4,))
        >>> y = keras.layers.Add(name="first")([x, keras.layers.Dense(4, activation="relu")(x)])
        >>> y = keras.layers.Add(name="second")([y, keras.layers.Dense(4, activation="relu")(y)])
        >>> chain = unravel(keras.Model(x, keras.layers.Dense(3)(y)))
        >>> examples = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
        >>> table = gradient_by_length(chain, examples, np.arange(8) % 3)
        >>> table[["length", "n_paths"]].values.tolist()
        [[0, 1], [1, 2], [2, 1]]
        >>> round(float(table.share.sum()), 4)
        1.0
    """
    batch, attrs = _linearized(chain, x, y, loss, batch_norm, target)
    n = len(chain.modules)
    with progress_bar(verbose, n, f"{chain.name}: gradients through {n} modules") as advance:
        result = batch_gradient_by_length(batch, max_length, target, advance)
    n_free = sum(module.has_skip for module in chain.modules)
    forced = len(chain.modules) - n_free
    table = pd.DataFrame(
        {
            "length": result.lengths,
            "n_paths": [math.comb(n_free, int(k) - forced) for k in result.lengths],
            "log10_norm": result.log10_norms,
            "share": result.shares,
        }
    )
    norms = {"log10_gradient_norm": result.log10_gradient_norm, "relative_error": result.error}
    table.attrs |= attrs | norms
    return table


@checked
def sampled_path_gradients(
    chain: Chain,
    x: Inputs,
    y: Targets | None,
    lengths: Sequence[int],
    samples: int,
    *,
    loss: Loss | None = None,
    seed: int = 0,
    target: str = "y0",
    batch_norm: str = "inference",
    verbose: Verbose = "auto",
) -> pd.DataFrame:
    """Returns the gradients through random paths of some lengths (Fig. 6b).

    Args:
        chain: Network, which is not changed.
        x: One batch of inputs, as `keras.Model.predict` takes them.
        y: Class of each example, numbers or one-hot, or other targets of the loss; None for those
            of a data set.
        lengths: Path lengths, in modules; a module without a skip is on every path.
        samples: Number of paths of each length, drawn uniformly, with replacement.
        loss: Whatever `keras.losses.get` takes; None as for `gradient_by_length`.
        seed: Seed of the paths, which are a function of it and of their length.
        target: "y0" or "image", as for `gradient_by_length`.
        batch_norm: "inference" or "training", as for `gradient_by_length`.
        verbose: 1 for a progress bar, 0 for none, "auto" for one in terminals and notebooks.

    Returns:
        One row for each path: `length`, `sample` (from 0), `modules` (from 1, a tuple: those whose
        residual it takes), `log10_norm`, and `share`: its projection on the full gradient, as a
        fraction of that. `attrs`: `loss` (name), `loss_value` and `n_examples`.

    Raises:
        TypeError: `chain` is not a chain.
        ValueError: No path has one of the lengths, `samples` is below 1; and as
            `gradient_by_length`.
        ArithmeticError: The loss is not finite.

    Example:
        >>> import keras, numpy as np
        >>> from residual_ensembles import sampled_path_gradients, unravel
        >>> x = keras.Input((4,))
        >>> y = keras.layers.Add(name="first")([x, keras.layers.Dense(4, activation="relu")(x)])
        >>> y = keras.layers.Add(name="second")([y, keras.layers.Dense(4, activation="relu")(y)])
        >>> chain = unravel(keras.Model(x, keras.layers.Dense(3)(y)))
        >>> examples = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
        >>> table = sampled_path_gradients(chain, examples, np.arange(8) % 3, [0, 2], 1)
        >>> table[["length", "sample", "modules"]].values.tolist()
        [[0, 0, ()], [2, 0, (1, 2)]]
    """
    if samples < 1 or not len(lengths):
        raise ValueError(
            f"Received samples={samples} of {len(lengths)} lengths, expected one or more of each."
        )
    skips = np.array([module.has_skip for module in chain.modules])
    paths = np.concatenate([draw_paths(skips, int(k), samples, seed, 0) for k in lengths])
    batch, attrs = _linearized(chain, x, y, loss, batch_norm, target)
    total, title = paths.size, f"{chain.name}: gradients of {len(paths)} paths"
    with progress_bar(verbose, total, title) as advance:
        result = batch_path_gradients(batch, paths, target, progress=advance)
    table = pd.DataFrame(
        {
            "length": np.repeat(np.asarray(lengths, int), samples),
            "sample": np.tile(np.arange(samples), len(lengths)),
            "modules": [tuple((np.flatnonzero(path) + 1).tolist()) for path in paths],
            "log10_norm": result.log10_norms,
            "share": result.shares,
        }
    )
    table.attrs |= attrs
    return table


def _linearized(
    chain: Chain,
    x: Inputs,
    y: Targets | None,
    loss: Loss | None,
    batch_norm: str,
    target: str,
) -> tuple[LinearizedBatch, dict]:
    """Returns the linearized batch of all examples, and the `attrs` of tables."""
    if target == "image" and chain.takes_integers:
        raise ValueError(
            f"Received target='image' for {chain.name}, whose inputs are integers, with respect to "
            "which there is no gradient, expected 'y0', the input of the first module."
        )
    x, y = as_arrays(chain, x, y)
    packed, mean_loss = packed_examples(chain, x), MeanLoss(chain, loss, y)
    # With less precision lengths would not add up to the gradient.
    linearization = Linearization(in_float32(chain), batch_norm, loss=mean_loss.function)
    batch = linearization.linearize(packed, y)
    return batch, {
        "loss": mean_loss.name,
        "loss_value": batch.loss,
        "n_examples": len(packed),
    }
