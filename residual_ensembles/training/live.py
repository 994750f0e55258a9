"""Progress for DVCLive: what `dvc plots` and `dvc exp show` look at."""

from importlib.util import find_spec
from pathlib import Path

import keras


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
    """Logs each epoch's row of the history.

    Rows from earlier sittings are logged again first, so that an interrupted run leaves the same
    files as an unbroken one.

    Args:
        folder: Where DVCLive writes.
        history: Rows of the run, to which others append before this callback is called.
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
        """Logs the rows that have not been."""
        for row in self.history[self.logged :]:
            for name, value in row.items():
                if name not in ("epoch", "step"):
                    self.live.log_metric(name, value, plot=True)
            self.live.next_step()
        self.logged = len(self.history)

    def close(self):
        """Writes what is left. Once for a run: `fit` may be called twice, for a broken epoch."""
        self.live.end()
