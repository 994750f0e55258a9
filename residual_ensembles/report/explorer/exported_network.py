"""A network as the explorer's page holds it: its operations, and its weights in one block."""

import base64
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from residual_ensembles.lesions import critical_modules, deletable
from residual_ensembles.models.lowering import lowered
from residual_ensembles.report.explorer.operations import Operation, operation, operations


class ExportedNetwork(NamedTuple):
    """A network as operations and weights, for JavaScript."""

    parts: dict
    """Stem, modules and head, as lists of operations in the order in which they take weights."""
    half: str
    """float16 weights, little-endian, base64."""
    single: str
    """float32 weights, little-endian, base64."""

    @property
    def n_bytes(self) -> int:
        """Size of the weights in the page."""
        return len(self.half) + len(self.single)


def export(chain) -> ExportedNetwork:
    """Returns a network as the explorer runs it.

    It computes in float32, whatever the policy that the network was trained with.

    Args:
        chain: A pre-activation ResNet of any depth with the stem for small images, a VGG, or any
            other chain whose modules have a lowering, and no gates.

    Raises:
        ValueError: There is a module or a layer in it that the explorer cannot run.

    Example:
        >>> len(export(chain).parts["modules"])
        9
    """
    if chain.segment_positions:
        raise ValueError(
            f"Received a network with a plain segment after module {chain.segment_positions[0]}, "
            "expected modules that follow one another: the explorer can run no other."
        )
    weights: list[Operation] = []

    def part(result: Iterable[Operation]) -> list[dict]:
        weights.extend(result := list(result))
        return [each.facts for each in result]

    parts = {
        "shape": list(chain.image_shape),
        "stem": part(operations(chain.stem)),
        "modules": [_module(chain, number, part) for number in range(1, len(chain.modules) + 1)],
        "head": part(operations(chain.head)),
    }
    return ExportedNetwork(
        parts,
        _packed([array for each in weights for array in each.half], "<f2"),
        _packed([array for each in weights for array in each.single], "<f4"),
    )


def _module(chain, number: int, part) -> dict:
    module = chain.modules[number - 1]
    known = lowered(module)
    if known is None or known.residual is None or known.gate is not None:
        raise ValueError(
            f"Received module {number}, a {type(module).__name__}, expected a module of a ResNet "
            "or of a VGG: the explorer can run no other."
        )
    return {
        "residual": part(map(operation, known.residual)),
        "shortcut": part(map(operation, known.skip)),
        "after": part(operations(known.after)),
        "survival": known.survival,
        "has_skip": known.has_skip,
        "keeps_shape": module.keeps_shape,
        "deletable": number in deletable(chain),
        "critical": number in critical_modules(chain),
        # Shape of the stage: its first module halves the image in a ResNet, its last in a VGG.
        "stage": list(chain.shapes[number if module.has_skip else number - 1]),
    }


def _packed(arrays: Sequence[np.ndarray], dtype: str) -> str:
    flat = [np.ravel(array).astype(dtype) for array in arrays]
    return base64.b64encode(np.concatenate(flat or [np.empty(0, dtype)]).tobytes()).decode()
