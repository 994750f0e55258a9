"""CIFAR-10 ResNets that others trained in PyTorch, as Keras models adapted to other images.

The first-generation networks of He et al. (2016a, section 4.2) with option A: where a module
changes the shape, its skip takes every second row and column and pads the new channels with zeros,
a quarter of them on either side. The weights are those of akamaster/pytorch_resnet_cifar10
(Idelbayev 2018): its files `resnet20-12fca82f.th` and so on, which need PyTorch to be read, or the
same as arrays:

    numpy.savez("resnet20.npz", **{name.removeprefix("module."): value.numpy()
                for name, value in torch.load(file)["state_dict"].items()})

One pass over the training split adapts the networks to images that are not quite those they were
trained on, such as CIFAR-10 in JPEG encoding, in a folder with train|test/<class>/*.jpg in it:

    python examples/pretrained_resnets.py WEIGHTS IMAGES data/cifar10_pretrained
    dvc exp run -S study=cifar10_pretrained -S data.source=folder:IMAGES
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
    """Batch normalization as PyTorch's: epsilon 1e-5, and a tenth of each batch's statistics."""
    return layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=name)(y)


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


def read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    """Returns the arrays of a file of weights by PyTorch's names.

    Args:
        path: An `.npz` file, or a `.th` file, for which PyTorch has to be installed.
    """
    if path.suffix == ".npz":
        return np.load(path)
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return {name.removeprefix("module."): value.numpy() for name, value in state.items()}


def images_of(folder: Path, split: str):
    """Returns batches of images in 0..255 and labels; classes in the order of their names."""
    return keras.utils.image_dataset_from_directory(
        folder / split, image_size=(32, 32), batch_size=128, shuffle=split == "train", seed=0
    )


def fine_tune(model: keras.Model, images: Path, steps: int) -> tuple[float, float]:
    """Trains a network on images with the augmentation of the paper, at a small learning rate.

    Args:
        model: From `resnet`, with trained weights.
        images: Folder with train|test/<class>/*.jpg in it.
        steps: Batches of 128 images to train on.

    Returns:
        Its error on the test split before and after, as fractions.
    """
    augmentation = keras.Sequential(
        [layers.ZeroPadding2D(4), layers.RandomCrop(32, 32), layers.RandomFlip("horizontal")]
    )
    train, test = images_of(images, "train"), images_of(images, "test")
    train = train.repeat().map(lambda x, y: (augmentation(x, training=True), y)).prefetch(2)
    model.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.01, steps), momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    before = model.evaluate(test, verbose=0)[1]
    model.fit(train, steps_per_epoch=steps, shuffle=False, verbose=2)  # shuffled by itself
    return 1 - before, 1 - model.evaluate(test, verbose=0)[1]


def main() -> None:
    """Reads, adapts, measures and saves each network that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="folder with resnet20*.npz or .th and others")
    parser.add_argument("images", type=Path, help="folder with train|test/<class>/*.jpg in it")
    parser.add_argument("output", type=Path, help="folder for resnet20.keras and others")
    parser.add_argument("--steps", type=int, default=391, help="batches of 128 images to adapt to")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    files = [*arguments.weights.glob("resnet*.npz"), *arguments.weights.glob("resnet*.th")]
    for path in sorted(files):
        name = path.stem.split("-")[0]
        target = arguments.output / f"{name}.keras"
        if target.exists():
            continue
        keras.utils.set_random_seed(0)
        model = resnet(int(name.removeprefix("resnet")))
        load_arrays(model, read_arrays(path))
        before, after = fine_tune(model, arguments.images, arguments.steps)
        print(f"{name}: error {before:.4f} as read, {after:.4f} after {arguments.steps} steps")
        model.save(target)
        chain = residual_ensembles.unravel(model)
        print(f"{name}: {len(chain.modules)} modules, saved as {target}", flush=True)


if __name__ == "__main__":
    main()
