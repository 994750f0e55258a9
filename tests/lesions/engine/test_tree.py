import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.lesions.engine.tree import Tree

SEQUENCES = st.lists(st.lists(st.sampled_from("abc"), max_size=6), min_size=1, max_size=12)


def walked(tree, steps):
    node = 0
    for step in steps:
        node = tree.children[node][step]
    return node


@given(SEQUENCES)
def test_every_lesion_ends_where_its_steps_lead(sequences):
    tree = Tree(sequences)
    for lesion, steps in enumerate(sequences):
        assert lesion in tree.lesions[walked(tree, steps)]


@given(SEQUENCES)
def test_there_is_one_node_for_each_different_beginning(sequences):
    beginnings = {tuple(steps[:i]) for steps in sequences for i in range(len(steps) + 1)}
    tree = Tree(sequences)
    assert tree.n_nodes == len(beginnings)
    assert tree.n_ends[0] == len(sequences)
    assert tree.height[0] == max(map(len, sequences))


@given(SEQUENCES, st.integers(0, 2**32 - 1))
def test_what_is_needed_is_what_some_lesion_below_wants(sequences, seed):
    tree = Tree(sequences)
    wanted = np.random.default_rng(seed).random((len(sequences), 4)) < 0.4
    needed = tree.needed(wanted)
    expected = np.zeros_like(needed)
    for lesion, steps in enumerate(sequences):
        for i in range(len(steps) + 1):
            expected[walked(tree, steps[:i])] |= wanted[lesion]
    np.testing.assert_array_equal(needed, expected)


def test_a_step_that_lesions_share_has_the_smallest_of_their_depths():
    tree = Tree(["ac", "acb"], [[1, 3], [1, 2, 3]])
    assert [tree.depths[walked(tree, steps)] for steps in ("a", "ac", "acb")] == [1, 2, 3]


def test_where_a_step_leads():
    tree = Tree(["ab", "cb"])
    first, second = tree.children[0]["a"], tree.children[0]["c"]
    result = tree.after("b", np.array([0, first, second, first]))
    assert result.tolist() == [-1, walked(tree, "ab"), walked(tree, "cb"), walked(tree, "ab")]
