"""Constraints on lesions: which ones a network allows."""

from typing import TYPE_CHECKING

import numpy as np

from residual_ensembles.arguments import checked
from residual_ensembles.lesions.lesion import Lesion

if TYPE_CHECKING:
    from residual_ensembles.models.chain import Chain


@checked
def check_lesion(lesion: Lesion, chain: "Chain") -> None:
    """Refuses a lesion that the network does not allow.

    Args:
        lesion: Deletions, swaps and duplications, numbered from 1.
        chain: The network that they would be done to.

    Raises:
        ValueError: A number is out of range; a swapped or duplicated module changes the shape of
            what passes through, or two positions have different shapes; or deleting a module would
            leave the next one without an input of its shape.

    Example:
        >>> check_lesion(Lesion(swaps=[(2, 3)]), chain)
        >>> check_lesion(Lesion(duplications=[4]), chain)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        ValueError: Received the lesion 'duplicate 4', but module 4 changes the shape of ...
    """
    lesion.order(len(chain.modules))
    for pair in lesion.swaps:
        _check_swap(lesion, pair, chain)
    for module in lesion.duplications:
        if not chain.modules[module - 1].keeps_shape:
            raise ValueError(
                f"Received the lesion {str(lesion)!r}, but module {module} changes the shape of "
                f"what passes through, {_from_to(chain, module)}: it cannot run twice. "
                f"Choose from {_numbers(duplicable(chain))}."
            )
    for module in lesion.deletions:
        if not _is_deletable(chain, module):
            raise ValueError(
                f"Received the lesion {str(lesion)!r}, but module {module} has no skip and changes "
                f"the shape {_from_to(chain, module)}: without it nothing fits. "
                f"Choose from {_numbers(deletable(chain))}."
            )


def _check_swap(lesion: Lesion, pair: tuple[int, int], chain: "Chain") -> None:
    for position in pair:
        if not chain.modules[position - 1].keeps_shape:
            raise ValueError(
                f"Received the lesion {str(lesion)!r}, but module {position} changes the shape of "
                f"what passes through, {_from_to(chain, position)}: it cannot be moved."
            )
    a, b = (chain.modules[position - 1] for position in pair)
    if a.input_layout != b.input_layout:
        raise ValueError(
            f"Received the lesion {str(lesion)!r}, but what reaches position {pair[0]} has shape "
            f"{a.input_layout}, and position {pair[1]} {b.input_layout}; expected two positions "
            "of one shape."
        )


def _is_deletable(chain: "Chain", module: int) -> bool:
    layer = chain.modules[module - 1]
    if layer.has_skip or layer.keeps_shape:
        return True
    left = layer.deleted(np.zeros((1, *layer.shapes[0]), "float32"))
    return tuple(left.shape[1:]) == tuple(layer.shapes[1])


def _from_to(chain: "Chain", module: int) -> str:
    before, after = chain.modules[module - 1].shapes
    return f"from {tuple(before)} to {tuple(after)}"


def _numbers(modules: tuple[int, ...]) -> str:
    return ", ".join(map(str, modules)) or "no module at all"


@checked
def deletable(chain: "Chain") -> tuple[int, ...]:
    """Returns the modules that can be deleted, numbered from 1.

    Example:
        >>> from residual_ensembles import models
        >>> chain = models.build("resnet", 20, (8, 8, 1), 10, mean=[127.0], std=[64.0])
        >>> deletable(chain)
        (1, 2, 3, 4, 5, 6, 7, 8, 9)
    """
    return tuple(i for i in range(1, len(chain.modules) + 1) if _is_deletable(chain, i))


@checked
def duplicable(chain: "Chain") -> tuple[int, ...]:
    """Returns the modules that can run twice: those that keep the shape, numbered from 1.

    Example:
        >>> duplicable(chain)
        (1, 2, 3, 5, 6, 8, 9)
    """
    return tuple(i for i, module in enumerate(chain.modules, start=1) if module.keeps_shape)


@checked
def critical_modules(chain: "Chain") -> tuple[int, ...]:
    """Returns the first module and the downsampling ones, which some random sweeps exclude.

    The paper does not say so. Of the random deletions that its authors published, those with the
    error of Fig. 5a (0.2 at ten modules) are the ones without modules 1, 19 and 37.

    Example:
        >>> critical_modules(chain)
        (1, 4, 7)
    """
    return tuple(sorted({1, *chain.downsampling}))


@checked
def swappable(chain: "Chain", exclude: tuple[int, ...] = ()) -> tuple[tuple[int, int], ...]:
    """Returns all pairs of positions that can change places.

    Args:
        chain: The network, whose downsampling modules stay where they are.
        exclude: Other modules, numbered from 1, that stay where they are.

    Example:
        >>> swappable(chain, exclude=(1, 4, 7))
        ((2, 3), (5, 6), (8, 9))
    """
    movable = [i for i in duplicable(chain) if i not in exclude]
    return tuple(
        (a, b)
        for a in movable
        for b in movable
        if a < b and chain.modules[a - 1].input_layout == chain.modules[b - 1].input_layout
    )
