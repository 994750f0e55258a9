"""Callbacks of training: history, snapshots, checkpoints, and a live log for DVC."""

import time
from importlib.util import find_spec
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
    """Records history, snapshots and checkpoints of a run, so that it can be resumed.

    At the end of an epoch come, in this order: snapshot, history row, checkpoint. A run killed
    between them repeats what is missing. Within an epoch a checkpoint also holds the sums of the
    metrics, so that the row of a resumed epoch is that of an unbroken one.

    Args:
        folder: Folder of the run's checkpoint and snapshots, named by its fingerprint.
        progress: Progress of the run; updated here.
        steps_per_epoch: Steps of an epoch.
        snapshots: Epochs after which the network is saved.
    """

    def __init__(
        self,
        folder: Path,
        progress: Progress,
        steps_per_epoch: int,
        snapshots: tuple[int, ...],
    ):
        super().__init__()
        self.folder = folder
        self.progress = progress
        self.steps_per_epoch = steps_per_epoch
        self.snapshots = snapshots
        self.resumed_metrics: list | None = None

    def resume(self) -> bool:
        """Restores the trainer from the last checkpoint; returns whether there was one."""
        result = checkpoint.read(self.folder, self.model.state_variables, self.folder.name)
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
        if not ends_epoch and time.monotonic() - self.saved > SECONDS_BETWEEN_CHECKPOINTS:
            self.checkpoint()

    def on_epoch_end(self, epoch, logs=None):
        self.progress.history.append(self.row(epoch + 1, logs))
        if epoch + 1 in self.snapshots:
            self.save_snapshot(epoch + 1)
        self.checkpoint()

    def save_snapshot(self, epoch: int):
        """Saves the network after `epoch` epochs."""
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
        checkpoint.write(self.folder, self.model.state_variables, self.progress, self.folder.name)


def in_dvc_repository() -> bool:
    """Whether the current folder belongs to a DVC repository with a commit.

    Elsewhere DVCLive would make one out of any git repository that it finds. Where DVC is not
    installed, no folder does.
    """
    if find_spec("dvc") is None or find_spec("dvclive") is None:
        return False
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import NoSCMError

    try:
        with Repo() as repo:
            return not getattr(repo.scm, "no_commits", False)
    except (NotDvcRepoError, NoSCMError):  # the second: DVC without git has no commits
        return False


class LiveLog(keras.callbacks.Callback):
    """Logs each row of the history with DVCLive, for `dvc plots` and `dvc exp show`.

    Rows from before an interruption are logged again first, so that a resumed run leaves the same
    files as an unbroken one.

    Others append to the history before this callback is called.
    """

    def __init__(self, folder: Path, history: list[dict]):
        from dvclive import Live

        super().__init__()
        self.history = history
        # The pipeline, not DVCLive, says which files are plots and metrics.
        self.live = Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None)
        self.logged = 0
        self.log_new_rows()

    def on_epoch_end(self, epoch, logs=None):
        self.log_new_rows()

    def log_new_rows(self):
        """Logs the rows that have not been logged."""
        for row in self.history[self.logged :]:
            for name, value in row.items():
                if name not in ("epoch", "step"):
                    self.live.log_metric(name, value, plot=True)
            self.live.next_step()
        self.logged = len(self.history)

    def close(self):
        """Writes the rest; once for a run, in which `fit` is called twice after an interruption."""
        self.live.end()
