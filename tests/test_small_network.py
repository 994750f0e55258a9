"""One small network, taken apart by lesions and by paths: what every backend has to run."""

from itertools import product

import numpy as np
import pytest

from residual_ensembles import paths
from residual_ensembles.lesions import Lesion, evaluate, evaluate_reference


def test_the_engine_predicts_what_the_reference_does(build, pictures):
    chain = build()
    plan = [Lesion(), Lesion(deletions=[1]), Lesion(duplications=[1]), Lesion(deletions=[2, 3])]
    found = evaluate(chain, plan, pictures)
    np.testing.assert_array_equal(found.predictions, evaluate_reference(chain, plan, pictures))
    assert found.agreement.n_unexplained == 0
    assert len({tuple(row) for row in found.predictions}) > 1  # lesions matter


def test_single_paths_add_up_to_those_of_each_length(build, pictures):
    point = paths.Linearization(build()).at(pictures, np.arange(8))
    exact = paths.exact(point)
    assert exact.error < 1e-5
    every = np.array(list(product([0, 1], repeat=3)))
    shares = paths.sampled(point, every).shares
    by_length = np.bincount(every.sum(axis=1), weights=shares)
    assert by_length == pytest.approx(exact.shares, abs=1e-4)
    assert shares.sum() == pytest.approx(1, abs=1e-4)
