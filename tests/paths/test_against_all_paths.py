"""Everything about gradients by path, against all 2^n paths, one masked pass each, in float64."""

import numpy as np
import pytest

from residual_ensembles import backend, paths
from residual_ensembles.parameters import BATCH_NORM
from residual_ensembles.paths.exact_lengths import backprop_by_length
from tests.helpers.masked_passes import RELATIVE, ROUNDING, PathGradients, batch, small_chain

KINDS = ["residual", "highway", "first_generation", "partly_plain", "segmented"]
CASES = [(kind, mode, True) for kind in KINDS[:2] for mode in BATCH_NORM]
if backend.NAME == "tensorflow":  # JAX takes minutes to compile them all
    CASES += [(kind, mode, False) for kind in KINDS[:2] for mode in BATCH_NORM]
    CASES += [(kind, "inference", True) for kind in KINDS[2:]]
    CASES += [("segmented", "training", True)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def case(request):
    """A chain, the same linearized at one batch, and the gradients of all its paths."""
    kind, batch_norm, closed_forms = request.param
    chain = small_chain(kind)
    linearized = paths.Linearization(chain, batch_norm, closed_forms).linearize(*batch())
    every = PathGradients(chain, *batch(), training=batch_norm == "training").of_all()
    return chain, linearized, every


def summed(every, of, keep=lambda path: True):
    """Returns the sum of one of the gradients over the paths to keep, flat."""
    return sum(np.ravel(gradients[of]) for path, gradients in every.items() if keep(path))


def expected(every, of, lengths):
    """Returns norms and shares by length."""
    full = summed(every, of)
    parts = [summed(every, of, lambda path, k=k: sum(path) == k) for k in lengths]
    shares = [part @ full / (full @ full) for part in parts]
    return [np.linalg.norm(part) for part in parts], shares


def all_lengths(chain):
    forced = sum(not module.has_skip for module in chain.modules)
    return list(range(forced, len(chain.modules) + 1))


@pytest.mark.parametrize(("target", "of"), [("image", 0), ("y0", 1)])
def test_exact_is_the_sum_over_all_paths(case, target, of):
    chain, linearized, every = case
    result = paths.batch_gradient_by_length(linearized, target=target)
    norms, shares = expected(every, of, all_lengths(chain))
    assert result.lengths.tolist() == all_lengths(chain)
    assert 10**result.log10_norms == pytest.approx(norms, rel=RELATIVE)
    assert result.shares == pytest.approx(shares, rel=RELATIVE, abs=RELATIVE / 1000)
    assert result.shares.sum() == pytest.approx(1, abs=RELATIVE)
    assert 10**result.log10_gradient_norm == pytest.approx(
        np.linalg.norm(summed(every, of)), rel=RELATIVE
    )
    # The stem normalizes images in float32.
    assert result.error < (ROUNDING if target == "y0" else 1e-5)


def test_exact_carries_the_very_gradients(case):
    _, linearized, every = case
    carried = backprop_by_length(linearized)
    for k, row, exponent in zip(
        range(carried.shortest, carried.longest + 1), carried.rows, carried.exponents, strict=True
    ):
        by_hand = summed(every, 1, lambda path, k=k: sum(path) == k)
        assert np.ldexp(np.ravel(row), exponent) == pytest.approx(
            by_hand, rel=RELATIVE, abs=RELATIVE / 100
        )


def test_max_length_gives_the_short_lengths(case):
    chain, linearized, every = case
    shortest = all_lengths(chain)[0]
    result = paths.batch_gradient_by_length(linearized, max_length=shortest + 1)
    norms, shares = expected(every, 1, [shortest, shortest + 1])
    assert 10**result.log10_norms == pytest.approx(norms, rel=RELATIVE)
    assert result.shares == pytest.approx(shares, rel=RELATIVE, abs=RELATIVE / 1000)
    assert np.isnan(result.error)


@pytest.mark.parametrize(("target", "of"), [("image", 0), ("y0", 1)])
def test_sampled_norms_are_those_of_masked_passes(case, target, of):
    _, linearized, every = case
    result = paths.batch_path_gradients(linearized, np.array(list(every)), target)
    full = summed(every, of)
    gradients = [np.ravel(every[path][of]) for path in every]
    assert 10**result.log10_norms == pytest.approx(
        [np.linalg.norm(g) for g in gradients], rel=RELATIVE
    )
    shares = [g @ full / (full @ full) for g in gradients]
    assert result.shares == pytest.approx(shares, rel=RELATIVE, abs=RELATIVE / 1000)
    assert result.shares.sum() == pytest.approx(1, abs=RELATIVE)


def test_share_by_module_is_that_of_the_paths_through_it(case):
    chain, linearized, every = case
    full = summed(every, 1)
    through = [
        summed(every, 1, lambda path, i=i: path[i]) @ full / (full @ full)
        for i in range(len(chain.modules))
    ]
    result = paths.share_by_module(linearized)
    assert result == pytest.approx(through, rel=RELATIVE, abs=RELATIVE / 1000)
    exact = paths.batch_gradient_by_length(linearized)
    assert result.sum() == pytest.approx(exact.lengths @ exact.shares, rel=RELATIVE)


@pytest.mark.parametrize("number", [1, 3, 4])
def test_weight_gradient_is_by_length_above_the_module(case, number):
    chain, linearized, every = case
    first = 2 + sum(len(module.variables) for module in chain.modules[: number - 1])
    variables = chain.modules[number - 1].variables
    own = [first + i for i, variable in enumerate(variables) if variable.trainable]

    def gradient(k=None):
        # A way is a path's part above the module; what is below, and itself, does not matter: of
        # the paths that differ there only, residual and skip of the module give their weights'.
        parts = []
        for of in own:
            kept = {
                path: g
                for path, g in every.items()
                if not any(
                    p and m.has_skip
                    for p, m in zip(path, chain.modules[: number - 1], strict=False)
                )
                and (k is None or sum(path[number:]) == k)
            }
            parts.append(summed(kept, of) if kept else 0.0)
        return np.concatenate(parts)

    result = paths.weight_gradient(linearized, number)
    full = gradient()
    parts = [gradient(k) for k in result.lengths]
    assert 10**result.log10_norms == pytest.approx([np.linalg.norm(p) for p in parts], rel=RELATIVE)
    assert result.shares == pytest.approx([p @ full / (full @ full) for p in parts], abs=RELATIVE)
    assert result.error < ROUNDING


def test_the_network_is_unchanged(case):
    chain, *_ = case
    before = [np.array(w) for w in chain.get_weights()]
    paths.batch_gradient_by_length(paths.Linearization(chain, "training").linearize(*batch(1)))
    for one, other in zip(before, chain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
