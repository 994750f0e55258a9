"""The networks of the paper by path: one path of a VGG, shared code, float32, mixed precision."""

import importlib
import json

import keras
import numpy as np
import pytest

from residual_ensembles import backend, models, paths
from residual_ensembles.models.blocks import convolution
from residual_ensembles.models.stem_head import LayerSequence
from residual_ensembles.parameters import BATCH_NORM
from residual_ensembles.paths.products import (
    Autodiff,
    HighwayProducts,
    ResidualProducts,
    products_for,
)
from tests.helpers.checks import uncompiled
from tests.helpers.masked_passes import PathGradients

SHAPE = (8, 8, 1)
DEPTH = 14 if backend.NAME == "tensorflow" else 8  # JAX compiles for long
N = (DEPTH - 2) // 2


def batch():
    random = np.random.default_rng(3)
    return random.integers(0, 17, (4, *SHAPE)), random.integers(0, 10, 4)


def network(model, depth, **options):
    return models.build(model, depth, SHAPE, 10, [5.0], [6.0], **options)


def test_a_vgg_has_one_path():
    chain = network("vgg", 15)
    linearized = paths.Linearization(chain).linearize(*batch())
    exact = paths.batch_gradient_by_length(linearized)
    assert exact.lengths.tolist() == [12]
    assert exact.shares == pytest.approx([1])
    assert exact.log10_norms == pytest.approx([exact.log10_gradient_norm])
    assert paths.share_by_module(linearized) == pytest.approx(np.ones(12))
    only = paths.batch_path_gradients(linearized, np.ones((1, 12)))
    assert only.log10_norms == pytest.approx(exact.log10_norms)
    with pytest.raises(ValueError, match="module 3"):
        paths.batch_path_gradients(linearized, [[1, 1, 0, *[1] * 9]])
    with pytest.raises(ValueError, match="max_length=5"):
        paths.batch_gradient_by_length(linearized, max_length=5)


@pytest.mark.parametrize("model", ["resnet", "highway"])
@pytest.mark.parametrize("batch_norm", BATCH_NORM)
def test_in_float32_lengths_add_up_and_single_paths_equal_masked_passes(model, batch_norm):
    chain = network(model, DEPTH)
    linearized = paths.Linearization(chain, batch_norm).linearize(*batch())
    exact = paths.batch_gradient_by_length(linearized)
    assert exact.error < 1e-5
    assert exact.shares.sum() == pytest.approx(1, abs=1e-5)
    drawn = np.concatenate([paths.draw_paths([True] * N, k, 2, 0, 0) for k in range(N + 1)])
    masked = PathGradients(chain, *batch(), training=batch_norm == "training")
    norms = [np.linalg.norm(masked.of(path)[1].astype(float)) for path in drawn]
    assert 10 ** paths.batch_path_gradients(linearized, drawn).log10_norms == pytest.approx(
        norms, rel=2e-4
    )


def test_rescaling_changes_no_digit(monkeypatch):
    chain = network("resnet", DEPTH)
    linearized = paths.Linearization(chain).linearize(*batch())
    drawn = paths.draw_paths([True] * N, N // 2, 6, 0, 0)
    scaled = paths.batch_path_gradients(linearized, drawn)
    monkeypatch.setattr("residual_ensembles.paths.cotangents.PRODUCTS_PER_RESCALING", 1)
    np.testing.assert_array_equal(
        scaled.log10_norms, paths.batch_path_gradients(linearized, drawn).log10_norms
    )


def test_lengths_are_the_same_in_groups(monkeypatch):
    linearized = paths.Linearization(network("resnet", DEPTH)).linearize(*batch())
    drawn = np.concatenate([paths.draw_paths([True] * N, k, 3, 0, 0) for k in range(N + 1)])
    at_once = paths.batch_path_gradients(linearized, drawn)
    module = importlib.import_module("residual_ensembles.paths.sampled_paths")  # not the function
    monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 7 * 4 * 8 * 8 * 16)
    in_groups = paths.batch_path_gradients(linearized, drawn)
    np.testing.assert_allclose(in_groups.log10_norms, at_once.log10_norms, atol=1e-5)


@pytest.mark.parametrize("model", ["resnet", "highway"])
def test_cotangents_go_through_a_module_alone_or_stacked(model, monkeypatch):
    chain = network(model, 14)  # of three sizes, so that some skips are convolutions
    drawn = np.concatenate([paths.draw_paths([True] * 6, k, 3, 0, 0) for k in range(7)])
    result = []
    for numbers in (1, 4 * 3 * 8 * 8 * 16, 2**30):
        monkeypatch.setattr("residual_ensembles.paths.products._shared", {})
        monkeypatch.setattr(backend, "NUMBERS_AT_ONCE", numbers)
        with uncompiled():
            linearized = paths.Linearization(chain).linearize(*batch())
            result.append(
                (
                    paths.batch_gradient_by_length(linearized).log10_norms,
                    paths.batch_path_gradients(linearized, drawn).log10_norms,
                )
            )
    for other in result[1:]:
        np.testing.assert_allclose(other[0], result[0][0], atol=1e-5)
        np.testing.assert_allclose(other[1], result[0][1], atol=1e-5)


@pytest.mark.parametrize("name", ["resnet", "highway"])
def test_modules_of_a_kind_share_compiled_code_and_others_do_not(name):
    chain = network(name, 20)
    shared = [
        products_for(module, shape, False, True)
        for module, shape in zip(chain.modules, chain.shapes, strict=False)
    ]
    kinds = [shared.index(products) for products in shared]
    assert kinds == [0, 0, 0, 3, 4, 4, 6, 7, 7]
    training = products_for(chain.modules[0], chain.shapes[0], True, True)
    assert training is not shared[0]


def test_survival_probabilities_share_closed_forms_only():
    chain = network("resnet", 8, survival=[1.0, 0.9, 0.5])
    one, other = chain.modules[0], network("resnet", 8).modules[0]
    other.survival_probability = 0.25
    assert products_for(one, chain.shapes[0], False, True) is products_for(
        other, chain.shapes[0], False, True
    )
    assert products_for(one, chain.shapes[0], False, False) is not products_for(
        other, chain.shapes[0], False, False
    )


@pytest.mark.parametrize(
    ("model", "depth", "method"),
    [("resnet", 8, ResidualProducts), ("highway", 8, HighwayProducts), ("vgg", 15, Autodiff)],
)
def test_known_modules_have_closed_forms(model, depth, method):
    [products] = {type(p._method) for p in paths.Linearization(network(model, depth))._products}
    assert products is method


@pytest.mark.parametrize("batch_norm", BATCH_NORM)
def test_a_kind_of_module_that_was_lowered_has_the_closed_form(batch_norm):
    """One convolution, which no network of ours has, put together from plain layers."""
    chain = network("resnet", 8)
    layers = [
        models.BatchNormalization(),
        keras.layers.ReLU(),
        convolution(3, 16, 1, 1, "a", "float32"),
    ]
    module = models.Module(LayerSequence(layers), survival_probability=0.8)
    chain = models.Chain(chain.stem, [module, *chain.modules], chain.head, SHAPE)
    with uncompiled():
        result, expected = (
            paths.Linearization(chain, batch_norm, closed_forms).linearize(*batch())
            for closed_forms in (True, False)
        )
        assert isinstance(result.modules[0].products._method, ResidualProducts)
        np.testing.assert_allclose(
            paths.batch_gradient_by_length(result).log10_norms,
            paths.batch_gradient_by_length(expected).log10_norms,
            atol=1e-5,
        )


def test_new_weights_are_seen_without_compiling():
    chain, other = network("resnet", 8), network("resnet", 8, seed=1)
    linearization = paths.Linearization(chain)
    before = paths.batch_gradient_by_length(linearization.linearize(*batch()))
    chain.set_weights(other.get_weights())
    after = paths.batch_gradient_by_length(linearization.linearize(*batch()))
    expected = paths.batch_gradient_by_length(paths.Linearization(other).linearize(*batch()))
    np.testing.assert_allclose(after.log10_norms, expected.log10_norms)
    assert (before.log10_norms != after.log10_norms).all()


@pytest.mark.parametrize("model", ["resnet", "highway"])
def test_another_network_with_a_batch_of_another_size_has_its_own_weights(model):
    images, labels = batch()
    for seed, n in enumerate((4, 1)):  # compiled anew each time, for modules known by kind
        linearized = paths.Linearization(network(model, 14, seed=seed)).linearize(
            images[:n], labels[:n]
        )
        assert paths.batch_gradient_by_length(linearized).error < 1e-5


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "float16"])
def test_networks_of_reduced_precision_are_measured_in_float32(dtype):
    reduced = network("resnet", 8, dtype="mixed_bfloat16")
    config = json.dumps(reduced.get_config()).replace("mixed_bfloat16", dtype)
    chain = models.Chain.from_config(json.loads(config))
    assert {module.compute_dtype for module in chain.modules} == {dtype.removeprefix("mixed_")}
    wide = models.in_float32(chain)
    assert {module.compute_dtype for module in wide.modules} == {"float32"}
    for one, other in zip(chain.get_weights(), wide.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (
        paths.batch_gradient_by_length(paths.Linearization(wide).linearize(*batch())).error < 1e-5
    )
    assert models.in_float32(wide) is wide
