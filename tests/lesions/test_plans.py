import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.lesions import Lesion, constraints, plans
from residual_ensembles.parameters import SWEEPS

MODULES = [2, 3, 5, 6, 8, 9, 11]
PAIRS = [(a, b) for a in MODULES for b in MODULES if a < b]
SIZES = st.integers(1, len(MODULES))
DRAWS = st.integers(1, 4)
SEEDS = st.integers(0, 2**31)
MAKERS = st.sampled_from(
    [
        lambda k, draws, seed: plans.random_deletions(MODULES, k, draws, seed),
        lambda k, draws, seed: plans.random_duplications(MODULES, k, draws, seed),
        lambda k, draws, seed: plans.reorderings(PAIRS, k, draws, seed),
    ]
)


@given(MAKERS, SIZES, SIZES, DRAWS, DRAWS, SEEDS)
def test_a_larger_plan_contains_the_smaller_one(make, k, more_k, draws, more_draws, seed):
    small = make(min(k, more_k), min(draws, more_draws), seed)
    large = make(max(k, more_k), max(draws, more_draws), seed)
    key = {(row.lesion.n_operations, row.draw): row for row in large}
    assert [key[row.lesion.n_operations, row.draw] for row in small] == small


@given(MAKERS, SIZES, DRAWS, SEEDS)
def test_each_number_of_operations_has_each_draw(make, k, draws, seed):
    result = [(row.lesion.n_operations, row.draw) for row in make(k, draws, seed)]
    assert result == [(size, draw) for size in range(1, k + 1) for draw in range(draws)]


@given(SIZES, SEEDS)
def test_only_what_may_be_chosen_is(k, seed):
    for row in plans.random_deletions(MODULES, k, 2, seed, "random_deletion_sparing"):
        assert set(row.lesion.deletions) <= set(MODULES)
        assert row.sweep == "random_deletion_sparing"
    for row in plans.random_duplications(MODULES, k, 2, seed):
        assert set(row.lesion.duplications) <= set(MODULES)
    for row in plans.reorderings(PAIRS, k, 2, seed):
        assert set(row.lesion.swaps) <= set(PAIRS)


def test_draws_differ_by_seed_and_draw():
    one = [row.lesion for row in plans.random_deletions(range(1, 55), 10, 2, seed=0)]
    other = [row.lesion for row in plans.random_deletions(range(1, 55), 10, 2, seed=1)]
    assert len(set(one[2:] + other[2:])) == 36


def test_modules_are_drawn_uniformly():
    drawn = [row.lesion.deletions[0] for row in plans.random_deletions([1, 2, 3, 4], 1, 2000, 0)]
    assert all(abs(drawn.count(module) - 500) < 100 for module in (1, 2, 3, 4))


def test_all_modules_can_go_at_once():
    last = plans.random_deletions([1, 2, 3], 3, 1, seed=0)[-1]
    assert last.lesion == Lesion(deletions=[1, 2, 3])


def test_a_study_of_a_residual_network(resnet):
    plan = plans.study_plan(resnet, k=2, draws=3, swaps=4, duplications=1, seed=0, random=True)
    counts = {sweep: sum(row.sweep == sweep for row in plan) for sweep in SWEEPS}
    assert counts == {
        "intact": 1,
        "single_deletion": 9,
        "random_deletion": 6,
        "random_deletion_sparing": 6,
        "reorder": 12,
        "single_duplication": 7,
        "random_duplication": 3,
    }
    assert [row.sweep for row in plan] == sorted((row.sweep for row in plan), key=SWEEPS.index)
    for row in plan:
        constraints.check_lesion(row.lesion, resnet)
        if row.sweep in ("random_deletion_sparing", "reorder", "random_duplication"):
            touched = {*row.lesion.deletions, *row.lesion.duplications, *sum(row.lesion.swaps, ())}
            assert not touched & {1, 4, 7}


def test_every_network_has_its_single_deletions(vgg):
    plan = plans.study_plan(vgg, k=99, draws=1, swaps=1, duplications=1, seed=0, random=False)
    assert [str(row.lesion) for row in plan] == ["intact", *(f"delete {i}" for i in range(1, 13))]


@pytest.mark.parametrize("k", [0, 7])
def test_k_beyond_what_may_go_is_refused(resnet, k):
    with pytest.raises(ValueError, match=f"k={k}"):
        plans.study_plan(resnet, k=k, draws=1, swaps=1, duplications=1, seed=0, random=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"swaps": 0}, "swaps=0"),
        ({"draws": 0}, "draws=0"),
        ({"draws": 10**9}, "draws=1000000000.*4,000,000,000"),
        ({"swaps": 10**7}, "swaps=10000000"),
        ({"duplications": 7}, "duplications=7"),
    ],
)
def test_other_numbers_out_of_range_are_refused(resnet, change, named):
    numbers = {"k": 1, "draws": 1, "swaps": 1, "duplications": 1, "seed": 0, **change}
    with pytest.raises(ValueError, match=named):
        plans.study_plan(resnet, random=True, **numbers)


def test_a_plan_that_is_cut_counts_what_is_left(resnet):
    numbers = {"k": 10**9, "draws": 1, "swaps": 1, "duplications": 10**9, "seed": 0}
    plan = plans.study_plan(resnet, random=True, clip=True, **numbers)
    assert len(plan) < 100


def test_nothing_to_swap_is_refused():
    with pytest.raises(ValueError, match="network"):
        plans.reorderings([], 1, 1, 0)
