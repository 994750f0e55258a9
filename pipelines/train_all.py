"""Trains the networks of a study, several at once, and tells DVC of them.

    dvc repro prepare && python -m pipelines.train_all && dvc repro

DVC runs the instances of a matrix one after another, and a small network keeps one core busy. Each
run is the very command of its stage, with its share of the cores; one that is killed goes on when
this is started again. The members of the ensemble are trained beside the others; its stage finds
them finished and lets them vote.

With RESIDUAL_ENSEMBLES_ENGINE=ray each runs on a node of a cluster that has room for it. This
folder has to lie on storage that all nodes reach under the same name: a run whose node dies goes on
from its last checkpoint on another one.

`python -m pipelines.train_all --help`
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING

from absl import flags

from pipelines import study
from pipelines.training_memory import most_bytes
from residual_ensembles import cli, runtime
from residual_ensembles.backend.threads import given_threads, processors, task_threads
from residual_ensembles.runtime.commands import run_command, started, tell

if TYPE_CHECKING:
    from dvc.stage import Stage

FLAGS = flags.FLAGS

TRAIN = "train@"
ENSEMBLE = "ensemble"
"""The stage that trains networks beside the instances of `train`."""


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_integer(
        "processes",
        None,
        "networks trained at once on this machine; default: one for each core, or 1 on JAX, which "
        "takes all of a GPU's memory",
        1,
    )


def unfinished() -> dict[str, "Stage"]:
    """Returns each stage that trains and that `dvc repro` would run, by name.

    The name of an instance of `train` is that of its item.

    Raises:
        ValueError: There is no pipeline here.
    """
    with _repository() as repo:
        stages = {
            stage.addressing: stage
            for stage in repo.index.stages
            if stage.addressing.startswith(TRAIN) or stage.addressing == ENSEMBLE
        }
        changed = repo.status(list(stages)) if stages else {}
    return {n.removeprefix(TRAIN): stage for n, stage in stages.items() if n in changed}


@contextmanager
def _repository():
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            yield repo
    except DvcException as error:
        raise ValueError(f"DVC cannot read the pipeline: {error}") from error


def on_what(stage: "Stage") -> tuple[str, dict]:
    """Returns the command of a stage, and what it depends on, with the checksum of each now."""
    return stage.cmd, {dependency.def_path: dependency.get_hash() for dependency in stage.deps}


def record(before: dict[str, tuple]) -> None:
    """Tells DVC of what was trained, as `dvc commit` does, so that it need not run the stages.

    Args:
        before: By name of the item, what its stage was when it was started. Where it is another
            one by now, DVC has to look for itself.
    """
    with _repository() as repo:
        for stage in repo.index.stages:
            name = stage.addressing.removeprefix(TRAIN)
            if name in before and on_what(stage) == before[name]:
                repo.commit(stage.addressing, force=True)


def with_members(commands: dict[str, str], n_members: int, processes: int) -> dict[str, str]:
    """Returns the commands with that of the ensemble replaced by one for each group of members.

    A group is trained by one process, for starting one takes as long as training a small network:
    there are as many as run at once. They come last, short ones that fill what the networks leave
    free at the end.

    Args:
        commands: By name.
        n_members: Of the ensemble; with 0 there is nothing to train.
        processes: How many commands run at once.
    """
    others = {name: command for name, command in commands.items() if name != ENSEMBLE}
    if ENSEMBLE not in commands:
        return others
    groups = min(n_members, processes)
    chosen = [",".join(map(str, range(i, n_members + 1, groups))) for i in range(1, groups + 1)]
    return others | {f"members {c}": f"{commands[ENSEMBLE]} --only={c}" for c in chosen}


class Runs:
    """Commands that run side by side, each line of theirs printed behind the run's name.

    Args:
        processes: How many at once.
        threads: Of each.
    """

    def __init__(self, processes: int, threads: int):
        self.pool = ThreadPoolExecutor(processes)
        self.threads = given_threads() or threads
        self.running: set[subprocess.Popen] = set()

    def all(self, commands: dict[str, str], finished: Callable[[str], object]) -> None:
        """Runs them all.

        Args:
            commands: By name.
            finished: Called with the name of each that ended well, as soon as it did.
        """
        names = {self.pool.submit(self._run, n, c): n for n, c in commands.items()}
        try:
            for done in as_completed(names):
                if done.result() == 0:
                    finished(names[done])
        finally:
            self.pool.shutdown(wait=False, cancel_futures=True)
            for process in list(self.running):
                os.killpg(process.pid, signal.SIGTERM)

    def _run(self, name: str, command: str) -> int:
        process = started(command, os.getcwd(), self.threads)
        self.running.add(process)
        tell(name, process)
        self.running.discard(process)
        return process.returncode


def _constant(*arguments) -> Callable[[], tuple]:
    return lambda: arguments


class ClusterRuns:
    """The same on a Ray cluster: each command where there is room, in this folder.

    Args:
        memory_bytes: What each takes, beside Python and the libraries.
    """

    def __init__(self, memory_bytes: int):
        self.memory_bytes = memory_bytes

    def all(self, commands: dict[str, str], finished: Callable[[str], object]) -> None:
        """Runs them all.

        Args:
            commands: By name.
            finished: Called with the name of each that ended well, as soon as it did.

        Raises:
            OSError: One failed again and again; the others go on from their checkpoints later.
        """
        from residual_ensembles.runtime.cluster import Ray

        folder, threads, names = os.getcwd(), task_threads(), list(commands)
        tasks = [
            runtime.Task(name, run_command, _constant(name, command, folder, threads))
            for name, command in commands.items()
        ]
        with Ray(show=True) as ray:
            ray.run(
                tasks,
                finished=lambda index, _: finished(names[index]),
                memory_bytes=self.memory_bytes,
            )
            print(ray.told())


def _runs(on_cluster: bool, processes: int, parameters: dict) -> Runs | ClusterRuns:
    if on_cluster:
        return ClusterRuns(most_bytes(parameters))
    return Runs(processes, max(1, processors() // processes))


def main() -> None:
    """Trains what is not trained yet."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no run is left alone
    stages, parameters = unfinished(), study.load()
    members = parameters["ensemble"]["members"]
    on_cluster = runtime.choose_engine() == "ray"
    most = len(stages) + members if on_cluster else runtime.n_at_once(processors())
    limit = FLAGS.processes or most
    commands = with_members({name: stage.cmd for name, stage in stages.items()}, members, limit)
    if not commands:
        print("every network is trained, nothing to do")
        return
    before = {name: on_what(stage) for name, stage in stages.items() if name != ENSEMBLE}
    trained: list[str] = []
    try:
        _runs(on_cluster, min(limit, len(commands)), parameters).all(commands, trained.append)
    finally:
        record({name: found for name, found in before.items() if name in trained})
    failed = [name for name in commands if name not in trained]
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(commands)} runs did not end well: "
            f"{', '.join(failed)}. What they printed is above; the others are finished."
        )
    print("every network is trained; go on with: dvc repro")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
