"""Claims 8 to 11, 14 and 16: what follows from counting paths, exactly (Sections 4.2 and 4.3).

They need no network: the numbers are of the paper's 54 modules, whatever this study trained.
"""

from collections.abc import Callable
from itertools import pairwise

from residual_ensembles.analysis.claims.claim import (
    Claim,
    Measurement,
    above,
    at_least,
    below,
    between,
)
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.paths import lengths
from residual_ensembles.paths.length_profile import EFFECTIVE
from residual_ensembles.statistics.intervals import exact

N = 54
"""Modules of the paper's ResNet-110."""
LAYERS_PER_MODULE = 2


def counted(value: float, note: str = "") -> Callable[[Tables], list[Measurement]]:
    """Returns a finder of a number that no network can change."""
    return lambda tables: [Measurement(f"any of {N} modules", exact(value), note)]


def steepest_remaining(n: int, deleted: int) -> float:
    """Returns the largest ratio of the shares left at one length and at the length before.

    Below 1, every module more on a path lowers the share that is left.
    """
    left = [share for share in lengths.remaining(n, deleted) if share > 0]
    return float(max(after / before for before, after in pairwise(left)))


CLAIMS = (
    Claim(
        id="8a",
        statement="Path lengths follow Binomial(n, ½): more than 95 % of the paths go through 19 "
        "to 35 of 54 modules.",
        source="Section 4.2, Fig. 6 (a)",
        figure="fig6",
        unit="%",
        paper_value=0.95,
        measure="Share of the 2^54 paths with 19 to 35 modules, by exact counting",
        target=above(0.95),
        find=counted(lengths.share_within(N, 19, 35)),
        settle="Nothing: it is exact.",
    ),
    Claim(
        id="8b",
        statement="Most paths of a network of 110 layers are only about 55 layers deep.",
        source="Sections 1 and 4.2",
        figure="fig6",
        paper_value=55.0,
        measure="Mean length of the paths through 54 modules of two layers each, in layers, by "
        "exact counting (the first and the last layer of the network are on every path, and not "
        "counted)",
        target=between(53, 57),
        find=counted(LAYERS_PER_MODULE * lengths.expected_length(N)),
        settle="Nothing: it is exact.",
    ),
    Claim(
        id="9",
        statement="The effective paths, 5 to 17 modules or 10 to 34 layers long, are 0.45 % of "
        "all.",
        source="Section 4.2",
        figure="fig6",
        unit="%",
        paper_value=0.0045,
        measure="Share of the 2^54 paths with 5 to 17 modules, by exact counting",
        target=between(0.00445, 0.00455),
        find=counted(lengths.share_within(N, *EFFECTIVE)),
        settle="Nothing: it is exact.",
    ),
    Claim(
        id="10",
        statement="With 10 of 54 modules deleted, the paths are roughly a millionth of what they "
        "were.",
        source="Section 4.2",
        figure="fig7",
        unit="%",
        paper_value=1e-6,
        measure="Share of the 2^54 paths that is left, 2^-10, by exact counting; the target is the "
        "paper's order of magnitude",
        target=between(1e-7, 1e-5),
        find=counted(
            lengths.n_paths(N - 10) / lengths.n_paths(N),
            "A slip of the pen, we think: 2^-10 is about a thousandth; a millionth is left after "
            "20 deletions. The argument stands: 2^44 paths are still very many.",
        ),
        settle="Nothing: it is exact.",
    ),
    Claim(
        id="11",
        statement="With 10 modules deleted, many of the effective paths are still valid.",
        source="Section 4.3, Fig. 7",
        figure="fig7",
        unit="%",
        paper_value=None,
        measure="Share of the paths of 5 to 17 modules that is left after deleting 10 of 54, by "
        "exact counting; for many, we ask for a tenth",
        target=at_least(0.1),
        find=counted(
            lengths.remaining_within(N, 10, *EFFECTIVE),
            f"At length 5, {float(100 * lengths.remaining(N, 10)[5]):.0f} % are left, and most "
            "effective paths are longer than that. After deleting 20, "
            f"{float(100 * lengths.remaining_within(N, 20, *EFFECTIVE)):.3f} % are left. Many in "
            "number they are: more than 10^12.",
        ),
        settle="Nothing: it is exact; only what many means is open.",
    ),
    Claim(
        id="14",
        statement="Training 23 of 54 modules per batch centers path lengths on 11.5.",
        source="Section 4.2",
        figure="",
        paper_value=11.5,
        measure="Mean length of the paths through 23 modules, by exact counting",
        target=between(11.5, 11.5),
        find=counted(
            lengths.expected_length(N, 23), "The middle of the effective range, 5 to 17, is 11."
        ),
        settle="Nothing: it is exact.",
    ),
    Claim(
        id="16",
        statement="Deleting modules removes mostly long paths.",
        source="Section 4.3, Fig. 7",
        figure="fig7",
        paper_value=None,
        measure="Largest ratio of the share of paths left at one length to that at the length "
        "before, for 1, 10 and 20 of 54 modules deleted, by exact counting; below 1, every module "
        "more on a path lowers its chance to be left",
        target=below(1),
        find=counted(
            max(steepest_remaining(N, deleted) for deleted in (1, 10, 20)),
            "With 10 deleted: of the paths of 5 modules "
            f"{float(100 * lengths.remaining(N, 10)[5]):.0f} % are left, of those of 17 "
            f"{float(100 * lengths.remaining(N, 10)[17]):.1f} %, of those of 27 "
            f"{float(100 * lengths.remaining(N, 10)[27]):.2f} %.",
        ),
        settle="Nothing: it is exact.",
    ),
)
