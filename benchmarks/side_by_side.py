"""Ratios that a busy machine does not spoil: everything in turn, in one hour, on one machine.

Each ratio comes twice: of the seconds on the wall, and as `cpu_ratio` of the processor seconds,
which other programs on the machine disturb less. Both are the median over the rounds of what one
thing takes in a round by what its baseline takes in the same round.

Importing `residual_ensembles` makes settings of the process, which cannot be undone there and are
inherited through the environment. What shall run without them is a `Contestant`, a process of its
own, and this file is imported before anything of ours: it keeps the environment as it found it.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import NamedTuple

import joblib
from absl import flags

USERS_ENVIRONMENT = dict(os.environ)

FLAGS = flags.FLAGS
flags.DEFINE_bool("json", False, "one JSON object per line")
flags.DEFINE_integer("rounds", 5, "counted rounds", 1)

BOTH_OURS = "both sides of each ratio run under our settings"
BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""Instruction sets, as the kernel names them, without which bfloat16 is emulated."""


class Cost(NamedTuple):
    """What something took, in seconds on the wall and of all processors."""

    wall: float
    cpu: float

    def times(self, factor: float) -> "Cost":
        return Cost(self.wall * factor, self.cpu * factor)

    def plus(self, other: "Cost") -> "Cost":
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


def cost(function: Callable[[], object]) -> Cost:
    """Returns what one call takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def interleaved(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[Cost]]:
    """Returns the cost of each function in each round, after one round that is not counted."""
    costs = {name: [] for name in functions}
    for i in range(rounds + 1):
        for name, function in functions.items():
            taken = cost(function)
            if i:
                costs[name].append(taken)
    return costs


class Contestant:
    """What is measured in a process of its own, which is asked for one round after the other.

    The process is this program with two flags more, in the environment that the program was started
    in. It begins at once and makes one round that is not counted, which compiles.

    Args:
        name: What it runs.
        settings: "ours" if it imports `residual_ensembles` first, "theirs" if it never does.
    """

    def __init__(self, name: str, settings: str):
        flags_of_it = [f"--contestant={name}", f"--settings={settings}"]
        self.process = subprocess.Popen(  # noqa: S603 - this program
            [sys.executable, *sys.argv, *flags_of_it],
            env={"TF_CPP_MIN_LOG_LEVEL": "3"} | USERS_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> object:
        """Waits for what `serve` returns: first its title, then a cost for each question."""
        line = self.process.stdout.readline()
        if not line:
            command = " ".join(self.process.args)
            raise RuntimeError(f"{command} ended with exit status {self.process.wait()}.")
        return json.loads(line)

    def cost(self) -> Cost:
        """Returns what one round takes."""
        print(file=self.process.stdin, flush=True)
        return Cost(*self.answer())

    def close(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def serve(make: Callable[[], tuple[Callable[[], object], object]]) -> None:
    """Times a round for each line that is read: the process of a contestant.

    `make` returns what a round is, and the first answer.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    function, title = make()
    function()
    print(json.dumps(title), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(cost(function)), file=answers, flush=True)


def median(costs: Sequence[Cost]) -> Cost:
    """Returns the median over the rounds, of each kind of seconds."""
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def ratio(costs: Sequence[Cost], baseline: Sequence[Cost]) -> Cost:
    """Returns the median over the rounds of cost by cost of the baseline, two ratios."""
    pairs = list(zip(costs, baseline, strict=True))
    return median([Cost(a.wall / b.wall, a.cpu / b.cpu) for a, b in pairs])


def announce(sides: str) -> None:
    """Prints, before the first row, the machine and the settings of both sides of a ratio."""
    # Not at the top: a contestant may be without our settings.
    from residual_ensembles.backend import process
    from residual_ensembles.storage import provenance

    machine = {"processor": provenance.processor(), "cores": joblib.cpu_count()}
    machine |= process.settings() | {"versions": provenance.versions()}
    with contextlib.suppress(metadata.PackageNotFoundError):
        machine["versions"]["torch"] = metadata.version("torch")
    onednn = {True: "on", False: "off", None: "unknown"}[machine["onednn"]]
    emit(
        {"name": "machine", **machine, "settings": sides},
        f"{machine['processor']}, {machine['cores']} cores, "
        f"{' '.join(machine['instruction_sets'])}; oneDNN {onednn}, allocator "
        f"{machine['allocator']}; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + f"\n{sides}",
    )


def without_bfloat16(*rows: str) -> bool:
    """Returns whether rows are left out, and says so: bfloat16 is emulated on this processor."""
    from residual_ensembles.backend import process

    if set(BFLOAT16) & set(process.settings()["instruction_sets"]):
        return False
    why = f"this processor has none of {', '.join(BFLOAT16)}"
    emit({"skipped": rows, "why": why}, f"skipped: {', '.join(rows)}: {why}")
    return True


def wanted(row: str) -> bool:
    """Returns whether a row is to be measured."""
    return not FLAGS.rows or row in FLAGS.rows


def report(name: str, value: Cost | None, baseline: str, n: int, **more) -> None:
    """Prints one result, as a line of JSON or for a person; the numbers to four digits."""
    if value is not None:
        more = {"cpu_ratio": value.cpu, **more}
    more = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in more.items()}
    extra = ", ".join(f"{k} {v}" for k, v in more.items())
    shown = "—" if value is None else f"{value.wall:.3f}"
    wall = value and round(value.wall, 3)
    emit(
        {"name": name, "ratio": wall, "baseline": baseline, "n": n, **more},
        f"{name:40} {shown:>8} × {baseline} (n={n}) {extra}",
    )


def progress(text: str) -> None:
    """Prints on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)


def emit(line: dict, text: str) -> None:
    """Prints a line of JSON or for a person, at once."""
    print(json.dumps(line) if FLAGS.json else text, flush=True)
