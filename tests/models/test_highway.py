import numpy as np
import pytest

from residual_ensembles.models.highway import mean_gate_values


def randomize_gates(chain):
    random = np.random.default_rng(0)
    for module in chain.modules:
        kernel, bias = module.transform_gate.get_weights()
        module.transform_gate.set_weights([random.normal(0, 0.3, kernel.shape), bias])


def test_equation_3(build, images):
    chain = build("highway", 14)
    randomize_gates(chain)
    y = chain.stem(images)
    for module in chain.modules:
        t, f = np.asarray(module.transform_gate(y)), np.asarray(module.transform(y))
        carry = np.asarray(y if module.shortcut is None else module.shortcut(y))
        z = np.asarray(module(y))
        np.testing.assert_allclose(z, f * t + carry * (1 - t), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(module.skip(y) + module.residual(y), z, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(module.deleted(y), carry)
        y = z


def test_gates_start_at_their_bias(build, images):
    for bias in (-2.0, 0.0):
        chain = build("highway", 14, gate_bias=bias)
        means = mean_gate_values(chain, images)
        np.testing.assert_allclose(means, 1 / (1 + np.exp(-bias)), rtol=1e-5)


def test_half_open_gates_are_half_a_residual_module(build, images):
    highway, resnet = build("highway", 8, gate_bias=0.0), build("resnet", 8)
    y = highway.stem(images)
    resnet.modules[0].transform.set_weights(highway.modules[0].transform.get_weights())
    np.testing.assert_allclose(
        2 * highway.modules[0](y), resnet.modules[0](y), rtol=1e-5, atol=1e-5
    )


def test_survival_probabilities_are_refused(build):
    with pytest.raises(ValueError, match="gating=none"):
        build("highway", 8, survival=[0.5] * 3)
