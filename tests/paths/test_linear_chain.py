"""A chain of dense modules by another hand than ours, whose path gradients are known on paper."""

import math
from itertools import product

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residual_ensembles import backend, models, paths
from residual_ensembles.paths.exact_lengths import largest_of_neighbors
from tests.helpers.masked_passes import DTYPE, RELATIVE, ROUNDING


class Linear(keras.layers.Layer):
    """y + y W, without anything of our modules but their interface."""

    has_skip = True
    own_variables = property(lambda self: self.variables)

    def __init__(self, matrix, dtype):
        super().__init__(dtype=dtype)
        self.matrix = self.add_weight(shape=matrix.shape, initializer="zeros")
        self.matrix.assign(matrix)
        self.built = True

    def residual(self, y, training=False):
        return keras.ops.matmul(y, keras.ops.convert_to_tensor(self.matrix))

    def skip(self, y, training=False):
        return y

    def after(self, z):
        return z

    def get_config(self):
        return {"units": self.matrix.shape[0]}


class Reticent(Linear):
    """The same, but it does not say what it is."""

    def get_config(self):
        raise NotImplementedError


class Identity(keras.layers.Layer):
    """Stem, and head: y is the logits."""

    def call(self, y, training=None):
        return y


class LinearChain:
    """A chain, without being one of ours."""

    name = "linear"
    segments = ()
    probabilities = False
    compiled_with = models.Compilation()

    def __init__(self, matrices, dtype=DTYPE, module=Linear):
        self.stem, self.head = Identity(dtype=dtype), Identity(dtype=dtype)
        self.modules = [module(matrix, dtype) for matrix in matrices]
        self.shapes = [(len(matrix),) for matrix in [*matrices, matrices[-1]]]
        self.output_shapes = self.shapes[-1:]


def on_paper(matrices, x, labels):
    """Returns the gradient that arrives at y_n, and that of each path: `g Wnᵀ … W1ᵀ`."""
    logits = x
    for matrix in matrices:
        logits = logits + logits @ matrix
    softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    top = (softmax - np.eye(logits.shape[1])[labels]) / len(x)
    gradients = {}
    for path in product((0, 1), repeat=len(matrices)):
        g = top
        for takes, matrix in zip(path[::-1], matrices[::-1], strict=True):
            g = g @ matrix.T if takes else g
        gradients[path] = g
    return top, gradients


@settings(max_examples=6 if backend.NAME == "tensorflow" else 2, deadline=None)
@given(
    n=st.integers(1, 8),
    width=st.integers(2, 5),
    batch=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_all_paths_equal_the_matrix_products(n, width, batch, seed):
    random = np.random.default_rng(seed)
    matrices = random.normal(size=(n, width, width)) * 0.5
    x, labels = random.normal(size=(batch, width)) * 0.3, random.integers(0, width, batch)
    linearized = paths.Linearization(LinearChain(matrices)).linearize(x, labels)
    top, gradients = on_paper(matrices, x, labels)
    np.testing.assert_allclose(linearized.cotangent, top, rtol=RELATIVE, atol=1e-7)

    single = paths.batch_path_gradients(linearized, np.array(list(gradients)))
    norms = [np.linalg.norm(g) for g in gradients.values()]
    assert 10**single.log10_norms == pytest.approx(norms, rel=RELATIVE)

    full = sum(gradients.values())
    parts = [sum(g for p, g in gradients.items() if sum(p) == k) for k in range(n + 1)]
    exact = paths.batch_gradient_by_length(linearized)
    assert 10**exact.log10_norms == pytest.approx([np.linalg.norm(p) for p in parts], rel=RELATIVE)
    shares = [np.sum(p * full) / np.sum(full**2) for p in parts]
    assert exact.shares == pytest.approx(shares, rel=RELATIVE, abs=RELATIVE / 1000)
    assert exact.error < ROUNDING


def test_a_module_without_config_shares_no_compiled_code():
    matrices = np.random.default_rng(0).normal(size=(3, 2, 2))
    result = [
        paths.batch_gradient_by_length(
            paths.Linearization(LinearChain(matrices, module=module)).linearize([[1.0, 2]], [0])
        )
        for module in (Linear, Reticent)
    ]
    np.testing.assert_allclose(result[0].log10_norms, result[1].log10_norms, atol=1e-6)


@pytest.mark.parametrize("shrinks", [0.3, 1e-2, 1e-4, 1e-7])
def test_norms_beyond_the_range_of_float32(shrinks):
    n, width = 54, 3
    chain = LinearChain([shrinks * np.eye(width)] * n, "float32")
    linearized = paths.Linearization(chain).linearize(np.ones((2, width)), [0, 1])
    top = math.log10(np.linalg.norm(np.asarray(linearized.cotangent, float)))

    exact = paths.batch_gradient_by_length(linearized)
    on_paper = [top + k * math.log10(shrinks) + math.log10(math.comb(n, k)) for k in range(n + 1)]
    np.testing.assert_allclose(exact.log10_norms, on_paper, atol=2e-5)
    shares = [math.comb(n, k) * shrinks**k / (1 + shrinks) ** n for k in range(n + 1)]
    np.testing.assert_allclose(exact.shares, shares, rtol=1e-4, atol=1e-7)

    drawn = np.concatenate([paths.draw_paths([True] * n, k, 2, 0, 0) for k in (0, 20, 54)])
    single = paths.batch_path_gradients(linearized, drawn)
    lengths = np.repeat([0, 20, 54], 2)
    np.testing.assert_allclose(single.log10_norms, top + lengths * math.log10(shrinks), atol=2e-5)


def test_a_dead_path_has_norm_zero():
    chain = LinearChain([np.eye(2), np.zeros((2, 2))], "float32")
    linearized = paths.Linearization(chain).linearize([[1.0, 0.0]], [1])
    single = paths.batch_path_gradients(linearized, [[1, 0], [0, 1]])
    assert np.isfinite(single.log10_norms[0])
    assert single.log10_norms[1] == -np.inf
    exact = paths.batch_gradient_by_length(linearized)
    assert exact.log10_norms[2] == -np.inf
    assert exact.shares == pytest.approx([0.5, 0.5, 0.0])


def test_without_a_gradient_there_are_no_shares():
    chain = LinearChain([np.eye(2)] * 2, "float32")
    linearized = paths.Linearization(chain).linearize([[0.0, 1000.0]], [1])
    exact = paths.batch_gradient_by_length(linearized)
    assert np.isneginf(exact.log10_norms).all()
    assert np.isnan(exact.shares).all()
    assert np.isnan(exact.error)
    assert np.isnan(paths.share_by_module(linearized)).all()


def test_lengths_that_do_not_add_up_are_refused():
    linearized = paths.Linearization(LinearChain([np.eye(2)] * 3)).linearize([[1.0, 0.0]], [1])
    linearized.__dict__["gradients"] = [g * 1.001 for g in linearized.gradients]
    with pytest.raises(ArithmeticError, match="gradient"):
        paths.batch_gradient_by_length(linearized)


def test_paths_that_cancel_may_leave_rounding():
    # The residuals are −1: of 2^20 paths as large as each other, nothing is left.
    chain = LinearChain([-np.eye(2)] * 20, "float32")
    exact = paths.batch_gradient_by_length(paths.Linearization(chain).linearize([[1.0, 0.0]], [1]))
    assert exact.log10_norms[10] > 4


def test_neighbors_of_similar_size_share_an_exponent():
    sizes = np.array([5, 3, -40, -60, -61, 10])
    assert largest_of_neighbors(sizes, 60).tolist() == [5, 5, 5, -60, -60, 10]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda it: paths.batch_path_gradients(it, [[1, 0]]), r"\(1, 2\)"),
        (lambda it: paths.batch_path_gradients(it, [[1, 0, 0]], "pixels"), "target='pixels'"),
        (lambda it: paths.batch_gradient_by_length(it, target="pixels"), "target='pixels'"),
        (lambda it: paths.batch_gradient_by_length(it, max_length=-1), "max_length=-1"),
        (lambda it: paths.weight_gradient(it, 0), "module 0"),
        (lambda it: paths.weight_gradient(it, 4), "module 4"),
    ],
)
def test_bad_arguments_are_refused(call, named):
    linearized = paths.Linearization(LinearChain([np.eye(2)] * 3)).linearize([[1.0, 0.0]], [1])
    with pytest.raises(ValueError, match=named):
        call(linearized)


def test_other_modes_of_batch_normalization_are_refused():
    with pytest.raises(ValueError, match="batch_norm='eval'"):
        paths.Linearization(LinearChain([np.eye(2)]), "eval")
