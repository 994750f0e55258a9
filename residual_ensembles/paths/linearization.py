"""Linearization of a chain at the activations of one batch."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import zip_longest

from keras import ops, tree

from residual_ensembles import backend
from residual_ensembles.arguments import require_choice
from residual_ensembles.backend.precision import compiled
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.targets import check_numbers, first_not_finite
from residual_ensembles.models.types import Inputs, Loss, Targets, Tensor
from residual_ensembles.parameters import BATCH_NORM, TARGETS
from residual_ensembles.paths.cotangents import stacked
from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.paths.products import Products, frozen, products_for


class ModuleWithSegment:
    """A module with the segment that follows it, on all paths, as part of its `after`.

    It has no config, so that it shares no compiled code.
    """

    def __init__(self, module, segment, training: bool):
        self.module = module
        self.segment = segment
        self.training = training
        self.has_skip = module.has_skip
        self.compute_dtype = module.compute_dtype
        self.residual = module.residual
        self.skip = module.skip

    def after(self, z):
        """Returns the output of module and segment for skip plus residual `z`."""
        return self.segment(self.module.after(z), training=self.training)

    @property
    def own_variables(self) -> list:
        """The variables of the module itself."""
        return self.module.variables

    @property
    def variables(self) -> list:
        """The variables of both, each once."""
        both = [*self.module.variables, *self.segment.variables]
        return list({id(v): v for v in both}.values())


@dataclass(frozen=True)
class LinearizedModule:
    """A module linearized at the activations of one batch."""

    products: Products
    weights: list
    y: Tensor
    """Input of the module, `(batch, ...)`."""
    saved: tuple
    """Activations that backward passes need: second result of `products.forward`."""

    def to_weights(self, cotangent):
        """Returns the gradient of the module's trainable weights, in one row."""
        return self.products.to_weights(self.weights, self.y, cotangent)


@dataclass(frozen=True)
class LinearizedBatch:
    """A chain linearized at the activations of one batch."""

    modules: list[LinearizedModule]
    cotangent: Tensor
    """Gradient of the batch's mean loss with respect to y_n, `(batch, ...)`."""
    loss: float
    """Mean loss of the batch: cross entropy in nats, by default."""
    backprop_stem: Callable
    """Maps a list of cotangents of y_0 to those of the images."""
    length_cache: dict = field(default_factory=dict)
    """Results of `backprop_by_length`, by largest length and module."""

    @cached_property
    def gradients(self) -> list:
        """The ordinary gradient with respect to y_0, …, y_n."""
        result = [self.cotangent]
        for module in reversed(self.modules):
            result.append(module.products.backprop(module.weights, module.y, result[-1]))
        return result[::-1]

    def at_target(self, rows: list, target: str) -> list:
        """Returns cotangents of the target, "y0" or "image", from those of y_0."""
        require_choice("target", target, TARGETS)
        return rows if target == "y0" else self.backprop_stem(rows)

    def gradient(self, target: str):
        """Returns the ordinary gradient with respect to the target, "y0" or "image".

        Raises:
            ValueError: There is no such target.
            ArithmeticError: The gradient is NaN or infinite; names the first example.
        """
        [gradient] = self.at_target(self.gradients[:1], target)
        first = first_not_finite(ops.convert_to_numpy(ops.cast(gradient, "float32")))
        if first is not None:
            raise ArithmeticError(
                "Received a batch for which the gradient is NaN or infinite, the first in example "
                f"{first} (counted from 0), expected numbers: look for weights that are NaN or "
                "for a layer or a loss without a derivative there, as the root has none at 0."
            )
        return gradient


class Linearization:
    """Runs batches forward through a chain and saves what backward passes need.

    The network is not changed, nor the moving statistics of batch normalization. Weights are read
    at each batch, so those of a snapshot may be set in between.

    Args:
        chain: Network to linearize.
        batch_norm: "inference" uses the moving statistics. "training" uses those of the batch: they
            couple its images, and their derivative is part of the residual's. Before training the
            moving statistics are still 0 and 1, and inference mode is meaningless.
        closed_forms: Whether modules that have products in closed form use them; for tests.
        loss: Whatever `keras.losses.get` takes; None for what the model was compiled with, else the
            cross entropy of class labels.

    Raises:
        ValueError: Another mode of batch normalization, or no such loss.

    Example:
        >>> import numpy as np
        >>> from residual_ensembles import models, paths
        >>> chain = models.build("resnet", 8, (8, 8, 1), 10, mean=[127.0], std=[64.0])
        >>> images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1))
        >>> batch = Linearization(chain).linearize(images, [3, 7])
        >>> paths.batch_gradient_by_length(batch).lengths.tolist()
        [0, 1, 2, 3]
    """

    def __init__(
        self,
        chain: Chain,
        batch_norm: str = "inference",
        closed_forms: bool = True,
        loss: Loss | None = None,
    ):
        require_choice("batch_norm", batch_norm, BATCH_NORM)
        self.chain = chain
        self._training = batch_norm == "training"
        self._mean_loss = MeanLoss(chain, loss)
        self._modules = [
            module if segment is None else ModuleWithSegment(module, segment, self._training)
            for module, segment in zip_longest(chain.modules, chain.segments)
        ]
        self._products = [
            products_for(module, shape, self._training, closed_forms)
            for module, shape in zip(self._modules, chain.shapes, strict=False)
        ]
        self._stem_forward = compiled(self._stem)
        self._stem_backprop = compiled(self._stem_back)
        self._loss_and_cotangent = compiled(self._loss)

    def linearize(self, images: Inputs, labels: Targets) -> LinearizedBatch:
        """Returns the chain linearized at one batch.

        Args:
            images: Input `(batch, ...)`; images in 0..255.
            labels: Class of each, `(batch,)` or one-hot; or targets of the loss.

        Raises:
            ValueError: Labels or targets do not fit, or are not numbers.
            ArithmeticError: An output, of which the first example is named, or the loss is not
                finite.
        """
        check_numbers("inputs", images)
        labels = self._mean_loss.targets(labels, len(images))
        chain = self.chain
        stem, head = _weights(chain.stem), _weights(chain.head)
        images = ops.cast(ops.convert_to_tensor(images), chain.stem.compute_dtype)
        y, linearized = self._stem_forward(stem, images), []
        for module, products in zip(self._modules, self._products, strict=True):
            weights = products.weights(module)
            out, saved = products.forward(weights, y)
            linearized.append(LinearizedModule(products, weights, y, saved))
            y = out
        targets = tree.map_structure(ops.convert_to_tensor, labels)
        outputs, loss, cotangent = self._loss_and_cotangent(head, y, targets)
        first = first_not_finite(ops.convert_to_numpy(ops.cast(outputs, "float32")))
        if first is not None:
            raise ArithmeticError(
                f"{chain.name} outputs NaN or infinity for example {first} (counted from 0), "
                "expected outputs that are finite: look for inputs that are not, and for weights "
                "that are NaN or have grown beyond all bounds."
            )
        if not math.isfinite(float(loss)):
            raise ArithmeticError(
                f"Received a batch for which the loss {self._mean_loss.name} of {chain.name} is "
                f"{float(loss)} though all outputs are finite, expected a number: look for targets "
                "and outputs that the loss cannot take."
            )
        return LinearizedBatch(
            linearized, cotangent, float(loss), lambda rows: self._stem_backprop(stem, images, rows)
        )

    def _stem(self, weights, images):
        with frozen(self.chain.stem, weights):
            return self.chain.stem(images, training=self._training)

    def _stem_back(self, weights, images, rows):
        _, pull = backend.vjp(lambda x: self._stem(weights, x), images)
        return stacked(partial(backend.map_rows, lambda row: pull(row)[0]), rows)

    def _loss(self, weights, y, labels):
        def head(y):
            with frozen(self.chain.head, weights):
                return self.chain.head(y, training=self._training)

        value, pull = backend.vjp(lambda y: self._mean_loss(labels, head(y)), y)
        return head(y), value, pull(ops.ones_like(value))[0]


def _weights(layer) -> list:
    return [ops.convert_to_tensor(v.value) for v in layer.variables]
