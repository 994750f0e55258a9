"""A network added to the project by a builder and a line, and a program that runs a stage with it.

It is called in a project's folder with the name of a stage.
"""

import importlib
import sys

import keras

from residual_ensembles.models import BatchNormalization, Chain, resnet, stem_head
from residual_ensembles.models.architectures import (
    ARCHITECTURES,
    SMALL_WIDTHS,
    Architecture,
    small_modules_per_stage,
)
from residual_ensembles.models.blocks import convolution

CARDINALITY = 4
STAGES = (
    "check",
    "prepare",
    "train",
    "lesion_study",
    "path_gradients",
    "figures",
    "explorer",
    "report",
)


def resnext(depth, image_shape, n_classes, mean, std, *, seed, survival, dtype) -> Chain:
    """Returns a small ResNeXt (Xie et al. 2017): the middle convolution is in groups."""
    specs = resnet.module_specs(small_modules_per_stage(depth), SMALL_WIDTHS, SMALL_WIDTHS[0])
    return Chain(
        stem_head.small_image_stem(SMALL_WIDTHS[0], mean, std, seed, dtype),
        resnet.residual_modules(specs, transform, survival, seed, dtype),
        stem_head.pooled_head(n_classes, seed, dtype),
        image_shape,
        name=f"resnext{depth}",
    )


def transform(spec: resnet.ModuleSpec, seed: int, dtype) -> stem_head.LayerSequence:
    """Returns f of a module: 1×1, 3×3 in groups, 1×1, each behind a norm and a ReLU."""
    narrow = spec.filters // 2
    table = [(1, narrow, 1, 1), (3, narrow, spec.strides, CARDINALITY), (1, spec.filters, 1, 1)]
    layers = []
    for i, (size, filters, strides, groups) in enumerate(table, start=1):
        made = convolution(size, filters, strides, seed, f"{spec.name}_conv{i}", dtype)
        layers += [
            BatchNormalization(name=f"{spec.name}_norm{i}", dtype=dtype),
            keras.layers.ReLU(name=f"{spec.name}_relu{i}", dtype=dtype),
            keras.layers.Conv2D.from_config(made.get_config() | {"groups": groups}),
        ]
    return stem_head.LayerSequence(layers, name=spec.name, dtype=dtype)


RESNEXT = Architecture("ResNeXt", "tests.helpers.resnext_study:resnext", small_modules_per_stage)


if __name__ == "__main__":
    ARCHITECTURES["resnext"] = RESNEXT
    sys.modules["tests.helpers.resnext_study"] = sys.modules["__main__"]
    importlib.import_module(f"pipelines.{sys.argv.pop()}").main()
