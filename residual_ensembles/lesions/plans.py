"""Plans: the lesions of a study, in the order of its table.

A random lesion is a function of (seed, number of operations, index of the draw) and of the network,
and of nothing else: a plan with more operations or more draws contains the smaller one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from residual_ensembles.arguments import checked
from residual_ensembles.lesions import constraints
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.parameters import check_number_of_lesions
from residual_ensembles.statistics.randomness import generator

if TYPE_CHECKING:
    from residual_ensembles.models.chain import Chain


@checked
class PlannedLesion(NamedTuple):
    """A lesion of a plan, with the sweep and the draw that it comes from."""

    sweep: str
    """Kind of lesion, one of `parameters.SWEEPS`."""
    draw: int
    """Index of the draw among those with as many operations, from 0; 0 where nothing is drawn."""
    lesion: Lesion


def intact() -> list[PlannedLesion]:
    """Returns the plan of the intact network alone.

    Example:
        >>> [(row.sweep, str(row.lesion)) for row in intact()]
        [('intact', 'intact')]
    """
    return [PlannedLesion("intact", 0, Lesion())]


@checked
def single_deletions(modules: Sequence[int]) -> list[PlannedLesion]:
    """Returns one deletion for each module (section 4.1, Fig. 3).

    Args:
        modules: Numbers from 1; see `constraints.deletable`.

    Example:
        >>> [str(row.lesion) for row in single_deletions([1, 3])]
        ['delete 1', 'delete 3']
    """
    return [PlannedLesion("single_deletion", 0, Lesion(deletions=[m])) for m in modules]


@checked
def single_duplications(modules: Sequence[int]) -> list[PlannedLesion]:
    """Returns one duplication for each module.

    Args:
        modules: Numbers from 1; see `constraints.duplicable`.

    Example:
        >>> [str(row.lesion) for row in single_duplications([2])]
        ['duplicate 2']
    """
    return [PlannedLesion("single_duplication", 0, Lesion(duplications=[m])) for m in modules]


@checked
def random_deletions(
    modules: Sequence[int], k: int, draws: int, seed: int, sweep: str = "random_deletion"
) -> list[PlannedLesion]:
    """Returns deletions of 1..k modules, as many draws of each number (section 4.2, Fig. 5a).

    Args:
        modules: Numbers from 1 of those that may be deleted.
        k: Largest number of modules deleted at once.
        draws: Draws for each number.
        seed: The study's seed.
        sweep: "random_deletion", or "random_deletion_sparing" where `modules` are not all.

    Raises:
        ValueError: `k` or `draws` is out of range.

    Example:
        >>> plan = random_deletions([2, 3, 5, 6], k=3, draws=2, seed=0)
        >>> [len(row.lesion.deletions) for row in plan]
        [1, 1, 2, 2, 3, 3]
    """
    chosen = _random_subsets(sweep, "k", modules, k, draws, seed)
    return [PlannedLesion(sweep, draw, Lesion(deletions=some)) for draw, some in chosen]


@checked
def random_duplications(
    modules: Sequence[int], duplications: int, draws: int, seed: int
) -> list[PlannedLesion]:
    """Returns duplications of 1..duplications modules, as many draws of each number.

    Args:
        modules: Numbers from 1 of those that may run twice.
        duplications: Largest number of modules duplicated at once.
        draws: Draws for each number.
        seed: The study's seed.

    Raises:
        ValueError: `duplications` or `draws` is out of range.

    Example:
        >>> plan = random_duplications([2, 3], duplications=2, draws=1, seed=0)
        >>> str(plan[-1].lesion)
        'duplicate 2,3'
    """
    sweep = "random_duplication"
    chosen = _random_subsets(sweep, "duplications", modules, duplications, draws, seed)
    return [PlannedLesion(sweep, draw, Lesion(duplications=some)) for draw, some in chosen]


def _random_subsets(
    sweep: str, parameter: str, modules: Sequence[int], k: int, draws: int, seed: int
) -> list[tuple[int, list[int]]]:
    if not 1 <= k <= len(modules):
        raise ValueError(
            f"Received {parameter}={k}, expected 1 to {len(modules)}, the number of modules that "
            f"{sweep} may choose from."
        )
    if draws < 1:
        raise ValueError(f"Received draws={draws}, expected 1 or more.")
    counts = {"k": 0, "duplications": 0, parameter: k}
    check_number_of_lesions(draws=draws, swaps=0, **counts)
    return [
        (draw, list(generator(seed, sweep, size, draw).choice(modules, size, replace=False)))
        for size in range(1, k + 1)
        for draw in range(draws)
    ]


@checked
def reorderings(
    pairs: Sequence[tuple[int, int]], swaps: int, draws: int, seed: int
) -> list[PlannedLesion]:
    """Returns 1..swaps random swaps one after another, as many draws of each number (Fig. 5b).

    Each swap is drawn from all pairs, whatever was swapped before it.

    Args:
        pairs: Positions that can change places; see `constraints.swappable`.
        swaps: Largest number of swaps.
        draws: Draws for each number.
        seed: The study's seed.

    Raises:
        ValueError: There is no pair, or `swaps` or `draws` is out of range.

    Example:
        >>> [str(row.lesion) for row in reorderings([(2, 3)], swaps=2, draws=1, seed=0)]
        ['swap 2-3', 'swap 2-3,2-3']
    """
    if swaps < 1:
        raise ValueError(f"Received swaps={swaps}, expected 1 or more.")
    if not pairs:
        raise ValueError(
            "Received no pairs of modules that can change places, expected at least one; take a "
            "deeper network, or, in a study, leave it out of lesion.networks."
        )
    if draws < 1:
        raise ValueError(f"Received draws={draws}, expected 1 or more.")
    check_number_of_lesions(k=0, draws=draws, swaps=swaps, duplications=0)
    plan = []
    for n in range(1, swaps + 1):
        for draw in range(draws):
            drawn = generator(seed, "reorder", n, draw).integers(len(pairs), size=n)
            plan.append(PlannedLesion("reorder", draw, Lesion(swaps=[pairs[i] for i in drawn])))
    return plan


@checked
def study_plan(
    chain: "Chain",
    *,
    k: int,
    draws: int,
    swaps: int,
    duplications: int,
    seed: int,
    random: bool,
    clip: bool = False,
) -> list[PlannedLesion]:
    """Returns all lesions of one network of a study, in the order of its table.

    Every network gets its single deletions; the sweeps with random lesions, and the duplications,
    are for those networks that a study chooses.

    Args:
        chain: The network, which decides what can be deleted, swapped and duplicated.
        k: Largest number of modules deleted at once.
        draws: Draws for each number of operations.
        swaps: Largest number of swaps.
        duplications: Largest number of modules duplicated at once.
        seed: The study's seed.
        random: Whether this network gets more than its single deletions.
        clip: Whether a number that is too large for this network is reduced to what it allows
            instead of refused.

    Raises:
        ValueError: A number is out of range for this network.

    Example:
        >>> from residual_ensembles import models
        >>> chain = models.build("resnet", 14, (8, 8, 1), 10, mean=[127.0], std=[64.0])
        >>> numbers = {"k": 2, "draws": 1, "swaps": 1, "duplications": 1, "seed": 0}
        >>> [row.sweep for row in study_plan(chain, **numbers, random=False)][:2]
        ['intact', 'single_deletion']
    """
    deletable = constraints.deletable(chain)
    plan = intact() + single_deletions(deletable)
    if not random:
        return plan
    largest = len(chain.modules) if clip else max(k, duplications)
    check_number_of_lesions(min(k, largest), draws, swaps, min(duplications, largest))
    critical = constraints.critical_modules(chain)
    duplicable = constraints.duplicable(chain)
    others = [[m for m in some if m not in critical] for some in (deletable, duplicable)]
    pairs = constraints.swappable(chain, critical)

    def drawn(random_lesions, modules: Sequence[int], n: int, *options) -> list[PlannedLesion]:
        if clip and not modules:
            return []
        n = min(n, len(modules)) if clip else n
        return random_lesions(modules, n, draws, seed, *options)

    # The narrower choice comes first, so that the error of a k that is too large is about it.
    sparing = drawn(random_deletions, others[0], k, "random_deletion_sparing")
    return (
        plan
        + drawn(random_deletions, deletable, k)
        + sparing
        + ([] if clip and not pairs else reorderings(pairs, swaps, draws, seed))
        + single_duplications(duplicable)
        + drawn(random_duplications, others[1], duplications)
    )
