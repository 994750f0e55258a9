"""What `keras.applications` has: modules found in each, and what they are called."""

import keras
import numpy as np

from residual_ensembles.models import reestimate_batch_norm

SIZE = 64
# Smallest image, where it is not SIZE.
SIZES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}


def build(name: str):
    """Returns a network of a family, for small images, with weights that all matter."""
    size = SIZES.get(name, SIZE)
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None
    )
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(variable + random.normal(0, 0.1, variable.shape))
    reestimate_batch_norm(model, images(model, 4))
    return model


def images(model, n=2):
    """Returns random images for a network."""
    shape = model.inputs[0].shape[1:]
    return np.random.default_rng(1).uniform(0, 255, (n, *shape)).astype("float32")
