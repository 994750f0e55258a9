"""The effective paths: the shortest range of lengths that carries nearly all of something."""

from collections.abc import Sequence

import numpy as np

EFFECTIVE = (5, 17)
"""First and last length, in modules, of the effective paths as the paper reads them (4.2)."""


def effective_range(amounts: Sequence[float], share: float = 0.95) -> tuple[int, int]:
    """Returns the shortest range of lengths whose amounts are at least `share` of the whole.

    Of ranges equally short, the one that carries most; of those, the one of shorter paths.
    Section 4.2 of the paper reads such a range, 5 to 17, off Fig. 6 (c).

    Args:
        amounts: What the paths of each length carry, indexed by length from 0. Amounts may be
            negative (projections are), as long as the whole is not.
        share: The part to be carried, above 0 and up to 1.

    Returns:
        First and last length, both included.

    Raises:
        ValueError: There is nothing to carry, or the share is out of range.
    """
    amounts = np.asarray(amounts, float)
    whole = amounts.sum()
    if not (np.all(np.isfinite(amounts)) and whole > 0 and 0 < share <= 1):
        raise ValueError(
            f"effective_range got a share of {share} and amounts that add up to {whole}; expected "
            "a share above 0 and up to 1, and finite amounts with a positive sum."
        )
    total = np.concatenate([[0.0], np.cumsum(amounts)])
    enough = share * whole * (1 - 1e-12)  # rounding must not lengthen a range
    for width in range(1, len(amounts) + 1):
        carried = total[width:] - total[:-width]
        best = int(np.argmax(carried))
        if carried[best] >= enough:
            return best, best + width - 1
    return 0, len(amounts) - 1
