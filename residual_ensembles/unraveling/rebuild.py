"""A model without some of its modules, as an ordinary Keras model."""

import tempfile
from collections.abc import Collection
from typing import Any

import keras
from keras import tree

from residual_ensembles.models import _keras_internals
from residual_ensembles.models.nesting import copy_own_state, copy_state
from residual_ensembles.unraveling.graph import Graph, Node, functional, layers_within
from residual_ensembles.unraveling.sums import SumTerm


def rebuilt(chain: Any, deleted: Collection[int]) -> keras.Model:
    """Returns a functional model of a chain without the deleted modules.

    Its layers are copies, with weights and whatever else a layer saves of itself: the models share
    nothing. Layers of nested models are layers of the one model, named by their addresses.

    Raises:
        ValueError: A layer, which it names, cannot be made from its configuration.
    """
    replaced = {}
    for number in deleted:
        module = chain.modules[number - 1].candidate
        replaced[module.total] = module.entry if module.skip is None else module.skip
    return _Rebuilding(chain.graph, replaced).model(f"{chain.name}_pruned")


class _Rebuilding:
    """Calls copies of the layers of a graph on new inputs, with some tensors replaced by others."""

    def __init__(self, graph: Graph, replaced: dict[int, int]):
        self.graph = graph
        self.replaced = replaced
        self.copies: dict[int, object] = {}
        self.pairs: list[tuple] = []
        self.names: set[str] = {x.name for x in graph.model.inputs}

    def model(self, name: str) -> keras.Model:
        inputs = [
            keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name)
            for x in self.graph.model.inputs
        ]
        values = dict(zip(self.graph.inputs, inputs, strict=True))
        pending = self._needed()
        while pending:  # a skip that replaces a sum may come after nodes that need the sum
            waiting = []
            for node in pending:
                if all(self._replacement(tensor) in values for tensor in node.inputs):
                    node.call(values, None, self._copy(node), self._replacement)
                else:
                    waiting.append(node)
            pending = waiting
        outputs = [values[self._replacement(tensor)] for tensor in self.graph.outputs]
        own = functional(self.graph.model)
        model = keras.Model(
            tree.pack_sequence_as(_keras_internals.inputs_structure(own), inputs),
            tree.pack_sequence_as(_keras_internals.outputs_structure(own), outputs),
            name=name,
        )
        for layer, copy in self.pairs:
            _copy_state(layer, copy)
        return model

    def _replacement(self, tensor: int) -> int:
        while tensor in self.replaced:
            tensor = self.replaced[tensor]
        return tensor

    def _needed(self) -> list[Node]:
        pending, nodes = [self._replacement(t) for t in self.graph.outputs], set()
        while pending:
            node = self.graph.producers[pending.pop()]
            if node is not None and node not in nodes:
                nodes.add(node)
                pending += [self._replacement(t) for t in node.inputs]
        return [node for node in self.graph.nodes if node in nodes]

    def _copy(self, node: Node):
        """Returns the copy of a layer, the same one wherever the layer is called."""
        operation = node.operation
        if isinstance(operation, SumTerm):
            copy = self._copy(operation.node)
            return SumTerm(operation.node, operation.index, operation.shapes, copy)
        if not hasattr(operation, "get_config"):
            return operation
        if id(operation) not in self.copies:
            copy = _copied(operation, self._free_name(node.name))
            if isinstance(operation, keras.layers.Layer):
                _copy_assets(operation, copy)
                self.pairs.append((operation, copy))
            self.copies[id(operation)] = copy
        return self.copies[id(operation)]

    def _free_name(self, address: str) -> str:
        name = wanted = address.replace("/", "_").replace(":", "_")
        n = 1
        while name in self.names:
            n += 1
            name = f"{wanted}_{n}"
        self.names.add(name)
        return name


def _copied(layer, name: str):
    """Returns a layer made from the configuration of another one, without its weights."""
    if isinstance(layer, keras.layers.Lambda):
        # Its function is at hand; `from_config` refuses to run one that is read from a file.
        own = {
            "output_shape": _keras_internals.declared_output_shape(layer),
            "mask": layer.mask,
            "arguments": layer.arguments,
        }
        return keras.layers.Lambda(layer.function, **own, name=name, dtype=layer.dtype_policy)
    try:
        config = layer.get_config()
        return type(layer).from_config(config | {"name": name} if "name" in config else config)
    except Exception as error:  # of any type, from a custom layer
        raise ValueError(
            f"Received a model whose layer {name} ({type(layer).__name__}) cannot be made again "
            f"from its configuration ({_first_sentence(error)}), expected a get_config() with all "
            "that its __init__ takes: a model with such a layer cannot be pruned."
        ) from error


def _copy_state(layer, copy) -> None:
    """Loads into the copy of a layer what the layer and those within it save of themselves.

    A copy need not take it: that a layer within was quantized is not in the configuration of the
    layer around it.
    """
    try:
        copy_state(layer, copy)
    except Exception as error:  # of any type, from a custom layer
        raise ValueError(
            f"Received a model whose layer {layer.name} ({type(layer).__name__}) cannot be copied: "
            f"what its configuration makes does not take what it holds ({_first_sentence(error)}). "
            "If it was quantized, prune the model before and quantize what is left."
        ) from error


def _copy_assets(layer, copy) -> None:
    """Loads into the copy of a layer what it saves as files: a lookup needs its vocabulary."""
    for one, other in zip(layers_within(layer), layers_within(copy), strict=False):
        if hasattr(one, "save_assets"):
            copy_own_state(one, other)
            with tempfile.TemporaryDirectory() as folder:
                one.save_assets(folder)
                other.load_assets(folder)


def _first_sentence(error: Exception) -> str:
    said = " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return f"{type(error).__name__}: {said}"
