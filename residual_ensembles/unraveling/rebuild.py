"""A model without some of its modules, as an ordinary Keras model."""

from collections.abc import Collection

import keras
from keras import tree

from residual_ensembles.unraveling.graph import Graph, Node, functional


def check_rebuildable(chain) -> None:
    """Refuses a model that cannot be built anew, before anything is computed.

    Args:
        chain: What `unravel` returned.

    Raises:
        ValueError: One of its layers cannot be made from its configuration, by its name.
    """
    for node in chain.graph.nodes:
        if hasattr(node.operation, "get_config"):
            _copied(node.operation, node.name.replace("/", "_").replace(":", "_"))


def rebuilt(chain, deleted: Collection[int]) -> keras.Model:
    """Returns a functional model that computes what is left of a chain, and nothing else.

    Its layers are copies: neither model knows of the other. Layers of nested models stand in it
    side by side, under their addresses.

    Args:
        chain: What `unravel` returned.
        deleted: Modules to leave out, from 1.
    """
    stands_in = {}
    for number in deleted:
        found = chain.modules[number - 1].found
        stands_in[found.total] = found.entry if found.skip is None else found.skip
    return _Rebuilding(chain.graph, stands_in).model(f"{chain.name}_pruned")


class _Rebuilding:
    """Calls copies of the layers of a graph on new inputs.

    Args:
        graph: The graph.
        stands_in: For a tensor that is not computed, the one in its place.
    """

    def __init__(self, graph: Graph, stands_in: dict[int, int]):
        self.graph = graph
        self.stands_in = stands_in
        self.copies: dict[int, object] = {}
        self.names: set[str] = {x.name for x in graph.model.inputs}

    def model(self, name: str) -> keras.Model:
        """Returns the model."""
        inputs = [
            keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name)
            for x in self.graph.model.inputs
        ]
        values = dict(zip(self.graph.inputs, inputs, strict=True))
        for node in self._needed():
            node.call(values, None, self._copy(node), self._instead)
        outputs = [values[self._instead(tensor)] for tensor in self.graph.outputs]
        own = functional(self.graph.model)
        model = keras.Model(
            tree.pack_sequence_as(own._inputs_struct, inputs),
            tree.pack_sequence_as(own._outputs_struct, outputs),
            name=name,
        )
        for node in self._needed():
            if node.weights:
                self.copies[id(node.operation)].set_weights(node.operation.get_weights())
        return model

    def _instead(self, tensor: int) -> int:
        while tensor in self.stands_in:
            tensor = self.stands_in[tensor]
        return tensor

    def _needed(self) -> list[Node]:
        pending, nodes = [self._instead(t) for t in self.graph.outputs], set()
        while pending:
            node = self.graph.producers[pending.pop()]
            if node is not None and node not in nodes:
                nodes.add(node)
                pending += [self._instead(t) for t in node.inputs]
        return [node for node in self.graph.nodes if node in nodes]

    def _copy(self, node: Node):
        """Returns the copy of a layer, the same one wherever the layer is called."""
        operation = node.operation
        if not hasattr(operation, "get_config"):
            return operation
        if id(operation) not in self.copies:
            self.copies[id(operation)] = _copied(operation, self._free_name(node.name))
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
    """Returns a layer made from the configuration of another one, without its weights.

    Raises:
        ValueError: The layer cannot be made from what it says of itself.
    """
    if isinstance(layer, keras.layers.Lambda):
        # Its function is here: nothing of a file has to be run, which `from_config` refuses to do.
        own = {
            "output_shape": layer._output_shape,
            "mask": layer.mask,
            "arguments": layer.arguments,
        }
        return keras.layers.Lambda(layer.function, **own, name=name, dtype=layer.dtype_policy)
    try:
        config = layer.get_config()
        return type(layer).from_config(config | {"name": name} if "name" in config else config)
    except Exception as error:  # whoever wrote the layer decides of which type
        raise ValueError(
            f"Received a model whose layer {name} ({type(layer).__name__}) cannot be made again "
            f"from its configuration ({_first_sentence(error)}), expected a get_config() with all "
            "that its __init__ takes: a model with such a layer cannot be pruned."
        ) from error


def _first_sentence(error: Exception) -> str:
    said = " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return f"{type(error).__name__}: {said}"
