"""A lesion: deletions, swaps and duplications of a network's modules (section 4 of the paper)."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from residual_ensembles.arguments import checked, shown
from residual_ensembles.statistics.rank_correlation import kendall_tau

INTACT = "intact"
"""How the lesion that changes nothing is written: an empty field would read back as missing."""


class Step(NamedTuple):
    """One step of a forward pass: a module that runs or is deleted, or a segment between modules.

    When sorted, the segment that follows a position comes after the modules of that number.
    """

    module: int
    """Number of the module, or of the position whose segment it is, from 1."""
    op: Literal["run", "deleted", "segment"]


@dataclass(frozen=True)
class Lesion:
    """Deletions, swaps and duplications of modules, as a value that can be compared and printed.

    Deletions and duplications name modules, wherever these stand after the swaps; their order does
    not matter and is sorted. Swaps act on positions, one after another in the order written, on the
    intact order 1..n. Everything is numbered from 1. Nothing about a network is known here:
    `residual_ensembles.lesions.check_lesion` says whether one allows the lesion.

    Args:
        deletions: Modules of which only the skip is left (section 4.1).
        swaps: Pairs of positions whose modules change places (section 4.3).
        duplications: Modules that run twice in a row (in the authors' data, not in the paper).

    Raises:
        ValueError: A number below 1, a module deleted or duplicated twice or both deleted and
            duplicated, or a position swapped with itself.

    Example:
        >>> lesion = Lesion(deletions=[7, 3], swaps=[(9, 4)])
        >>> str(lesion)
        'delete 3,7; swap 4-9'
        >>> Lesion.parse("delete 3,7; swap 4-9") == lesion
        True
    """

    deletions: tuple[int, ...] = ()
    swaps: tuple[tuple[int, int], ...] = ()
    duplications: tuple[int, ...] = ()

    @checked
    def __init__(
        self,
        deletions: Iterable[int] = (),
        swaps: Iterable[tuple[int, int]] = (),
        duplications: Iterable[int] = (),
    ):
        canonical = {
            "deletions": tuple(sorted(map(int, deletions))),
            "swaps": tuple((min(map(int, pair)), max(map(int, pair))) for pair in swaps),
            "duplications": tuple(sorted(map(int, duplications))),
        }
        for name, value in canonical.items():
            object.__setattr__(self, name, value)
        self._check_numbers()

    def _check_numbers(self) -> None:
        smallest = min(self._numbers(), default=1)
        if smallest < 1:
            raise ValueError(
                f"Received the number {smallest} in a lesion, expected 1 or larger: "
                "modules and positions are counted from 1."
            )
        for a, b in self.swaps:
            if a == b:
                raise ValueError(
                    f"Received the swap {a}-{b}, expected two different positions; leave it out."
                )
        for name, modules in (("delete", self.deletions), ("duplicate", self.duplications)):
            twice = sorted({m for m in modules if modules.count(m) > 1})
            if twice:
                raise ValueError(
                    f"Received module {twice[0]} twice in {name!r}, expected each module once."
                )
        both = sorted(set(self.deletions) & set(self.duplications))
        if both:
            raise ValueError(
                f"Received module {both[0]} as deleted and as duplicated, expected one of the two."
            )

    def _numbers(self) -> tuple[int, ...]:
        return self.deletions + self.duplications + sum(self.swaps, ())

    @property
    def n_operations(self) -> int:
        """How many deletions, swaps and duplications there are."""
        return len(self.deletions) + len(self.swaps) + len(self.duplications)

    def order(self, n: int) -> list[int]:
        """Returns the modules in the order in which they stand after all swaps.

        Args:
            n: Number of modules of the network.

        Raises:
            ValueError: The lesion names a module or a position that does not exist.
        """
        largest = max(self._numbers(), default=0)
        if largest > n:
            raise ValueError(
                f"Received the lesion {str(self)!r} for {n} modules, expected numbers from 1 to "
                f"{n}, not {largest}."
            )
        order = list(range(1, n + 1))
        for a, b in self.swaps:
            order[a - 1], order[b - 1] = order[b - 1], order[a - 1]
        return order

    def steps(self, n: int, segment_positions: Collection[int] = ()) -> list[Step]:
        """Returns the steps between stem and head, in order.

        Args:
            n: Number of modules of the network.
            segment_positions: Positions that a plain segment follows, as those of a `Chain`.

        Raises:
            ValueError: The lesion names a module or a position that does not exist.
        """
        return [step for _, step in self.execution_order(n, segment_positions)]

    def execution_order(
        self, n: int, segment_positions: Collection[int] = ()
    ) -> list[tuple[int, Step]]:
        """Returns the same steps, each with the position at which it is taken, from 1.

        Arguments and errors are those of `steps`.
        """
        order = []
        for position, module in enumerate(self.order(n), start=1):
            step = Step(module, "deleted" if module in self.deletions else "run")
            steps = [step, step] if module in self.duplications else [step]
            steps += [Step(position, "segment")] if position in segment_positions else []
            order += [(position, step) for step in steps]
        return order

    def kendall_tau(self, n: int) -> float:
        """Returns Kendall's tau between the order after all swaps and the intact one (Fig. 5b).

        Args:
            n: Number of modules of the network.
        """
        return kendall_tau(self.order(n)) if self.swaps else 1.0

    def __str__(self) -> str:
        swaps = [f"{a}-{b}" for a, b in self.swaps]
        parts = {"delete": self.deletions, "swap": swaps, "duplicate": self.duplications}
        texts = (f"{word} {','.join(map(str, some))}" for word, some in parts.items() if some)
        return "; ".join(texts) or INTACT

    @classmethod
    def parse(cls, text: str) -> "Lesion":
        """Returns the lesion whose text this is, as `str(lesion)` writes it.

        Args:
            text: For instance `"delete 3,7; swap 4-9,5-7"`, or `"intact"`.

        Raises:
            ValueError: The text is not a lesion.
        """
        if text.strip() == INTACT:
            return cls()
        result: dict[str, list] = {}
        for part in text.split(";"):
            match = re.fullmatch(
                r"(delete|duplicate) (\d+(?:,\d+)*)|(swap) (\d+-\d+(?:,\d+-\d+)*)", part.strip()
            )
            word, numbers = (match[1] or match[3], match[2] or match[4]) if match else ("", "")
            if not match or word in result:
                raise ValueError(
                    f"Received the lesion {shown(text)}, expected for instance 'delete 3,7; "
                    f"swap 4-9,5-7; duplicate 5' (each word once) or {INTACT!r}."
                )
            result[word] = numbers.split(",")
        swaps = (pair.split("-") for pair in result.get("swap", ()))
        return cls(
            deletions=map(int, result.get("delete", ())),
            swaps=[(int(a), int(b)) for a, b in swaps],
            duplications=map(int, result.get("duplicate", ())),
        )
