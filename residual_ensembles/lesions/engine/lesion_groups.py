"""Partition of a sweep's lesions into groups: a function of the network and the plan alone.

It is cut by images first, as many as fill a batch, since all lesions of some images share most.
Where that leaves chunks that take minutes they are cut by lesions too, between subtrees of what
lesions share: what two neighbors in the order of the tree have in common is computed once in each
chunk.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from residual_ensembles.lesions.lesion import Lesion, Step
from residual_ensembles.models.chain import segment_of
from residual_ensembles.models.module import multiply_adds

CHUNK_MULTIPLY_ADDS = 2e12
"""Of a chunk: tens of seconds on one core, which manages 2 to 9 × 10¹⁰ in a second."""
PASSES_IN_CHUNK = 16
"""A chunk is worth at least so many whole evaluations: what it cannot share costs about one."""

FEWEST_IMAGES = 64
"""Fewer would be slow where nothing is shared."""


def groups(
    chain, steps: Sequence[Sequence[Step]], lesions: np.ndarray, n_images: int
) -> list[np.ndarray]:
    """Returns lesions in groups of about the same work, of which none takes long.

    Args:
        chain: The network.
        steps: What has to be computed for each lesion of the sweep.
        lesions: Positions of the lesions to group.
        n_images: Images that they are evaluated with.

    Returns:
        Positions, ascending in each group; every lesion is in one group.
    """
    cost = step_costs(chain)
    order = sorted(lesions, key=lambda i: steps[i])
    own = [_own_cost(steps, before, i, cost) for before, i in zip([None, *order], order)]  # noqa: B905 - the last has no successor
    full = sum(cost(step) for step in full_pass(chain))
    target = max(CHUNK_MULTIPLY_ADDS / n_images, PASSES_IN_CHUNK * full)
    n_groups = max(1, math.ceil(sum(own) / target))
    reached = np.cumsum(own) - np.asarray(own) / 2
    place = np.minimum((reached / max(sum(own), 1) * n_groups).astype(int), n_groups - 1)
    result = [np.sort(np.asarray(order)[place == i]) for i in range(n_groups)]
    return [group for group in result if len(group)]


def affordable_images(chain, n_lesions: int) -> int:
    """Returns with how many images lesions that share nothing are a chunk."""
    full = sum(map(step_costs(chain), full_pass(chain)))
    return max(FEWEST_IMAGES, int(CHUNK_MULTIPLY_ADDS / (full * n_lesions)))


def _own_cost(steps, before: int | None, lesion: int, cost: Callable[[Step], float]) -> float:
    """Returns what a lesion costs beside what it shares with its neighbor in the tree."""
    shared = 0 if before is None else _common(steps[before], steps[lesion])
    return sum(cost(step) for step in steps[lesion][shared:])


def _common(a: Sequence[Step], b: Sequence[Step]) -> int:
    """Returns how many steps two lesions begin with together."""
    return next(
        (i for i, pair in enumerate(zip(a, b)) if pair[0] != pair[1]),  # noqa: B905
        min(len(a), len(b)),
    )


def full_pass(chain) -> list[Step]:
    """Returns the steps of the intact network."""
    return Lesion().steps(len(chain.modules), chain.between)


def step_costs(chain) -> Callable[[Step], float]:
    """Returns a function that estimates the multiply-adds of a step for one image."""

    def cost(step: Step) -> float:
        if step not in known:
            part = chain.modules[step.module - 1]
            if step.op == "segment":
                part = segment_of(chain, step.module)
            share = 0.0 if step.op == "deleted" else 1.0
            known[step] = share * multiply_adds(part, chain.shapes[step.module]) + 1.0
        return known[step]

    known: dict[Step, float] = {}
    return cost
