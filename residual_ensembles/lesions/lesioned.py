"""A network after a lesion, to be called like the network itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops, tree

from residual_ensembles.backend.precision import compiled
from residual_ensembles.lesions.constraints import check_lesion
from residual_ensembles.lesions.engine.reference import function_of
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.examples import as_arrays, packed_examples
from residual_ensembles.models.types import Inputs, Tensor


class LesionedChain:
    """A chain after a lesion, in inference, as `Chain.without` and `Chain.with_lesion` return it.

    Args:
        chain: The network, whose weights are shared.
        lesion: A `Lesion`, its text, or the modules to delete, numbered from 1.

    Raises:
        ValueError: The text is not a lesion, or the network does not allow it.

    Example:
        >>> import keras, numpy as np
        >>> from residual_ensembles import unravel
        >>> x = keras.Input((4,))
        >>> y = keras.layers.Add()([x, keras.layers.Dense(4, activation="relu")(x)])
        >>> chain = unravel(keras.Model(x, y))
        >>> examples = np.eye(4, dtype="float32")
        >>> bool((np.asarray(chain.without(1)(examples)) == examples).all())
        True
        >>> chain.with_lesion("duplicate 1").predict(examples).shape
        (4, 4)
    """

    def __init__(self, chain: Chain, lesion: Lesion | str | Sequence[int]):
        if isinstance(lesion, str):
            lesion = Lesion.parse(lesion)
        elif not isinstance(lesion, Lesion):
            lesion = Lesion(deletions=lesion)
        check_lesion(lesion, chain)
        self.chain = chain
        self.lesion = lesion
        steps = lesion.steps(len(chain.modules), chain.segment_positions)
        self._functions = [function_of(chain, step) for step in steps]
        self._compiled = compiled(self._outputs)

    def __call__(self, x: Inputs) -> Any:
        """Returns the outputs of the network after the lesion, structured as its own.

        Args:
            x: A batch, as the network takes it.
        """
        return self.chain.unpacked_outputs(self._outputs(self.chain.packed_inputs(x)))

    def predict(self, x: Inputs, batch_size: int = 32) -> Any:
        """Returns the outputs of any number of examples, batch by batch, as NumPy arrays.

        Args:
            x: As `keras.Model.predict` takes it: arrays, a list or a dictionary of them, a
                `tf.data.Dataset` or a `keras.utils.PyDataset`.
            batch_size: Examples in a batch.

        Raises:
            ValueError: There is no example, or it has another shape than the network's; or the
                batch size is below 1.
        """
        if batch_size < 1:
            raise ValueError(f"Received batch_size={batch_size}, expected 1 or more.")
        packed = packed_examples(self.chain, as_arrays(self.chain, x)[0])
        batches = []
        for start in range(0, len(packed), batch_size):
            made = self._compiled(ops.convert_to_tensor(packed[start : start + batch_size]))
            made = self.chain.unpacked_outputs(made)
            batches.append(tree.map_structure(ops.convert_to_numpy, made))
        return tree.map_structure(lambda *arrays: np.concatenate(arrays), *batches)

    def _outputs(self, x: Tensor) -> Tensor:
        y = self.chain.stem(x, training=False)
        for function in self._functions:
            y = function(y, training=False)
        return self.chain.head(y, training=False)

    def __repr__(self) -> str:
        return f"<{self.chain.name} after {str(self.lesion)!r}>"
