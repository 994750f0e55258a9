"""What all pieces of a sweep are about: a network and its lesions, sent once to each process."""

import hashlib
import pickle
from collections.abc import Sequence
from functools import cached_property

from residual_ensembles import models
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.grid import MEMORY_BYTES
from residual_ensembles.lesions.lesion import Lesion

READY_BYTES = 2**28
"""What the files of the networks that a process keeps ready may take: rounds of several sweeps take
turns, and to prepare a network anew takes as long as many pictures."""

_READY: dict[str, "Arrived"] = {}


class Subject:
    """A network and lesions of it, as they travel to where pieces are computed.

    Where it arrives the evaluator is made once, for all pieces of the sweep that come there.

    Args:
        chain: The network. Its weights are copied.
        lesions: Any lesions that it can bear.
        n_pictures: Pictures of the whole sweep, which decide how it is cut.
        memory_bytes: What activations may take.
        batch_size: How many of them may pass a module together; None for as many as are fast.
    """

    def __init__(
        self,
        chain,
        lesions: Sequence[Lesion],
        n_pictures: int,
        memory_bytes: int = MEMORY_BYTES,
        batch_size: int | None = None,
    ):
        self.chain = chain
        self.lesions = list(lesions)
        self.memory_bytes = memory_bytes
        self.rest = self.lesions, n_pictures, memory_bytes, batch_size

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator; errors are those of its making."""
        return Evaluator(self.chain, *self.rest)

    def __reduce__(self):
        content = models.to_bytes(self.chain)
        name = hashlib.sha256(content + pickle.dumps(self.rest)).hexdigest()
        return _arrived, (name, content, self.rest)


class Arrived:
    """A subject where pieces of it are computed; read when it is needed and no earlier.

    Args:
        content: The file of the network.
        rest: What else the evaluator is made of.
    """

    def __init__(self, content: bytes, rest: tuple):
        self.content = content
        self.rest = rest

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator; errors are those of its making."""
        with models.as_file(self.content) as path:
            return Evaluator(models.load(path), *self.rest)


def _arrived(name: str, content: bytes, rest: tuple) -> Arrived:
    """Returns the subject of that name: the one that came before, or a new one."""
    if name not in _READY:
        while _READY and sum(len(s.content) for s in _READY.values()) + len(content) > READY_BYTES:
            _READY.pop(next(iter(_READY)))
        _READY[name] = Arrived(content, rest)
    return _READY[name]
