"""Programs killed at random moments: started again, they end in the same bytes, and leave nothing.

Each stage runs undisturbed, with tasks in two processes and in its own. A case begins with what lay
there before the stage. It kills the program again and again, at random moments and in one of four
ways, and sees each time that nothing goes on computing; then it lets the program come to its end.
"""

import contextlib
import os
import random
import re
import runpy
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pipelines import reproduce
from residual_ensembles.backend import interruption
from residual_ensembles.backend.threads import THREADS
from residual_ensembles.runtime.choose import ENGINE
from residual_ensembles.storage import checkpoints
from residual_ensembles.training import callbacks
from tests.faults import campaign
from tests.helpers import small_studies
from tests.helpers.clones import ROOT, Clone
from tests.helpers.programs import FORKS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]  # each case has its own limit
STAGES = ("prepare", "train", "lesion_study", "path_gradients", "explorer", "figures", "report")
WITH_TASKS = STAGES[1:4]
WORKER = "SIGKILL of one of its processes"
HOW = ("SIGKILL", "SIGTERM", "SIGINT", WORKER)
KILLS = 5
"""In a case, one after the other."""
MARK = "RESIDUAL_ENSEMBLES_FAULT"
SECONDS_TO_END = 10.0
"""In which all processes have to end, on a machine with nothing else to do."""
NOT_COMPARED = (
    "times.json",
    "*_run.json",
    "tmp",
    "printed",
    ".git",
    "cost.csv",
    "*.running",
    "cache",
    "__pycache__",
    "dvc.lock",
)
"""What says how long something took or on which node, and what is DVC's or Python's own."""
DURATION = re.compile(rb"(\d+ h )?\d+ (min|s)\b")
"""How long networks were trained, as the page of a study says it."""


@dataclass
class Program:
    """One that is killed.

    Attributes:
        module: As after `python -m`.
        words: Its arguments.
        n_processors: On which it runs; on one, tasks run in its own process.
        variables: Of its environment.
    """

    module: str
    words: tuple[str, ...] = ()
    n_processors: int = 2
    variables: tuple[tuple[str, str], ...] = ()

    def __str__(self):
        return f"{self.module} on {self.n_processors}"

    @property
    def is_ours(self) -> bool:
        """Whether it is one of the project's, which says in one line why it ends."""
        return self.module != "dvc"

    def start(self, folder: Path):
        """Starts it in a session of its own, with a folder of its own for temporary files."""
        (folder / "tmp").mkdir(exist_ok=True)
        own = {
            MARK: str(folder),
            "TMPDIR": str(folder / "tmp"),
            checkpoints.VARIABLE: str(folder / ".checkpoints"),
            THREADS: "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *sys.path[1:]))),
            "DVC_NO_ANALYTICS": "1",
            **dict(self.variables),
        }
        process = FORKS.Process(target=_run, args=(self, folder, own))
        process.start()
        while process.exitcode is None and os.getsid(process.pid) != process.pid:
            time.sleep(0.005)
        return process

    def finish(self, folder: Path) -> float:
        """Runs it to its end, and returns the seconds that it took."""
        begun = time.monotonic()
        process = self.start(folder)
        process.join(900)
        assert process.exitcode == 0, printed(folder)[-2000:] or "no end within 900 s"
        return time.monotonic() - begun


def _run(program: Program, folder: Path, variables: dict[str, str]) -> None:
    for number in (1, 2):
        os.dup2(os.open(folder / "printed", os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    if program.is_ours:
        interruption.exit_on_signals()  # as where `python -m` imports one of our programs
    else:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    os.setsid()  # from here on it may be killed
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: program.n_processors])
    os.chdir(folder)
    reproduce.remove_damaged_locks()  # DVC's own, as `make reproduce` does
    os.environ |= variables
    tempfile.tempdir = None
    callbacks.SECONDS_BETWEEN_CHECKPOINTS = 0.0  # after every step: the more places to go on from
    sys.argv = [program.module, *program.words]
    runpy.run_module(program.module, run_name="__main__", alter_sys=True)


def printed(folder: Path) -> str:
    """Returns what programs have printed in a folder."""
    return (folder / "printed").read_text(errors="replace")


def computing(folder: Path, program) -> dict[int, str]:
    """Returns the processes that were started for a folder and have not ended, and their names."""
    found = {} if program.exitcode is not None else {program.pid: str(program)}
    for process in psutil.process_iter():
        try:
            ended = process.status() == psutil.STATUS_ZOMBIE
            if not ended and process.environ().get(MARK) == str(folder):
                found[process.pid] = " ".join(process.cmdline())[-100:]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def kill(process, how: str) -> None:
    """Ends a program, or one of the processes that it has for tasks; the program, without one."""
    workers = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                workers += [child.pid] if "LokyProcess" in " ".join(child.cmdline()) else []
    with contextlib.suppress(ProcessLookupError):
        if how == WORKER:
            os.kill(random.choice(workers) if workers else process.pid, signal.SIGKILL)
        elif how == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        else:
            os.kill(process.pid, signal.Signals[how])


def killed(program: Program, folder: Path, seconds: float, how: str) -> tuple[bool, str | None]:
    """Kills a program after some seconds.

    Returns:
        Whether it had not ended before, and what falls short in how it ends, or None.
    """
    (folder / "printed").write_text("")
    process = program.start(folder)
    process.join(seconds)
    if process.exitcode is not None:
        return False, None if process.exitcode == 0 else f"by itself: {printed(folder)[-500:]}"
    kill(process, how)
    busy = max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))
    deadline = time.monotonic() + busy * SECONDS_TO_END
    while (left := computing(folder, process)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.join()
    if left:
        return True, f"{'; '.join(left.values())} go on"
    said = printed(folder)
    shown = said.partition("Traceback")[2]
    code = (root / name for root in (ROOT, folder) for name in ("residual_ensembles", "pipelines"))
    if any(f'File "{place}/' in shown for place in code):  # and not DVC's own
        return True, f"traceback: {said[-500:]}"
    is_told = "error: " in said or how == "SIGKILL" or process.exitcode in (0, -signal.SIGKILL)
    if program.is_ours and not is_told:
        return True, f"ends with status {process.exitcode} and no word: {said[-500:]}"
    return True, None


def attempt_on(program: Program, before: Path, after: dict, work: Path, kills, seconds: float):
    """Kills again and again, and starts again; returns what falls short, or None."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(before, work, symlinks=True)
    is_gentle = True
    for how, moment in kills:
        delay, is_hit = moment * seconds, False
        while not is_hit:
            is_hit, found = killed(program, work, delay, how)
            delay /= 2  # the end is nearer now
            if found is not None:
                return f"{how}: {found}"
        is_gentle &= how in ("SIGTERM", "SIGINT")
        if is_gentle and (left := list((work / "tmp").iterdir())):
            return f"{how}: temporary files are left: {left[0].name}"
    (work / "printed").write_text("")
    try:
        program.finish(work)
    except AssertionError as error:
        return f"started again: {error}"
    return remains(work, after)


def compared(folder: Path) -> dict[str, bytes]:
    """Returns what two runs of a program have in common: the content of files, by their path."""
    files = campaign.tree(folder, NOT_COMPARED)
    pages = {name: page for name, page in files.items() if name.endswith("report.html")}
    return files | {name: DURATION.sub(b"", page) for name, page in pages.items()}


def remains(work: Path, after: dict) -> str | None:
    """Returns what falls short in what a program has written at last, or None."""
    left = [*(work / "tmp").iterdir()]
    left += [path for path in work.rglob(".*partial-*") if "tmp" not in path.parts]
    if left:
        return f"left behind: {left[0].relative_to(work)}"
    results = compared(work)
    unlike = [name for name in {*after, *results} if after.get(name) != results.get(name)]
    return f"other results: {', '.join(sorted(unlike)[:5])}" if unlike else None


def cases_of(programs) -> list[tuple]:
    """Returns cases: each program, killed in each way at moments between its start and its end."""
    dice = random.Random(campaign.SEED)
    return [
        (program, *((dice.choice(HOW), dice.random()) for _ in range(KILLS)))
        for _ in range(10)
        for program in programs
    ]


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """For each program: the folder before it, its results, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("kills")
    project = folder / "project"
    networks = {"resnet": {"depth": 20}, "small": {"depth": 8}}
    small_studies.write(
        project,
        data={"limit_train": 200, "limit_test": 40},
        network=networks,
        networks=list(networks),
        train={"epochs": 2, "batch_size": 32, "snapshots": [1]},
        lesion={"draws": 1},
        ensemble={"members": 0},
        paths={"batches": 1, "batch_size": 2, "samples": 2},
    )
    first = FORKS.Process(target=int)  # waits for the imports of all; no program shall
    first.start()
    first.join()
    found = {}
    for stage in STAGES:
        before = shutil.copytree(project, folder / stage, symlinks=True)
        for n_processors in (1, 2) if stage in WITH_TASKS else (2,):
            shutil.rmtree(project)
            shutil.copytree(before, project, symlinks=True)
            program = Program(f"pipelines.{stage}", (), n_processors)
            seconds = program.finish(project)
            print(f"{program}: {seconds:.1f} s", flush=True)
            found[str(program)] = program, before, compared(project), seconds
    return found


def test_stages(stages, tmp_path):
    """The two networks train in two processes where there are two processors."""

    def attempt(case):
        name, *kills = case
        program, before, after, seconds = stages[name]
        return attempt_on(program, before, after, tmp_path / "work", kills, seconds)

    campaign.run("kills", cases_of(stages), 170 // KILLS, attempt, tries=KILLS)


@pytest.mark.filterwarnings("ignore")  # of Ray, which leaves files and processes open at its end
def test_nodes(stages, tmp_path):
    """A node of a Ray cluster of two is killed; the program goes on with the other."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 150 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    variables = (("RAY_ADDRESS", cluster.address), (ENGINE, "ray"))
    names = ("train", "lesion_study", "path_gradients")
    programs = [Program(f"pipelines.{name}", (), 2, variables) for name in names]
    work, seconds = tmp_path / "work", {}

    def attempt(case):
        program, (_, moment), *_ = case
        _, before, after, _ = stages[str(program)]
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(before, work, symlinks=True)
        lost = cluster.add_node(**node)
        cluster.wait_for_nodes()
        begun = time.monotonic()
        process = program.start(work)
        process.join(moment * seconds.get(program.module, 30.0))
        is_hit = process.exitcode is None
        cluster.remove_node(lost, allow_graceful=False)
        process.join(900)
        seconds[program.module] = time.monotonic() - begun
        if process.exitcode != 0:
            return f"status {process.exitcode}: {printed(work)[-500:]}"
        return remains(work, after) if is_hit else attempt(case)  # it ended before; try again

    try:
        campaign.run("kills of nodes", cases_of(programs), 10, attempt)
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A clone before and after `dvc repro`, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("dvc")
    study = "\nensemble: {members: 0}\npaths: {samples: 0, batches: 1, batch_size: 4}\n"
    before = Clone(folder / "before", {"tiny": study}).folder
    whole = shutil.copytree(before, folder / "whole", symlinks=True)
    seconds = Program("dvc", ("repro",)).finish(whole)
    return before, compared(whole), seconds


def test_dvc_repro(reproduced, tmp_path):
    before, after, seconds = reproduced

    def attempt(case):
        program, *kills = case
        return attempt_on(program, before, after, tmp_path / "work", kills, seconds)

    cases = cases_of([Program("dvc", ("repro",))])
    campaign.run("kills of dvc", cases, 20 // KILLS, attempt, tries=KILLS)
