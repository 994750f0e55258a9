import numpy as np
import pytest

from residual_ensembles import models


@pytest.mark.parametrize(
    ("model", "depth", "shape", "options"),
    [
        ("resnet", 14, (8, 8, 1), {"survival": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]}),
        pytest.param(
            *("resnet", 8, (8, 8, 1), {"dtype": "mixed_bfloat16"}), marks=pytest.mark.bfloat16
        ),
        ("resnet_bottleneck", 50, (32, 32, 3), {}),
        ("vgg", 15, (8, 8, 1), {}),
        ("highway", 14, (8, 8, 1), {"gate_bias": -1.0}),
    ],
)
def test_a_network_comes_back_as_it_was(build, tmp_path, model, depth, shape, options):
    chain = build(model, depth, shape, seed=3, **options)
    x = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype("uint8")
    models.save(chain, tmp_path / "a.keras")
    loaded = models.load(tmp_path / "a.keras")
    assert loaded.count_params() == chain.count_params()
    assert len(loaded.weights) == len(chain.weights)
    np.testing.assert_array_equal(loaded(x), chain(x))
    models.save(loaded, tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_initial_weights_are_a_function_of_the_seed(build):
    a, b, c = build(seed=1), build(seed=1), build(seed=2)
    for v, w in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(v, w)
    assert any(
        np.any(np.asarray(v) != np.asarray(w)) for v, w in zip(a.weights, c.weights, strict=True)
    )


@pytest.mark.parametrize("model", ["resnet", "highway"])
def test_weights_are_loaded_into_a_network_of_the_same_architecture(build, images, tmp_path, model):
    a, b = build(model, 14, seed=1), build(model, 14, seed=2)
    a(images, training=True)  # moves the statistics
    models.save(a, tmp_path / "a.keras")
    models.load_weights(b, tmp_path / "a.keras")
    for v, w in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(v, w)
    with pytest.raises(ValueError, match=r"a\.keras"):
        models.load_weights(build(model, 20), tmp_path / "a.keras")


def test_what_is_no_network_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.keras"):
        models.load(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("no network")
    with pytest.raises(ValueError, match=r"text\.keras"):
        models.load(tmp_path / "text.keras")
