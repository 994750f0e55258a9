import numpy as np
import pytest

from residual_ensembles import backend, models
from residual_ensembles.models.highway import mean_gate_values

ON_TENSORFLOW = pytest.mark.skipif(
    backend.NAME != "tensorflow", reason="JAX compiles a deep network for long"
)


def move(chain):
    """Gives every weight and statistic a value of its own, so that what is forgotten shows."""
    random = np.random.default_rng(1)
    for variable in chain.variables:
        if variable.path.endswith(("moving_mean", "beta")):
            variable.assign(random.normal(0.0, 0.5, variable.shape))
        elif variable.path.endswith(("moving_variance", "gamma")):
            variable.assign(random.uniform(0.2, 2.0, variable.shape))


def logits(chain, images):
    return np.asarray(backend.compile(lambda x: chain(x))(images))


@pytest.mark.parametrize(
    ("model", "depth", "options"),
    [
        ("resnet", 14, {}),
        ("resnet", 8, {"survival": [1.0, 0.8, 0.5]}),
        pytest.param("resnet_bottleneck", 50, {"image_shape": (64, 64, 3)}, marks=ON_TENSORFLOW),
    ],
)
def test_the_halved_network_has_the_same_logits(build, model, depth, options):
    chain = build(model, depth, **options)
    move(chain)
    before = chain.get_weights()
    images = np.random.default_rng(0).integers(0, 256, (4, *chain.image_shape)).astype("uint8")
    halved = models.half_gates(chain)
    expected, result = logits(chain, images), logits(halved, images)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(result, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(mean_gate_values(halved, images), 0.5)
    for old, new in zip(before, chain.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_activations_are_halved_by_every_module(build, images):
    chain = build(depth=14)
    move(chain)
    halved = models.half_gates(chain)
    y, z = chain.stem(images), halved.stem(images)
    for i, (module, half) in enumerate(zip(chain.modules, halved.modules, strict=True), start=1):
        y, z = module(y), half(z)
        np.testing.assert_allclose(2.0**i * z, y, rtol=1e-4, atol=1e-4 * np.abs(y).max())


def test_without_the_rescaling_it_is_another_network(build, images):
    chain = build(depth=14)
    move(chain)
    halved = models.half_gates(chain)
    for module, source in zip(halved.modules, chain.modules, strict=True):
        module.transform.set_weights(source.transform.get_weights())
    expected = logits(chain, images)
    assert np.abs(logits(halved, images) - expected).max() > 0.01 * np.abs(expected).max()


def test_epsilon_is_not_forgotten(build, images):
    """54 modules down, the variance is nothing beside ε."""
    chain = build(depth=110)
    move(chain)
    halved = models.half_gates(chain)
    deep = halved.modules[-1].transform.norms[0]
    assert 0 < np.max(deep.moving_variance) < 1e-25
    y, z = (np.asarray(c.modules[0].transform.norms[0](c.stem(images))) for c in (chain, halved))
    np.testing.assert_array_equal(y, z)
    source = chain.modules[-1].transform.norms[0]
    y = np.random.default_rng(2).normal(0, 1, (2, 2, 2, 64)).astype("float32")
    np.testing.assert_allclose(deep(2.0**-53 * y), source(y), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", ["vgg", "highway"])
def test_other_networks_are_refused(build, model):
    chain = build(model, 15 if model == "vgg" else 8, image_shape=(32, 32, 3))
    assert not models.can_have_half_gates(chain)
    with pytest.raises(ValueError, match="pre-activation"):
        models.half_gates(chain)
