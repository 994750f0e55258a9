"""Lesions of CIFAR-10 ResNets that others trained in PyTorch, as their authors' code reads.

The first-generation networks of He et al. (2016a, section 4.2) with option A: where a module
changes the shape, its skip takes every second row and column and pads the new channels with zeros,
a quarter of them on either side. The weights are those of akamaster/pytorch_resnet_cifar10
(Idelbayev 2018), one array for each entry of the state dictionary, in one file:

    numpy.savez("resnet20.npz", **{name.removeprefix("module."): value.numpy()
                for name, value in torch.load(file)["state_dict"].items()})

    python examples/pretrained_resnets.py FOLDER   # with resnet20.npz, resnet32.npz, ...
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import residual_ensembles  # first: it makes settings that count before TensorFlow is imported

import keras  # isort: skip
import numpy as np
from keras import layers, ops

WIDTHS = (16, 32, 64)
EPSILON = 1e-5
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
"""Of ImageNet: what the authors normalized with, images being in 0..1."""


def option_a(y, filters: int):
    """Every second row and column, and zeros for the new channels on either side."""
    side = (filters - y.shape[-1]) // 2
    return ops.pad(y[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (side, side)])


def convolution(y, filters: int, strides: int, name: str):
    """A 3×3 convolution padded by 1 on all sides, as PyTorch does; Keras' `same` pads otherwise."""
    y = layers.ZeroPadding2D(1, name=f"{name}_pad")(y)
    return layers.Conv2D(filters, 3, strides, use_bias=False, name=name)(y)


def module(y, filters: int, strides: int, name: str):
    """Convolution, norm, ReLU, convolution, norm; added to the skip; ReLU."""
    f = convolution(y, filters, strides, f"{name}_conv1")
    f = layers.ReLU(name=f"{name}_relu1")(norm(f, f"{name}_bn1"))
    f = norm(convolution(f, filters, 1, f"{name}_conv2"), f"{name}_bn2")
    skip = y if y.shape[-1] == filters else option_a(y, filters)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=name)([skip, f]))


def norm(y, name: str):
    """Batch normalization as PyTorch's: epsilon 1e-5."""
    return layers.BatchNormalization(epsilon=EPSILON, name=name)(y)


def resnet(depth: int) -> keras.Model:
    """Returns a network for images `(32, 32, 3)` in 0..255, with random weights.

    Args:
        depth: 20, 32, 44, 56 or 110: six times the modules of a stage, and two.
    """
    modules, rest = divmod(depth - 2, 6)
    if rest or modules < 1:
        raise ValueError(f"Received depth={depth}, expected 6 n + 2: 20, 32, 44, 56 or 110.")
    x = keras.Input((32, 32, 3), name="image")
    y = layers.Rescaling((1 / (255 * STD)).tolist(), (-MEAN / STD).tolist(), name="scaling")(x)
    y = layers.ReLU(name="relu1")(norm(convolution(y, WIDTHS[0], 1, "conv1"), "bn1"))
    for stage, filters in enumerate(WIDTHS, start=1):
        for i in range(modules):
            strides = 2 if stage > 1 and i == 0 else 1
            y = module(y, filters, strides, f"layer{stage}_{i}")
    y = layers.GlobalAveragePooling2D(name="pool")(y)
    return keras.Model(x, layers.Dense(10, name="linear")(y), name=f"resnet{depth}")


def load_arrays(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a network the arrays of a PyTorch state dictionary.

    Args:
        model: From `resnet`.
        arrays: By PyTorch's names, such as `layer2.0.conv1.weight`.
    """
    for layer in model.layers:
        if not layer.weights:
            continue
        name = layer.name.replace("_", ".")
        if isinstance(layer, layers.Conv2D):
            result = [arrays[f"{name}.weight"].transpose(2, 3, 1, 0)]
        elif isinstance(layer, layers.Dense):
            result = [arrays[f"{name}.weight"].T, arrays[f"{name}.bias"]]
        else:
            kinds = ("weight", "bias", "running_mean", "running_var")
            result = [arrays[f"{name}.{kind}"] for kind in kinds]
        layer.set_weights(result)


def main() -> None:
    """Prints the modules of each network and what deleting one of them changes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with resnet20.npz and others")
    parser.add_argument("--n", type=int, default=500, help="random images")
    arguments = parser.parse_args()
    images = np.random.default_rng(0).uniform(0, 255, (arguments.n, 32, 32, 3)).astype("float32")
    for path in sorted(arguments.folder.glob("resnet*.npz")):
        model = resnet(int(path.stem.removeprefix("resnet")))
        with np.load(path) as arrays:
            load_arrays(model, arrays)
        chain = residual_ensembles.unravel(model)
        print(f"{path.stem}: {len(chain.modules)} modules, agreement {chain.agreement:.1e}")
        table = residual_ensembles.lesion_study(chain, images)
        print(table[["lesion", "name", "changed_fraction"]].to_string(index=False))


if __name__ == "__main__":
    main()
