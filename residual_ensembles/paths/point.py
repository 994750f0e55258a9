"""Where one batch's forward pass went through a chain: the point of all its Jacobians."""


from keras import ops

from residual_ensembles import backend
from residual_ensembles.paths.products import products_for

BATCH_NORM = ("inference", "training")


class Linearization:
    """Runs batches forward through a chain and keeps what the way back needs.

    The network is not changed: what batch normalisation would assign is forgotten. Weights are read
    at each batch, so those of a snapshot may be set in between.

    Args:
        chain: Any chain.
        batch_norm: "inference" uses the moving statistics. "training" uses those of the batch: they
            couple its pictures, and their derivative is part of the residual's. Before training the
            moving statistics are still 0 and 1, and inference mode means nothing.
        closed_forms: Whether to use the closed form of a module that has one; for tests.

    Raises:
        ValueError: Another mode of batch normalisation.
    """

    def __init__(self, chain, batch_norm: str = "inference", closed_forms: bool = True):
        if batch_norm not in BATCH_NORM:
            raise ValueError(
                f"Received batch_norm={batch_norm!r}, expected one of {', '.join(BATCH_NORM)}."
            )
        self.chain = chain
        self.batch_norm = batch_norm
        self._training = batch_norm == "training"
        self._products = [
            products_for(module, shape, self._training, closed_forms)
            for module, shape in zip(chain.modules, chain.shapes, strict=False)
        ]
        self._enter = backend.compile(self._stem)
        self._leave = backend.compile(self._loss)

    def at(self, pictures, labels) -> "Point":
        """Runs one batch forward, and back to y_n.

        Args:
            pictures: Input `(batch, ...)`; pictures in 0..255.
            labels: Class of each, whole numbers `(batch,)`.
        """
        stem, head = (_weights(part) for part in (self.chain.stem, self.chain.head))
        pictures = ops.cast(pictures, _dtype(self.chain.stem))
        y = self._enter(stem, pictures)
        steps = []
        for products, module in zip(self._products, self.chain.modules, strict=True):
            weights = products.weights(module)
            out, point = products.forward(weights, y)
            steps.append(Step(products, weights, y, point, identity_skip(module)))
            y = out
        loss, cotangent = self._leave(head, y, ops.convert_to_tensor(labels, "int32"))
        return Point(self, pictures, stem, steps, cotangent, float(loss))
