import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.lesions import Lesion, Step

N = 12


@st.composite
def lesions(draw, n=N):
    modules = draw(st.permutations(range(1, n + 1)))
    n_deleted = draw(st.integers(0, n // 2))
    n_duplicated = draw(st.integers(0, n // 2))
    pair = st.lists(st.integers(1, n), min_size=2, max_size=2, unique=True)
    return Lesion(
        deletions=modules[:n_deleted],
        duplications=modules[n - n_duplicated :],
        swaps=draw(st.lists(pair, max_size=6)),
    )


@given(lesions())
def test_what_is_written_is_read_back(lesion):
    assert Lesion.parse(str(lesion)) == lesion
    assert hash(Lesion.parse(str(lesion))) == hash(lesion)


@given(lesions())
def test_every_module_stands_somewhere(lesion):
    steps = lesion.steps(N)
    run = [step.module for step in steps if step.op == "run"]
    deleted = [step.module for step in steps if step.op == "deleted"]
    assert sorted(deleted) == list(lesion.deletions)
    assert sorted(run + deleted) == sorted([*range(1, N + 1), *lesion.duplications])


@given(lesions())
def test_tau_is_that_of_the_counted_inversions(lesion):
    order = lesion.order(N)
    inversions = sum(order[a] > order[b] for a in range(N) for b in range(a + 1, N))
    assert lesion.kendall_tau(N) == pytest.approx(1 - 4 * inversions / (N * (N - 1)))


@given(lesions())
def test_swapping_backwards_restores_the_order(lesion):
    there_and_back = Lesion(swaps=lesion.swaps + lesion.swaps[::-1])
    assert there_and_back.order(N) == list(range(1, N + 1))
    assert there_and_back.kendall_tau(N) == pytest.approx(1.0)


def test_text():
    lesion = Lesion(deletions=[7, 3], swaps=[(9, 4), (5, 7)], duplications=[5])
    assert str(lesion) == "delete 3,7; swap 4-9,5-7; duplicate 5"
    assert lesion.n_operations == 5
    assert str(Lesion()) == "intact"
    assert Lesion.parse("intact") == Lesion()
    assert Lesion.parse(" swap 1-2;delete 3 ") == Lesion(deletions=[3], swaps=[(1, 2)])


def test_order_of_deletions_does_not_matter_and_that_of_swaps_does():
    assert Lesion(deletions=[3, 7]) == Lesion(deletions=[7, 3])
    assert Lesion(swaps=[(1, 2), (2, 3)]) != Lesion(swaps=[(2, 3), (1, 2)])


def test_swaps_act_on_positions_one_after_another():
    assert Lesion(swaps=[(1, 2), (2, 3)]).order(3) == [2, 3, 1]
    assert Lesion(swaps=[(2, 3), (1, 2)]).order(3) == [3, 1, 2]


def test_deletions_and_duplications_name_modules_wherever_they_stand():
    lesion = Lesion(deletions=[1], swaps=[(1, 3)], duplications=[3])
    assert lesion.steps(3) == [
        Step(3, "run"),
        Step(3, "run"),
        Step(2, "run"),
        Step(1, "deleted"),
    ]


def test_the_intact_network_runs_every_module():
    assert Lesion().steps(2) == [Step(1, "run"), Step(2, "run")]
    assert Lesion().kendall_tau(1) == 1.0
    assert Lesion().n_operations == 0


def test_tau_as_the_authors_published_it():
    """Two re-orderings of ResNet-110 from the paper's authors' result files."""
    assert Lesion(swaps=[(2, 4)]).kendall_tau(54) == pytest.approx(0.995807, abs=1e-6)
    assert Lesion(swaps=[(2, 10)]).kendall_tau(54) == pytest.approx(0.979036, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"deletions": [0]}, "number 0"),
        ({"swaps": [(2, 0)]}, "number 0"),
        ({"deletions": [3, 3]}, "module 3 .*'delete'"),
        ({"duplications": [4, 4]}, "module 4 .*'duplicate'"),
        ({"swaps": [(4, 4)]}, "4-4"),
        ({"deletions": [5], "duplications": [5]}, "module 5"),
    ],
)
def test_a_lesion_that_means_nothing_is_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        Lesion(**arguments)


@pytest.mark.parametrize(
    "text", ["", "remove 3", "delete", "delete 3;delete 4", "swap 3", "delete 3-4", "delete 3, 4"]
)
def test_text_that_is_no_lesion_is_refused(text):
    with pytest.raises(ValueError, match=f"'{text}'"):
        Lesion.parse(text)


def test_a_number_beyond_the_network_is_refused():
    with pytest.raises(ValueError, match="'delete 10' for 9 modules"):
        Lesion(deletions=[10]).steps(9)
