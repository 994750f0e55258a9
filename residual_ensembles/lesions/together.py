"""Evaluations that go on side by side: what all of them wait for is computed together.

An evaluation is a generator: it yields the pieces that it needs next, and is sent what came of
them, in their order. So the pieces of many networks keep all processors busy, and what decides the
result knows nothing of where it is computed.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from residual_ensembles.lesions.piece import Piece, compute
from residual_ensembles.lesions.subject import Subject
from residual_ensembles.pieces import Pieces
from residual_ensembles.runtime.executor import Executor, Task

LONGEST_NAMES = 2
"""Lesions that a piece is told by; of more, the first and the last."""


class Round(NamedTuple):
    """Pieces that an evaluation needs before it can go on."""

    subject: Subject
    pictures: object
    """All of the sweep: an array, or what returns one for a slice or for positions."""
    pieces: list[Piece]
    kept: Pieces
    """Where finished pieces are kept."""


Going = Generator[Round, list[dict[str, np.ndarray]], object]


class Count(NamedTuple):
    """How far pieces are."""

    finished: int
    known: int


def together(
    evaluations: dict[str, Going],
    executor: Executor,
    progress: Callable[[float], object] = lambda n_predictions: None,
    counted: Callable[[Count], object] = lambda count: None,
) -> dict[str, object]:
    """Returns what some evaluations return.

    Args:
        evaluations: By the name of their network.
        executor: What computes.
        progress: Called with the number of predictions that were made since the last call.
        counted: Called when a piece is finished.
    """
    found: dict[str, object] = {}
    count, subjects = Count(0, 0), _Latest(executor.put)
    waiting = {name: _next(going, None) for name, going in evaluations.items()}
    while waiting:
        for name in [name for name, step in waiting.items() if not isinstance(step, Round)]:
            found[name] = waiting.pop(name).value
        work = _Work(waiting, executor, subjects, progress, counted, count)
        results, count = work.run(), work.count
        waiting = {name: _next(evaluations[name], results[name]) for name in waiting}
    return {name: found[name] for name in evaluations}


def _next(going: Going, results) -> Round | StopIteration:
    try:
        return going.send(results)
    except StopIteration as end:
        return end


class _Work:
    """The pieces of one round of all evaluations."""

    def __init__(
        self, rounds: dict[str, Round], executor, subjects: "_Latest", progress, counted, count
    ):
        self.rounds = rounds
        self.executor = executor
        self.subjects = subjects
        self.progress = progress
        self.counted = counted
        self.count = count
        self.results = {name: [None] * len(each.pieces) for name, each in rounds.items()}

    def run(self) -> dict[str, list]:
        """Finds what is finished, computes the rest, and returns all."""
        places = [(name, i) for name, each in self.rounds.items() for i in range(len(each.pieces))]
        self.count = Count(self.count.finished, self.count.known + len(places))
        missing = [place for place in places if not self._find(*place)]
        self.executor.run(
            list(self._tasks(missing)),
            self.progress,
            lambda index, result: self._finish(*missing[index], result),
            max((each.subject.memory_bytes for each in self.rounds.values()), default=0),
        )
        return self.results

    def _find(self, name: str, i: int) -> bool:
        """Whether a piece is finished already; it counts then."""
        piece, kept = self.rounds[name].pieces[i], self.rounds[name].kept
        self.results[name][i] = kept.find(piece.name)
        if self.results[name][i] is None:
            return False
        self.progress(piece.n)
        self._count()
        return True

    def _finish(self, name: str, i: int, result: dict[str, np.ndarray]) -> None:
        self.rounds[name].kept.keep(self.rounds[name].pieces[i].name, result)
        self.results[name][i] = result
        self._count()

    def _count(self) -> None:
        self.count = Count(self.count.finished + 1, self.count.known)
        self.counted(self.count)

    def _tasks(self, places: Sequence[tuple[str, int]]) -> Iterator[Task]:
        pictures = _Latest(lambda each: self.executor.put(np.asarray(each)))
        for name, i in places:
            piece = self.rounds[name].pieces[i]
            arguments = partial(self._arguments, name, piece, pictures)
            yield Task(_title(name, self.rounds[name], piece), compute, arguments)

    def _arguments(self, name: str, piece: Piece, pictures: "_Latest") -> tuple:
        round_ = self.rounds[name]
        these = pictures("of all", piece.pictures, lambda where: round_.pictures[where])
        how = piece.function, piece.lesions, piece.options, piece.n
        return (self.subjects(name, round_.subject), these, *how)


class _Latest:
    """Makes something only once for as long as the same is asked for again and again.

    Args:
        make: Called with what is asked for, as `of` returns it.
    """

    def __init__(self, make: Callable):
        self.make = make
        self.made: dict[str, tuple] = {}

    def __call__(self, name: str, wanted, of: Callable = lambda wanted: wanted):
        """Returns what was made of `wanted`, the same object, when it was last asked for `name`."""
        if name not in self.made or self.made[name][0] is not wanted:
            self.made[name] = wanted, self.make(of(wanted))
        return self.made[name][1]


def _title(name: str, round_: Round, piece: Piece) -> str:
    """Returns what people call a piece: network, file, lesions."""
    lesions, positions = round_.subject.lesions, piece.lesions
    if len(positions) <= LONGEST_NAMES:
        return f"{name}, {piece.name}: {', '.join(str(lesions[i]) for i in positions)}"
    first, last = lesions[positions[0]], lesions[positions[-1]]
    return f"{name}, {piece.name}: {len(positions)} lesions from {str(first)!r} to {str(last)!r}"
