"""Ratios that a busy machine does not spoil: everything in turn, in one process.

Each ratio comes twice: of the seconds on the wall, and as `cpu_ratio` of the processor seconds,
which other programs on the machine disturb less. Both are the median over the rounds of what one
thing takes in a round by what its baseline takes in the same round.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


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


def median(costs: Sequence[Cost]) -> Cost:
    """Returns the median over the rounds, of each kind of seconds."""
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def ratio(costs: Sequence[Cost], baseline: Sequence[Cost]) -> Cost:
    """Returns the median over the rounds of cost by cost of the baseline, two ratios."""
    pairs = list(zip(costs, baseline, strict=True))
    return median([Cost(a.wall / b.wall, a.cpu / b.cpu) for a, b in pairs])


def report(name: str, value: Cost | None, baseline: str, n: int, as_json: bool, **more) -> None:
    """Prints one result, as a line of JSON or for a person; the numbers to four digits."""
    if value is not None:
        more = {"cpu_ratio": value.cpu, **more}
    more = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in more.items()}
    if as_json:
        wall = value and round(value.wall, 3)
        print(
            json.dumps({"name": name, "ratio": wall, "baseline": baseline, "n": n, **more}),
            flush=True,
        )
    else:
        extra = ", ".join(f"{k} {v}" for k, v in more.items())
        shown = "—" if value is None else f"{value.wall:.3f}"
        print(f"{name:40} {shown:>8} × {baseline} (n={n}) {extra}", flush=True)


def progress(text: str) -> None:
    """Tells on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)
