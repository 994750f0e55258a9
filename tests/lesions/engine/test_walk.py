"""The order of a walk, on a network whose modules only write down that they ran."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from residual_ensembles.lesions.engine.grid import BATCHES_IN_MEMORY
from residual_ensembles.lesions.engine.tree import Tree
from residual_ensembles.lesions.engine.walk import Walk

N_STEPS = 5
WIDTH = 16


class Ledger:
    """Each step multiplies by 7 and adds its number: what arrives says how it came, in base 7."""

    def __init__(self):
        self.batches = []

    def stem(self, images):
        return ops.cast(ops.repeat(images, WIDTH, axis=1), "float32")

    def run(self, step, y):
        self.batches.append((step, int(y.shape[0])))
        return y * 7.0 + step

    def head(self, y):
        return y[:, :1]


def expected(steps, image):
    value = image
    for step in steps:
        value = value * 7 + step
    return value


def walk(sequences, n_images=6, sizes=(8, 4, 2, 1), memory=2**30, wanted=None, depths=None):
    network, tree = Ledger(), Tree(sequences, depths)
    result = np.full((len(sequences), n_images), np.nan)

    def arrive(lesion, positions, logits):
        assert np.isnan(result[lesion, positions]).all()  # once is enough
        result[lesion, positions] = logits[:, 0]

    walked = Walk(network, tree, sizes, memory, arrive)
    walked(np.arange(n_images)[:, None], None if wanted is None else tree.needed(wanted))
    assert walked.live_bytes == 0
    return result, network, walked


SEQUENCES = st.lists(
    st.lists(st.integers(1, N_STEPS), max_size=5).map(tuple), min_size=1, max_size=25
)
MEMORY = st.sampled_from([0, 2000, 2**30])


@settings(deadline=None, max_examples=30)  # TensorFlow's first calls take their time
@given(SEQUENCES, MEMORY, st.integers(1, 9))
def test_every_image_arrives_after_its_steps(sequences, memory, n_images):
    result, _, _ = walk(sequences, n_images, memory=memory)
    for lesion, steps in enumerate(sequences):
        assert result[lesion].tolist() == [expected(steps, p) for p in range(n_images)]


@settings(deadline=None, max_examples=30)  # TensorFlow's first calls take their time
@given(SEQUENCES, MEMORY, st.integers(0, 2**32 - 1))
def test_wanted_images_arrive_after_their_steps(sequences, memory, seed):
    wanted = np.random.default_rng(seed).random((len(sequences), 6)) < 0.3
    result, _, _ = walk(sequences, memory=memory, wanted=wanted)
    for lesion, image in zip(*np.nonzero(wanted), strict=True):
        assert result[lesion, image] == expected(sequences[lesion], image)


@settings(deadline=None, max_examples=30)  # TensorFlow's first calls take their time
@given(SEQUENCES)
def test_nothing_is_computed_twice(sequences):
    _, network, _ = walk(sequences, n_images=8)  # a batch is full: nothing has to be filled up
    n_different = Tree(sequences).n_nodes - 1
    assert sum(size for _, size in network.batches) == 8 * n_different


def test_lesions_that_meet_again_pass_as_one_batch():
    single_deletions = [tuple(i for i in range(1, 6) if i != deleted) for deleted in range(1, 6)]
    _, network, _ = walk(single_deletions, n_images=1)
    assert network.batches == [(1, 1), (2, 2), (3, 2), (3, 1), (4, 4), (5, 4)]


def test_lesions_meet_by_depth_and_not_by_number():
    sequences = [(1, 2, 3, 4), (4, 2, 3, 1)]
    _, network, _ = walk(sequences, n_images=1, depths=[(1, 2, 3, 4)] * 2)
    assert network.batches == [(1, 1), (4, 1), (2, 2), (3, 2), (1, 1), (4, 1)]


def test_large_blocks_go_on_one_by_one_and_the_fewest_lesions_first():
    _, network, _ = walk([(1, 2, 3), (1, 3), (2, 3)], n_images=4, sizes=(4,))
    assert network.batches == [(2, 4), (3, 4), (1, 4), (2, 4), (3, 4), (3, 4)]


def test_large_blocks_take_little_memory():
    sequences = [(*beginning, 5, 5, 5) for beginning in itertools.product(range(1, 5), repeat=3)]
    _, _, walked = walk(sequences, n_images=8, sizes=(8,))
    assert walked.peak_bytes <= 6 * 8 * WIDTH * 4  # one for each parting, one that comes, one goes


def test_memory_is_bounded_by_taking_what_is_nearest_to_its_end():
    # Each beginning has steps of its own, so that small blocks find no others to go with.
    beginnings = itertools.product(range(4), repeat=3)
    sequences = [
        (10 + i, 20 + 4 * i + j, 100 + 16 * i + 4 * j + k, 5, 5, 5) for i, j, k in beginnings
    ]
    options = {"n_images": 2, "depths": [range(6)] * 64}
    block = 2 * WIDTH * 4
    _, _, broad = walk(sequences, **options)
    _, _, narrow = walk(sequences, memory=30 * block, **options)
    assert broad.peak_bytes > 64 * block  # all 64 at once
    assert narrow.peak_bytes <= 30 * block


def test_large_blocks_that_wait_with_some_of_their_rows_take_no_more_than_there_is():
    # Of the intact network's way, whose blocks are large, each lesion takes but some rows.
    n, n_steps = 16, 80
    intact = tuple(range(1, n_steps + 1))
    sequences = [(*intact[:i], 1000 + i, *intact[i + 1 :]) for i in range(n_steps)] + [intact]
    wanted = np.random.default_rng(0).random((n_steps + 1, n)) < 0.6
    wanted[-1] = True
    memory = BATCHES_IN_MEMORY * n * WIDTH * 4
    options = {"n_images": n, "sizes": (n, n // 2, n // 4), "depths": [intact] * len(sequences)}
    _, _, walked = walk(sequences, memory=memory, wanted=wanted, **options)
    assert walked.peak_bytes <= memory / 2  # without a bound they would take more than all of it


@pytest.mark.parametrize(
    ("n", "sizes"), [(8, [8]), (7, [8]), (6, [4, 2]), (11, [8, 2, 1]), (1, [1])]
)
def test_batches_are_cut_so_that_little_is_filled_up(n, sizes):
    _, network, _ = walk([(1,)], n_images=n)
    assert [size for _, size in network.batches] == sizes
