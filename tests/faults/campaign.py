"""Bad inputs made from what the project says it takes, how each is judged, and the tally of all.

A campaign tries cases of several kinds. Those of a kind are numbered, and which there are depends
on the schema, the flags, the files and the signatures alone: a new parameter is tried without a new
test. `SHARE` of the full campaign is tried, in an order that depends on `SEED`; `ONLY=kind:number`
tries one, and `ONLY=kind:from:to` those of the order from one place in it to before another.
"""

import contextlib
import datetime
import inspect
import itertools
import math
import os
import random
import resource
import shutil
import signal
import time
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from pydantic import BaseModel

from residual_ensembles import parameters

SHARE = float(os.environ.get("RESIDUAL_ENSEMBLES_FAULTS", "0.05"))
SEED = int(os.environ.get("RESIDUAL_ENSEMBLES_FAULTS_SEED", "0"))
ONLY = os.environ.get("RESIDUAL_ENSEMBLES_FAULTS_ONLY", "")

NUMBERS = (True, 0, -1, 1.5, math.nan, math.inf, -1e308, 10**9, 2**31, 2**63, 10**30)
TEXTS = (
    "",
    " ",
    "0",
    "NA",
    "null",
    "a b",
    "two\nlines",
    "../..",
    "$(touch touched)",
    "\u0663",
    "[",
)
OTHERS = (None, [], [None], [1.5], ["0", "1"], {}, {"a": 1}, b"\xff", datetime.date(2016, 5, 20))
MISSING = "nothing at all"
HOSTILE = (*NUMBERS, *TEXTS, "x" * 5000, *OTHERS)
"""What stands where something else is meant."""

MEMORY_BYTES = 6 * 2**30
"""What a case may take beside what the process of tests has."""


class LateError(BaseException):
    """A case did not end; no `except Exception` stops it."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Ends the block where it takes more than some seconds or `MEMORY_BYTES`.

    They are seconds of the processor, so that a busy machine changes nothing, or of waiting.
    """
    last = begun = time.process_time()

    def late(*_):
        nonlocal last
        now = time.process_time()
        if now - begun > seconds or now - last < 0.01 * seconds:
            raise LateError(f"no end within {seconds:g} s")
        last = now

    own = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY_BYTES, most[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, most)


def judged(
    call: Callable[[], object],
    names: Sequence[str],
    is_right: Callable[[object], bool] = lambda result: True,
    seconds: float = 10.0,
) -> str | None:
    """Returns what falls short in how a call takes a bad input; None where nothing does.

    Args:
        call: What is tried.
        names: What a refusal has to speak of, one of them at least.
        is_right: Whether what the call returned is right all the same.
        seconds: Within which it has to end.
    """
    try:
        with limited(seconds):
            result = call()
    except (ValueError, TypeError, OSError) as error:
        said = " ".join(str(error).split())
        if not any(str(name) in said for name in names):
            return f"{type(error).__name__} that names none of {', '.join(names)}: {said[:200]}"
        return None if len(said) < 3000 else f"{len(said)} characters: {said[:80]}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    with contextlib.suppress(Exception):
        if is_right(result):
            return None
    return f"was taken, and gave {repr(result)[:100]}"


@dataclass
class Tally:
    """What was tried of one kind, and what fell short."""

    tried: int = 0
    short: list[str] = field(default_factory=list)


TALLIES: dict[str, Tally] = {}


def run(
    kind: str,
    cases: Sequence,
    most: int,
    attempt: Callable[[object], str | None],
    tries: int = 1,
):
    """Tries some cases of a kind, and fails with all that fell short.

    Args:
        kind: What they are called.
        cases: All there are.
        most: How many of them the full campaign tries; all, where there are fewer.
        attempt: Returns what falls short in a case, or None.
        tries: As how many each case counts that does not fall short.
    """
    order = list(range(len(cases)))
    random.Random(f"{SEED}:{kind}").shuffle(order)
    chosen = order[: max(1, round(SHARE * most))]
    if ONLY:
        only, *numbers = ONLY.split(":")
        chosen = order[slice(*map(int, numbers))] if numbers[1:] else [*map(int, numbers)]
        chosen = chosen if only == kind else []
    tally = TALLIES.setdefault(kind, Tally())
    for number in chosen:
        found = attempt(cases[number])
        tally.tried += tries if found is None else 1
        if found is not None:
            tally.short.append(f"{kind}:{number}: {shown(cases[number])}: {found}")
            print(tally.short[-1], flush=True)
    assert not tally.short, "\n".join(["", *tally.short])


def shown(case: object) -> str:
    """Returns a case in at most some hundred letters."""
    text = " ".join(map(str, case)) if isinstance(case, tuple) else str(case)
    return text if len(text) <= 160 else f"{text[:157]}..."


def report() -> list[str]:
    """Returns the table of all kinds, and how to try again what fell short."""
    rows = [("kind", "tried", "fine", "short")]
    for kind, tally in TALLIES.items():
        rows.append((kind, tally.tried, tally.tried - len(tally.short), len(tally.short)))
    lines = [f"share {SHARE:g} of the full campaign, seed {SEED}"]
    lines += [f"{a:<12}{b:>8}{c:>8}{d:>8}" for a, b, c, d in rows]
    for short in itertools.chain.from_iterable(tally.short for tally in TALLIES.values()):
        lines.append(short)
    if any(tally.short for tally in TALLIES.values()):
        lines.append(
            "one again: RESIDUAL_ENSEMBLES_FAULTS_ONLY=KIND:NUMBER pytest -m faults tests/faults"
        )
    return lines


def places(
    model: type[BaseModel] = parameters.StudyParameters, above: tuple = ()
) -> Iterator[tuple]:
    """Yields where each parameter stands, as a path of names; items of lists too."""
    for name, described in model.model_fields.items():
        own, kind = (*above, name), described.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from places(kind, own)
            continue
        yield own
        if typing.get_origin(kind) is dict:
            for each in (parameters.TrainedNetwork, parameters.ExternalNetwork):
                yield from places(each, (*own, "resnet"))
        elif typing.get_origin(kind) is tuple:
            yield (*own, 0)


def with_value(values: dict, place: tuple, value: object) -> dict:
    """Returns parameters with another value at a place."""
    copy = {name: dict(v) if isinstance(v, dict) else v for name, v in values.items()}
    inner = copy
    for name in place[:-1]:
        within = inner[name] if isinstance(inner, list) else inner.get(name)
        inner[name] = dict(within) if isinstance(within, dict) else list(within or ())
        inner = inner[name]
    if value is MISSING:
        inner.pop(place[-1], None) if isinstance(inner, dict) else inner.clear()
    elif isinstance(inner, list):
        inner[:] = [value, *inner[1:]]
    else:
        inner[place[-1]] = value
    return copy


def _truncated(path: Path, dice: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: dice.randrange(max(1, len(content)))])


def _flipped(path: Path, dice: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 8))):
        if content:
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)


def _pipe(path: Path, dice: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path, dice: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _dangling(path: Path, dice: random.Random) -> None:
    path.unlink()
    path.symlink_to("nowhere")


DAMAGES: dict[str, Callable[[Path, random.Random], object]] = {
    "truncated": _truncated,
    "truncated again": _truncated,
    "flipped": _flipped,
    "flipped again": _flipped,
    "empty": lambda path, dice: path.write_bytes(b""),
    "noise": lambda path, dice: path.write_bytes(dice.randbytes(1000)),
    "of another kind": lambda path, dice: path.write_text("[1, 2]\n"),
    "a pipe": _pipe,
    "a folder": _folder,
    "a dangling link": _dangling,
    "missing": lambda path, dice: path.unlink(),
}


@contextlib.contextmanager
def damaged(path: Path, how: str) -> Iterator[None]:
    """Damages a file, and mends it at the end."""
    content = path.read_bytes()
    try:
        DAMAGES[how](path, random.Random(f"{SEED}:{path.name}:{how}"))
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.write_bytes(content)


def arguments(function: Callable) -> Iterator[str]:
    """Yields the names of the parameters that a function can be given by name."""
    for name, each in inspect.signature(function).parameters.items():
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            yield name


def public(*packages: types.ModuleType) -> dict[str, Callable]:
    """Returns what packages list as public and can be called, by name with dots."""
    return {
        f"{package.__name__.split('.')[-1]}.{name}": value
        for package in packages
        for name in package.__all__
        if callable(value := getattr(package, name))
    }


def tree(folder: Path, left_out: Sequence[str] = ()) -> dict[str, bytes]:
    """Returns the content of every file of a folder by its path.

    Args:
        folder: The folder.
        left_out: Patterns; files and folders of such names do not count.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        own = path.relative_to(folder)
        if path.is_file() and not any(fnmatch(part, p) for part in own.parts for p in left_out):
            found[own.as_posix()] = path.read_bytes()
    return found
