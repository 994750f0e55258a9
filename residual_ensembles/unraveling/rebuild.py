"""A model without some of its modules, as an ordinary Keras model."""

from collections.abc import Collection

import keras
from keras import tree

from residual_ensembles.unraveling.graph import Graph, Node, functional


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
            config = operation.get_config()
            if "name" in config:
                config["name"] = self._free_name(node.name)
            self.copies[id(operation)] = type(operation).from_config(config)
        return self.copies[id(operation)]

    def _free_name(self, address: str) -> str:
        name = wanted = address.replace("/", "_").replace(":", "_")
        n = 1
        while name in self.names:
            n += 1
            name = f"{wanted}_{n}"
        self.names.add(name)
        return name
