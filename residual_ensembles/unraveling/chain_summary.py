"""Summary of a chain, as a table and as text."""

import math
from functools import partial
from typing import Any

import keras
import pandas as pd

from residual_ensembles import backend
from residual_ensembles.unraveling.graph import Node
from residual_ensembles.unraveling.program import Program
from residual_ensembles.unraveling.sums import Scaled

COLUMNS = (
    "module",
    "name",
    "begins",
    "ends",
    "skip",
    "shape_in",
    "shape_out",
    "parameters",
    "multiply_adds",
)
POOLINGS = (
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
)
SCALINGS = (Scaled, keras.layers.Rescaling)


def module_table(chain: Any) -> pd.DataFrame:
    """Returns one row for each module of an unraveled chain: `UnraveledChain.summary_table`."""
    rows = []
    for number, module in enumerate(chain.modules, start=1):
        result = module.candidate
        rows.append(
            (
                number,
                module.title,
                chain.graph.name_of(result.entry),
                chain.graph.name_of(result.leaves),
                _kind_of_skip(module.skip_program, result),
                module.enters.shapes[0],
                module.leaves.shapes[0],
                n_parameters(module),
                _cost(module.residual_program, module.enters),
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def n_parameters(module: Any) -> int:
    """Returns how many numbers of the model only the module's residual needs."""
    kept = {id(v) for v in module.skip_program.variables}
    weights = {id(w): w for n in module.residual_program.nodes for w in n.weights}
    return sum(math.prod(w.shape) for key, w in weights.items() if key not in kept)


def text(chain: Any, line_length: int | None = None) -> str:
    """Returns the table, what lies between modules, and how chain and model agree, as text.

    Args:
        chain: What `unravel` returned.
        line_length: Characters in a line of the table; None for as many as it takes.
    """
    table = module_table(chain)
    table["parameters"] = table["parameters"].map("{:,}".format)
    table["multiply_adds"] = table["multiply_adds"].map("{:,}".format)
    whole = backend.multiply_adds(
        partial(_run, chain), chain.inputs_state.shapes, chain.inputs_state.dtypes
    )
    lines = [
        f"{chain.name}: {len(chain.modules)} modules, {chain.network.count_params():,} parameters, "
        f"{whole:,} multiply-adds",
        table.to_string(index=False, line_width=line_length),
    ]
    carried = sorted({t for layout in chain.cut.entering for t in layout.carried})
    if chain.between:
        lines.append(f"plain segments after: {', '.join(map(str, chain.between))}")
    if carried:
        lines.append(f"travels along: {', '.join(map(chain.graph.name_of, carried))}")
    lines += chain.notes
    lines.append(f"chain and model differ by {chain.agreement:.1e} of the largest output")
    return "\n".join(lines)


def _run(chain, *tensors):
    inputs = chain.inputs_state.packed(tensors) if len(tensors) > 1 else tensors[0]
    return chain.packed_outputs(inputs)


def _kind_of_skip(program: Program, result) -> str:
    if result.skip is None:
        return "none"
    if result.skip == result.entry:
        return "identity"
    with_weights = [node for node in program.nodes if node.variables]
    return "projection" if with_weights else _without_weights(program.nodes)


def _without_weights(nodes: list[Node]) -> str:
    pools = any(isinstance(node.operation, POOLINGS) for node in nodes)
    scales = any(isinstance(node.operation, SCALINGS) for node in nodes)
    return "pooling" if pools else "scaling" if scales else "reshaping"


def _cost(program: Program, state) -> int:
    known = len(program.known)
    return backend.multiply_adds(
        lambda *tensors: program(tensors, training=False),
        state.shapes[:known],
        state.dtypes[:known],
    )
