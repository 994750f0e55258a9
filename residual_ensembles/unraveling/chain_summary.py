"""Summary of a chain, as a table and as text."""

import math
from functools import partial
from typing import Any

import keras
import pandas as pd

from residual_ensembles import backend
from residual_ensembles.unraveling.additions import Candidate
from residual_ensembles.unraveling.program import Program
from residual_ensembles.unraveling.sums import SumTerm, is_nonlinear

COLUMNS = ("module", "name", "begins", "ends", "skip", "shape_in", "shape_out")
COSTS = ("parameters", "multiply_adds")
POOLINGS = (
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
)
SCALINGS = (SumTerm, keras.layers.Rescaling)


def module_table(chain: Any) -> pd.DataFrame:
    """Returns one row for each module of an unraveled chain: `UnraveledChain.summary_table`."""
    rows = []
    for number, module in enumerate(chain.modules, start=1):
        candidate = module.candidate
        rows.append(
            (
                number,
                module.title,
                chain.graph.name_of(candidate.entry),
                chain.graph.name_of(candidate.output),
                _kind_of_skip(module.skip_program, candidate),
                module.input_state.shapes[0],
                module.output_state.shapes[0],
                n_parameters(module),
                _cost(module.residual_program, module.input_state),
            )
        )
    return pd.DataFrame(rows, columns=[*COLUMNS, *COSTS])


def n_parameters(module: Any) -> int:
    """Returns the number of parameters that only the module's residual uses."""
    kept = {id(v) for v in module.skip_program.variables}
    weights = {id(w): w for n in module.residual_program.nodes for w in n.weights}
    return sum(math.prod(w.shape) for key, w in weights.items() if key not in kept)


def text(chain: Any, line_length: int | None = None) -> str:
    """Returns the table, the segments, and the difference of chain and model, as text."""
    table = module_table(chain)
    for column in COSTS:
        table[column] = table[column].map("{:,}".format)
    multiply_adds = backend.multiply_adds(
        partial(_run, chain), chain.inputs_state.shapes, chain.inputs_state.dtypes
    )
    lines = [
        f"{chain.name}: {len(chain.modules)} modules, {chain.network.count_params():,} parameters, "
        f"{multiply_adds:,} multiply-adds",
        table.to_string(index=False, line_width=line_length),
    ]
    carried = sorted({t for layout in chain.partition.input_layouts for t in layout.carried})
    if chain.segment_positions:
        lines.append(f"plain segments after: {', '.join(map(str, chain.segment_positions))}")
    if carried:
        lines.append(f"carried along: {', '.join(map(chain.graph.name_of, carried))}")
    lines += chain.notes
    lines.append(f"chain and model differ by {chain.agreement:.1e} of the largest output")
    return "\n".join(lines)


def _run(chain, *tensors):
    inputs = chain.inputs_state.packed(tensors) if len(tensors) > 1 else tensors[0]
    return chain.packed_outputs(inputs)


def _kind_of_skip(program: Program, candidate: Candidate) -> str:
    if candidate.skip is None:
        return "none"
    if candidate.skip == candidate.entry:
        return "identity"
    if any(node.variables for node in program.nodes):
        return "projection"
    for kind, layers in (("pooling", POOLINGS), ("scaling", SCALINGS)):
        if any(isinstance(node.operation, layers) for node in program.nodes):
            return kind
    return "nonlinear" if any(map(is_nonlinear, program.nodes)) else "reshaping"


def _cost(program: Program, state) -> int:
    known = len(program.known)
    return backend.multiply_adds(
        lambda *tensors: program(tensors, training=False),
        state.shapes[:known],
        state.dtypes[:known],
    )
