"""Ratios that a busy machine does not spoil: everything in turn, in one process."""

import json
import statistics
import sys
import time
from collections.abc import Callable


def seconds(function: Callable[[], object]) -> float:
    """Returns how long one call takes, seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def interleaved(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each function in each round, after one round that is not counted."""
    times = {name: [] for name in functions}
    for i in range(rounds + 1):
        for name, function in functions.items():
            elapsed = seconds(function)
            if i:
                times[name].append(elapsed)
    return times


def ratio(times: list[float], baseline: list[float]) -> float:
    """Returns the median over the rounds of time by time of the baseline."""
    return statistics.median(a / b for a, b in zip(times, baseline, strict=True))


def report(name: str, value: float | None, baseline: str, n: int, as_json: bool, **more) -> None:
    """Prints one result, as a line of JSON or for a person."""
    row = {"name": name, "ratio": value, "baseline": baseline, "n": n, **more}
    if as_json:
        print(json.dumps(row), flush=True)
    else:
        extra = ", ".join(f"{k} {v}" for k, v in more.items())
        shown = "—" if value is None else f"{value:.3f}"
        print(f"{name:40} {shown:>8} × {baseline} (n={n}) {extra}", flush=True)


def progress(text: str) -> None:
    """Tells on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)
