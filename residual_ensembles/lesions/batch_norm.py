"""Batch-norm statistics that fit the pictures at hand, for networks that were not trained."""

import keras
from keras import ops


def reestimate_batch_norm(chain, pictures) -> None:
    """Sets a network's batch-norm statistics to those of `pictures`; no weight is trained.

    A network fresh from its initialisers normalises by 0 and 1, whatever passes through: its
    residuals then grow or vanish with depth, and a mistake in a lesion need not show.

    Args:
        chain: The network; its moving means and variances change.
        pictures: `(batch, height, width, channels)` in 0..255.
    """
    norms = [
        layer
        for layer in chain._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0  # nothing of the old statistics is kept
        chain(ops.convert_to_tensor(pictures), training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
