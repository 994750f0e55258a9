import numpy as np
import pytest

from residual_ensembles.analysis import voting
from residual_ensembles.storage.columns import ENSEMBLE_COLUMNS

# Three members, three classes. Image 0: two heads against one louder one. Image 1: three heads
# for three classes. Image 2: all agree.
PROBABILITIES = np.array(
    [
        [[0.55, 0.45, 0.0], [0.6, 0.4, 0.0], [0.0, 0.1, 0.9]],
        [[0.55, 0.45, 0.0], [0.3, 0.7, 0.0], [0.3, 0.1, 0.6]],
        [[0.0, 1.0, 0.0], [0.0, 0.2, 0.8], [0.0, 0.0, 1.0]],
    ]
)


def test_votes_by_hand():
    assert list(voting.average(PROBABILITIES)) == [1, 1, 2]
    assert list(voting.majority(PROBABILITIES)) == [0, 1, 2]


def test_one_member_votes_for_its_own_prediction():
    for count in voting.VOTES.values():
        for member in PROBABILITIES:
            np.testing.assert_array_equal(count(member[None]), member.argmax(axis=-1))


def test_probability_1_does_not_outvote_a_member():
    """Mean probabilities of 1 must not outvote: they would, were they not halved."""
    sure, doubtful = [0.0, 1.0], [0.51, 0.49]
    heads = np.array([[sure], [doubtful], [doubtful]])
    assert voting.average(heads) == [1]
    assert voting.majority(heads) == [0]


@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_every_sub_ensemble_once(n):
    result = list(voting.sub_ensembles(n))
    assert len(set(result)) == len(result) == 2**n - 1
    assert [len(c) for c in result] == sorted(len(c) for c in result)


def test_the_table_by_hand():
    labels = np.array([0, 1, 2])
    table, predictions = voting.vote(7, PROBABILITIES, labels, n_modules=9)
    assert list(table.columns) == ENSEMBLE_COLUMNS
    assert predictions.shape == (14, 3)
    np.testing.assert_array_equal(table.n_wrong, (predictions != labels).sum(axis=1))
    complete = table[table["size"] == 3].set_index("vote")
    assert complete.n_wrong.to_dict() == {"average": 1, "majority": 0}
    assert set(complete.members) == {"1,2,3"}
    assert set(complete.n_modules) == {27}
    assert set(table.seed) == {7}
    assert (table.error_low <= table.error_fraction + 1e-9).all()
    assert (table.error_fraction <= table.error_high).all()
