"""Claim 21: ImageNet behaves the same (Section 4.1, Fig. 4)."""

from collections.abc import Callable
from dataclasses import replace

from residual_ensembles.analysis.claims import random_deletion, reordering, single_deletion
from residual_ensembles.analysis.claims.claim import Claim, Measurement
from residual_ensembles.analysis.tables import Tables

Finder = Callable[[Tables], list[Measurement]]


def only_on_imagenet(find: Finder) -> Finder:
    """Returns `find`, which now looks at studies of ImageNet only."""
    return lambda tables: find(tables) if tables.is_imagenet else []


def _same(claim: Claim, id: str, statement: str, paper_value: float) -> Claim:
    return replace(
        claim,
        id=id,
        statement=statement,
        source="Section 4.1, Fig. 4; number: the authors' data, ResNet-200",
        figure="fig4",
        paper_value=paper_value,
        find=only_on_imagenet(claim.find),
        settle="The study imagenet; until it is run, there are the authors' numbers only.",
    )


_BY_ID = {
    claim.id: claim
    for claim in (*single_deletion.CLAIMS, *random_deletion.CLAIMS, *reordering.CLAIMS)
}

CLAIMS = (
    _same(_BY_ID["1"], "21a", "On ImageNet too, deleting one module barely matters.", 0.0057),
    _same(
        _BY_ID["4c"], "21b", "On ImageNet too, performance follows the number of paths.", -0.7452
    ),
    _same(
        _BY_ID["7a"], "21c", "On ImageNet too, error follows the corruption of the order.", -0.9595
    ),
)
