"""Where gradients are cut, and what pieces take: networks of which only shapes are there."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from residual_ensembles.gradients.cut import Network, cut, exact_multiply_adds, piece_bytes
from residual_ensembles.gradients.study import GradientStudy


def resnet(size: int, widths: tuple, per_stage: int, has_skip: bool = True):
    """A network of stages that halve the pictures, with two 3×3 kernels in a module."""
    shapes = [(size, size, widths[0])]
    modules = []
    for stage, width in enumerate(widths):
        for _ in range(per_stage):
            weights = [SimpleNamespace(shape=x) for x in ((3, 3, width, width), (width,))] * 2
            modules.append(SimpleNamespace(has_skip=has_skip, variables=weights))
            shapes.append((size >> stage, size >> stage, width))
    return SimpleNamespace(modules=modules, shapes=shapes)


def epochs(n: int, estimators=("exact",)) -> list[Network]:
    return [Network("one", epoch, Path("one.keras"), "inference", estimators) for epoch in range(n)]


DIGITS = GradientStudy(samples=1000, batches=10, batch_size=4)
PAPER = GradientStudy(samples=1000, batches=10, batch_size=16)
SMALL, LARGE = resnet(8, (16, 32, 64), 18), resnet(32, (16, 32, 64), 18)
HUGE = resnet(56, (256, 512, 1024), 22)


def shape(pieces) -> list[tuple[int, int]]:
    """Epochs and batches of each piece."""
    return [(len(piece.networks), len(piece.batches)) for piece in pieces]


def test_each_length_goes_through_each_module_once():
    chain = resnet(4, (2,), 3)
    product = 2 * 9 * 2 * 2 * 16
    study = GradientStudy(batch_size=5)
    assert exact_multiply_adds(study, chain) == 5 * (3 + 2 + 1) * product + 1
    short = GradientStudy(batch_size=5, max_length=1)
    assert exact_multiply_adds(short, chain) == 5 * (2 + 2 + 1) * product + 1
    one_path = resnet(4, (2,), 3, has_skip=False)
    assert exact_multiply_adds(study, one_path) == 5 * 3 * product + 1


def test_a_small_network_is_one_piece_for_ten_batches():
    assert shape(cut(DIGITS, epochs(3), SMALL)) == [(3, 10)]
    more = GradientStudy(batches=12, batch_size=4)
    assert shape(cut(more, epochs(3), SMALL)) == [(3, 10), (3, 2)]


@pytest.mark.parametrize(
    ("chain", "n_epochs", "expected"),
    [
        (LARGE, 3, [(3, 5), (3, 5)]),
        (LARGE, 8, [(8, 2)] * 5),
        (HUGE, 3, [(1, 1)] * 30),
    ],
)
def test_a_larger_one_has_fewer_batches_and_then_fewer_epochs(chain, n_epochs, expected):
    pieces = list(cut(PAPER, epochs(n_epochs), chain))
    assert shape(pieces) == expected
    covered = [
        (n.epoch, batch) for piece in pieces for n in piece.networks for batch in piece.batches
    ]
    assert sorted(covered) == [(i, j) for i in range(n_epochs) for j in range(PAPER.batches)]
    assert len({piece.name for piece in pieces}) == len(pieces)


def test_some_epochs_of_one_batch():
    study = GradientStudy(batches=2, batch_size=16 * 8)
    pieces = list(cut(study, epochs(3), LARGE))
    found = [([n.epoch for n in piece.networks], list(piece.batches)) for piece in pieces]
    assert found == [([0, 1], [0]), ([0, 1], [1]), ([2], [0]), ([2], [1])]


def test_digits_run_as_many_at_once_as_with_one_gibibyte_each():
    both = epochs(3, ("exact", "sampled"))
    assert piece_bytes(DIGITS, SMALL, cut(DIGITS, both, SMALL)) < 2**28


def test_memory_grows_with_network_and_batch():
    row = 16 * 56 * 56 * 256
    exact = piece_bytes(PAPER, HUGE, cut(PAPER, epochs(1), HUGE))
    assert exact == 4 * row * (66 * 6 + 3 * 67)
    (sampled, *_) = cut(PAPER, epochs(1, ("sampled",)), HUGE)
    # As many paths as half a gigabyte has room for.
    assert piece_bytes(PAPER, HUGE, [sampled]) == 4 * (66 * 6 * row + 2 * 2**27)
    twice = GradientStudy(batch_size=32)
    assert piece_bytes(twice, HUGE, cut(twice, epochs(1), HUGE)) == 2 * exact
    assert piece_bytes(PAPER, HUGE, []) == 0
