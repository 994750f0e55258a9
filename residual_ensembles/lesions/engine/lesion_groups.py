"""Partition of a sweep's lesions into groups: a function of the network and the plan alone.

A sweep is partitioned by images first, as many as fill a batch, since lesions of the same images
share most steps. Where that leaves chunks that take minutes it is partitioned by lesions too,
between subtrees of the tree of lesions: steps that two groups have in common are computed in each.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from residual_ensembles.lesions.lesion import Lesion, Step
from residual_ensembles.models.chain import segment_of
from residual_ensembles.models.module import multiply_adds

CHUNK_MULTIPLY_ADDS = 2e12
"""Multiply-adds of a chunk: tens of seconds on one core, which does 2 to 9 × 10¹⁰ in a second."""
PASSES_IN_CHUNK = 16
"""Full passes that a chunk costs at least: steps that it computes anew cost about one."""
FEWEST_IMAGES = 64
"""Images in a chunk, at least: fewer would be slow where lesions share no steps."""


def groups(
    chain, steps: Sequence[tuple[Step, ...]], lesions: np.ndarray, n_images: int
) -> list[np.ndarray]:
    """Returns the positions of lesions in groups of about the same work, of which none takes long.

    Positions are those in `steps`, ascending in each group; every lesion is in one group.
    """
    cost = step_costs(chain)
    order = sorted(lesions, key=lambda i: steps[i])
    own = []  # what a lesion costs beside what it shares with its neighbor in the tree
    for before, after in itertools.pairwise([(), *(steps[i] for i in order)]):
        pairs = zip(before, after, strict=False)
        n_shared = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
        own.append(sum(cost(step) for step in after[n_shared:]))
    full = sum(cost(step) for step in full_pass(chain))
    target = max(CHUNK_MULTIPLY_ADDS / n_images, PASSES_IN_CHUNK * full)
    n_groups = max(1, math.ceil(sum(own) / target))
    reached = np.cumsum(own) - np.asarray(own) / 2
    group_of = np.minimum((reached / max(sum(own), 1) * n_groups).astype(int), n_groups - 1)
    result = [np.sort(np.asarray(order)[group_of == i]) for i in range(n_groups)]
    return [group for group in result if len(group)]


def affordable_images(chain, n_lesions: int) -> int:
    """Returns how many images fill a chunk of lesions that share nothing."""
    full = sum(map(step_costs(chain), full_pass(chain)))
    return max(FEWEST_IMAGES, int(CHUNK_MULTIPLY_ADDS / (full * n_lesions)))


def full_pass(chain) -> list[Step]:
    """Returns the steps of the intact network."""
    return Lesion().steps(len(chain.modules), chain.segment_positions)


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
