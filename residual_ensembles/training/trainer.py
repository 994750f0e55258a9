"""The train step: crops on the device, gated modules, gated updates."""

from collections.abc import Sequence

import keras
from keras.optimizers.schedules import LearningRateSchedule

from residual_ensembles import backend, data
from residual_ensembles.arguments import checked
from residual_ensembles.models import Chain
from residual_ensembles.training.feed import Feed
from residual_ensembles.training.optimizer import GatedSGD


@checked
class Trainer(keras.Model):
    """A model that trains a chain by `fit`.

    Args:
        chain: Network to train.
        feed: Batches; images that fit in memory are copied to the device once.
        mean: Mean of each channel, 0..255, which padding is filled with to be 0 after
            normalization.
    """

    def __init__(self, chain: Chain, feed: Feed | None = None, mean: Sequence[float] = ()):
        super().__init__(dtype="float32")
        self.chain = chain
        self.mean = list(mean)
        self.error = keras.metrics.Mean(name="error_fraction")
        self.device_images = None
        images = None if feed is None or not feed.on_device else feed.split.array
        if feed is not None and images is not None:
            self.padding = feed.augmentation.padding
            self.device_images = self.add_weight(
                shape=images.shape, dtype="uint8", trainable=False, name="images"
            )
            self.device_images.assign(images)
        self.built = True

    def call(self, inputs, training=None):
        """Returns the logits `(batch, classes)` of a batch of `Feed` or `EvaluationBatches`."""
        images = inputs["images"] if "images" in inputs else self._cropped(inputs)
        gates = inputs.get("gates")
        # They are 0 or 1; as booleans they need no multiplication, nor the gradient of one.
        is_open = None if gates is None else gates > 0
        return self.chain(images, gates=is_open, training=training)

    def _cropped(self, inputs):
        images = keras.ops.take(self.device_images, inputs["index"], axis=0)
        return data.crop_and_flip(
            images, inputs["top"], inputs["left"], inputs["flip"], self.padding, self.mean
        )

    def train_step(self, *arguments):
        """Runs Keras' own step (of either backend), with the gates passed to the optimizer."""
        inputs = arguments[-1][0]
        with self.optimizer.gated(inputs.get("gates")):
            return super().train_step(*arguments)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the mean cross-entropy of the batch."""
        losses = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
        return keras.ops.mean(losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Returns the means of loss and error over the epoch so far."""
        predictions = keras.ops.cast(keras.ops.argmax(y_pred, axis=-1), y.dtype)
        self.error.update_state(keras.ops.not_equal(predictions, y))
        return self.get_metrics_result()

    @property
    def state_variables(self) -> list[keras.Variable]:
        """All variables that a checkpoint holds; the images are not among them."""
        variables = [*self.variables, *self.optimizer.variables, *self.metrics_variables]
        return list({id(v): v for v in variables if v is not self.device_images}.values())


def gates_of(chain: Chain) -> list[int | None]:
    """Returns for each trainable variable the position of the module that alone uses it."""
    position = {id(v): i for i, module in enumerate(chain.modules) for v in module.gated_variables}
    return [position.get(id(v)) for v in chain.trainable_variables]


@checked
def compile_trainer(
    trainer: Trainer, schedule: float | LearningRateSchedule, weight_decay: float
) -> None:
    """Compiles the trainer with `GatedSGD`.

    Example:
        >>> trainer = Trainer(chain)
        >>> compile_trainer(trainer, 0.1, weight_decay=1e-4)
        >>> type(trainer.optimizer).__name__
        'GatedSGD'
    """
    optimizer = GatedSGD(schedule, weight_decay, gates_of(trainer.chain))
    optimizer.build(trainer.trainable_variables)
    trainer.compile(optimizer=optimizer, jit_compile=backend.JIT_COMPILE)
