"""Callbacks of training: history, snapshots, checkpoints."""

import time
from pathlib import Path

import keras

from residual_ensembles.models import save
from residual_ensembles.storage.files import content_of
from residual_ensembles.training import checkpoint
from residual_ensembles.training.checkpoint import SNAPSHOTS, Progress

# A killed run loses at most this much work, and one step.
SECONDS_BETWEEN_CHECKPOINTS = 20.0


def snapshot_name(epoch: int) -> str:
    """Returns the file name of the network after `epoch` epochs."""
    return f"epoch-{epoch:04d}.keras"


class Recorder(keras.callbacks.Callback):
    """Keeps a run's place, so that it can go on from there.

    The order at the end of an epoch matters: snapshot, history row, checkpoint. A run killed
    between them repeats what is missing. Within an epoch a checkpoint holds the sums of the
    metrics as well, so that the row of a resumed epoch is that of an unbroken one.

    Args:
        folder: Folder of the run's checkpoint and snapshots.
        fingerprint: The run's fingerprint.
        progress: How far it is; kept up to date.
        steps_per_epoch: Steps of a whole epoch.
        snapshots: Epochs after which the network is kept.
        seconds_between: Between two checkpoints; None for `SECONDS_BETWEEN_CHECKPOINTS`.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        progress: Progress,
        steps_per_epoch: int,
        snapshots: tuple[int, ...],
        seconds_between: float | None = None,
    ):
        super().__init__()
        self.folder = folder
        self.fingerprint = fingerprint
        self.progress = progress
        self.steps_per_epoch = steps_per_epoch
        self.snapshots = snapshots
        self.seconds_between = (
            SECONDS_BETWEEN_CHECKPOINTS if seconds_between is None else seconds_between
        )
        self.resumed_metrics = None

    def resume(self) -> bool:
        """Brings the trainer to where the run was; returns whether there was anything."""
        result = checkpoint.read(self.folder, self.model.state_variables, self.fingerprint)
        if result is None:
            return False
        self.progress.__dict__.update(vars(result))
        # fit empties the metrics when it begins an epoch: they are filled again after that.
        self.resumed_metrics = [keras.ops.copy(v.value) for v in self.model.metrics_variables]
        return True

    def on_train_begin(self, logs=None):
        self.clock = self.saved = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        if self.resumed_metrics is not None and self.progress.step % self.steps_per_epoch:
            for variable, value in zip(
                self.model.metrics_variables, self.resumed_metrics, strict=True
            ):
                variable.assign(value)
        self.resumed_metrics = None

    def on_train_batch_end(self, batch, logs=None):
        self.progress.step += 1
        ends_epoch = self.progress.step % self.steps_per_epoch == 0
        if not ends_epoch and time.monotonic() - self.saved > self.seconds_between:
            self.checkpoint()

    def on_epoch_end(self, epoch, logs=None):
        self.progress.history.append(self.row(epoch + 1, logs))
        if epoch + 1 in self.snapshots:
            self.save_snapshot(epoch + 1)
        self.checkpoint()

    def save_snapshot(self, epoch: int):
        """Keeps the network as it is after `epoch` epochs."""
        file = self.folder / SNAPSHOTS / snapshot_name(epoch)
        save(self.model.chain, file)
        self.progress.snapshots[file.name] = content_of(file)

    def row(self, epoch: int, logs: dict) -> dict:
        """Returns the epoch's row of the history."""
        row = {
            "epoch": epoch,
            "step": self.progress.step,
            "learning_rate": float(self.model.optimizer.learning_rate),
            "loss": logs["loss"],
            "error_fraction": logs["error_fraction"],
        }
        if "val_loss" in logs:
            row["validation_loss"] = logs["val_loss"]
            row["validation_error_fraction"] = logs["val_error_fraction"]
        return row

    def checkpoint(self):
        """Writes the state of the run."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # JAX keeps the state of the loop outside the variables
        now = time.monotonic()
        self.progress.seconds += now - self.clock
        self.clock = self.saved = now
        checkpoint.write(self.folder, self.model.state_variables, self.progress, self.fingerprint)
