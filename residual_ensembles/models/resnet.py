"""Pre-activation residual networks (He et al. 2016b), as the paper trains them (section 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from residual_ensembles.models import stem_head
from residual_ensembles.models.architectures import (
    BOTTLENECK_WIDTHS,
    SMALL_WIDTHS,
    bottleneck_modules_per_stage,
    small_modules_per_stage,
)
from residual_ensembles.models.blocks import Preactivation, projection
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.module import Module
from residual_ensembles.models.types import DType


@dataclass(frozen=True)
class ModuleSpec:
    """A module of a ResNet: its address, and how it changes width and resolution."""

    name: str
    filters: int
    strides: int
    projects: bool
    """Whether its skip is a projection."""


def module_specs(
    modules_per_stage: Sequence[int], widths: Sequence[int], stem_filters: int
) -> list[ModuleSpec]:
    """Returns all modules; the first of a stage changes the width and halves the image.

    In the first stage nothing is halved, and the width changes only where the stem has another.
    """
    result, previous = [], stem_filters
    for stage, (n, filters) in enumerate(zip(modules_per_stage, widths, strict=True), start=1):
        for block in range(1, n + 1):
            first = block == 1
            strides = 2 if first and stage > 1 else 1
            projects = first and (strides > 1 or filters != previous)
            result.append(ModuleSpec(f"stage{stage}_block{block}", filters, strides, projects))
        previous = filters
    return result


def shortcut_of(spec: ModuleSpec, seed: int, dtype: DType):
    """Returns the projection of a module, or None where the skip is the identity."""
    if not spec.projects:
        return None
    name = f"{spec.name}_projection"
    return projection(spec.filters, spec.strides, seed, name, dtype)


def basic_transform(spec: ModuleSpec, seed: int, dtype: DType) -> Preactivation:
    """Returns f of a CIFAR module: two 3×3 convolutions (equation 2)."""
    table = [(3, spec.filters, spec.strides), (3, spec.filters, 1)]
    return Preactivation(table, seed=seed, name=spec.name, dtype=dtype)


def bottleneck_transform(spec: ModuleSpec, seed: int, dtype: DType) -> Preactivation:
    """Returns f of an ImageNet module: 1×1, 3×3, 1×1 convolutions."""
    narrow = spec.filters // 4
    table = [(1, narrow, 1), (3, narrow, spec.strides), (1, spec.filters, 1)]
    return Preactivation(table, seed=seed, name=spec.name, dtype=dtype)


def residual_modules(
    specs: Sequence[ModuleSpec],
    transform: Callable,
    survival: Sequence[float],
    seed: int,
    dtype: DType,
) -> list[Module]:
    """Returns one residual module for each of `specs`."""
    return [
        Module(
            transform(spec, seed, dtype),
            shortcut_of(spec, seed, dtype),
            survival_probability=probability,
            name=f"{spec.name}_module",
            dtype=dtype,
        )
        for spec, probability in zip(specs, survival, strict=True)
    ]


def resnet(
    depth: int,
    image_shape: tuple[int, ...],
    n_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    seed: int,
    survival: Sequence[float],
    dtype: DType,
) -> Chain:
    """Returns the CIFAR form; depth 110 has 54 modules, of which 19 and 37 downsample."""
    specs = module_specs(small_modules_per_stage(depth), SMALL_WIDTHS, SMALL_WIDTHS[0])
    return Chain(
        stem_head.small_image_stem(SMALL_WIDTHS[0], mean, std, seed, dtype),
        residual_modules(specs, basic_transform, survival, seed, dtype),
        stem_head.pooled_head(n_classes, seed, dtype),
        image_shape,
        name=f"resnet{depth}",
    )


def resnet_bottleneck(
    depth: int,
    image_shape: tuple[int, ...],
    n_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    seed: int,
    survival: Sequence[float],
    dtype: DType,
) -> Chain:
    """Returns the ImageNet form; depth 200 has 3 + 24 + 36 + 3 = 66 modules."""
    specs = module_specs(bottleneck_modules_per_stage(depth), BOTTLENECK_WIDTHS, 64)
    return Chain(
        stem_head.imagenet_stem(64, mean, std, seed, dtype),
        residual_modules(specs, bottleneck_transform, survival, seed, dtype),
        stem_head.pooled_head(n_classes, seed, dtype),
        image_shape,
        name=f"resnet{depth}",
    )
