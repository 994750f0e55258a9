"""Where gradients are cut, and what chunks take: networks of which only shapes are there."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from residual_ensembles.paths.study.gradient_chunks import (
    NetworkSnapshot,
    chunk_bytes,
    chunks_of,
    exact_multiply_adds,
)
from residual_ensembles.paths.study.gradient_study import GradientStudy


def resnet(size: int, widths: tuple, per_stage: int, has_skip: bool = True):
    """A network of stages that halve the images, with two 3×3 kernels in a module."""
    shapes = [(size, size, widths[0])]
    modules = []
    for stage, width in enumerate(widths):
        for _ in range(per_stage):
            weights = [SimpleNamespace(shape=x) for x in ((3, 3, width, width), (width,))] * 2
            modules.append(SimpleNamespace(has_skip=has_skip, variables=weights))
            shapes.append((size >> stage, size >> stage, width))
    return SimpleNamespace(modules=modules, shapes=shapes)


def epochs(n: int, estimators=("exact",)) -> list[NetworkSnapshot]:
    return [
        NetworkSnapshot("one", epoch, Path("one.keras"), "inference", estimators)
        for epoch in range(n)
    ]


DIGITS = GradientStudy(samples=1000, batches=10, batch_size=4)
PAPER = GradientStudy(samples=1000, batches=10, batch_size=16)
SMALL, LARGE = resnet(8, (16, 32, 64), 18), resnet(32, (16, 32, 64), 18)
HUGE = resnet(56, (256, 512, 1024), 22)


def shape(chunks) -> list[tuple[int, int]]:
    """Epochs and batches of each chunk."""
    return [(len(chunk.networks), len(chunk.batches)) for chunk in chunks]


def test_each_length_goes_through_each_module_once():
    chain = resnet(4, (2,), 3)
    product = 2 * 9 * 2 * 2 * 16
    study = GradientStudy(batch_size=5)
    assert exact_multiply_adds(study, chain) == 5 * (3 + 2 + 1) * product + 1
    one_path = resnet(4, (2,), 3, has_skip=False)
    assert exact_multiply_adds(study, one_path) == 5 * 3 * product + 1


def test_a_small_network_is_one_chunk_for_ten_batches():
    assert shape(chunks_of(DIGITS, epochs(3), SMALL)) == [(3, 10)]
    more = GradientStudy(batches=12, batch_size=4)
    assert shape(chunks_of(more, epochs(3), SMALL)) == [(3, 10), (3, 2)]


@pytest.mark.parametrize(
    ("chain", "n_epochs", "expected"),
    [
        (LARGE, 3, [(3, 5), (3, 5)]),
        (LARGE, 8, [(8, 2)] * 5),
        (HUGE, 3, [(1, 1)] * 30),
    ],
)
def test_a_larger_one_has_fewer_batches_and_then_fewer_epochs(chain, n_epochs, expected):
    chunks = list(chunks_of(PAPER, epochs(n_epochs), chain))
    assert shape(chunks) == expected
    covered = [
        (n.epoch, batch) for chunk in chunks for n in chunk.networks for batch in chunk.batches
    ]
    assert sorted(covered) == [(i, j) for i in range(n_epochs) for j in range(PAPER.batches)]
    assert len({chunk.name for chunk in chunks}) == len(chunks)


def test_some_epochs_of_one_batch():
    study = GradientStudy(batches=2, batch_size=16 * 8)
    chunks = list(chunks_of(study, epochs(3), LARGE))
    result = [([n.epoch for n in chunk.networks], list(chunk.batches)) for chunk in chunks]
    assert result == [([0, 1], [0]), ([0, 1], [1]), ([2], [0]), ([2], [1])]


def test_digits_run_as_many_at_once_as_with_one_gibibyte_each():
    both = epochs(3, ("exact", "sampled"))
    assert chunk_bytes(DIGITS, SMALL, chunks_of(DIGITS, both, SMALL)) < 2**28


def test_memory_grows_with_network_and_batch():
    row = 16 * 56 * 56 * 256
    exact = chunk_bytes(PAPER, HUGE, chunks_of(PAPER, epochs(1), HUGE))
    assert exact == 4 * row * (66 * 6 + 3 * 67)
    (sampled, *_) = chunks_of(PAPER, epochs(1, ("sampled",)), HUGE)
    # As many paths as half a gigabyte has room for.
    assert chunk_bytes(PAPER, HUGE, [sampled]) == 4 * (66 * 6 * row + 2 * 2**27)
    twice = GradientStudy(batch_size=32)
    assert chunk_bytes(twice, HUGE, chunks_of(twice, epochs(1), HUGE)) == 2 * exact
    assert chunk_bytes(PAPER, HUGE, []) == 0
