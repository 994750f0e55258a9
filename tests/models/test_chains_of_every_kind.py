"""Chains of every kind are chains, whose gates and tables agree; all else is refused by name."""

import keras
import numpy as np
import pytest

from residual_ensembles import gradient_by_length, lesion_study, module_importance, prune, unravel
from residual_ensembles.models import Chain, HighwayModule, Module, load, save
from tests.helpers import unraveled_networks as networks


@pytest.mark.parametrize("kind", ["resnet", "vgg", "highway", "unraveled", "layers"])
def test_both_chains_are_chains(kind, build, tmp_path):
    if kind == "unraveled":
        chain = unravel(networks.residual_net())
    elif kind == "layers":
        chain = unravel(networks.sequential_net(), modules=["conv2", "conv3"])
    else:
        chain = build(kind, 15 if kind == "vgg" else 8)
        save(chain, tmp_path / "chain.keras")
        assert isinstance(load(tmp_path / "chain.keras"), Chain)
    assert isinstance(chain, Chain)
    assert all(isinstance(module, Module) for module in chain.modules)


def test_a_model_is_no_chain():
    model = networks.residual_net()
    inputs, labels = networks.inputs_for(model, 4), np.zeros(4, int)
    for refused in (
        lambda: lesion_study(model, inputs, labels),
        lambda: module_importance(model, inputs, labels),
        lambda: prune(model, 1, (inputs, labels)),
        lambda: gradient_by_length(model, inputs, labels),
    ):
        with pytest.raises(TypeError, match=r"chain of type Functional, expected what .*unravel"):
            refused()


@pytest.mark.parametrize(
    ("kind", "message"), [("highway", "has a gate of its own"), ("vgg", "has no skip")]
)
def test_a_gate_between_is_refused_where_it_means_nothing(kind, message, build, images):
    chain = build(kind, 15 if kind == "vgg" else 8)
    gates = np.ones(len(chain.modules), "float32")
    np.testing.assert_allclose(chain(images, gates=gates), chain(images), rtol=1e-5, atol=1e-6)
    gates[1] = 0.5
    with pytest.raises(ValueError, match=rf"the gate 0.5 for module 2, which {message}"):
        chain(images, gates=gates)
    chain = unravel(networks.sequential_net(), modules=["conv2", "conv3"])
    inputs = networks.inputs_for(chain.network, 3)
    with pytest.raises(ValueError, match=r"the gate 0.25 for module 1, which has no skip"):
        chain(inputs, gates=[0.25, 1.0])


def test_a_gate_between_scales_a_residual():
    model = networks.residual_net()
    chain, inputs = unravel(model), networks.inputs_for(model, 4)
    y = np.asarray(model.get_layer("stem")(inputs))
    module = chain.modules[0]
    result = np.asarray(module(y, gate=keras.ops.convert_to_tensor(0.25)))
    expected = y + 0.25 * np.asarray(module.residual(y))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    assert module.scales_residual
    assert not HighwayModule.scales_residual


def test_tables_join_on_module_and_name():
    model = networks.residual_net()
    chain, inputs = unravel(model), networks.inputs_for(model, 20)
    labels = np.arange(20) % 4
    study, importance = (
        lesion_study(chain, inputs, labels),
        module_importance(chain, inputs, labels),
    )
    steps = prune(chain, 2, (inputs, labels)).steps
    joined = study.merge(importance, on=["module", "name"])
    assert joined["module"].tolist() == [1, 2, 3]
    cost = joined["error_fraction"] - study["error_fraction"].iloc[0]
    assert cost.tolist() == pytest.approx(joined["error_increase"].tolist())
    first = study.merge(steps, on=["module", "name"], suffixes=("", "_pruned")).iloc[:2]
    assert first["module"].tolist()[0] == 0
    assert first["error_fraction"].iloc[0] == first["error_fraction_pruned"].iloc[0]
    joined = chain.summary_table().merge(importance, on=["module", "name"])
    assert len(joined) == len(chain.modules)
    assert (steps["n_examples"] == 20).all()
    assert (study["n_examples"] == 20).all()


def test_our_networks_have_a_table_too(build):
    chain = build("resnet", 14)
    table = chain.summary_table()
    assert table["module"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["skip"].tolist() == ["identity"] * 2 + ["projection", "identity"] * 2
    assert table["shape_out"].iloc[-1] == (2, 2, 64)
    # Two norms (scale, offset, mean, variance) and two convolutions without bias.
    assert table["parameters"].iloc[0] == 2 * (4 * 16 + 3 * 3 * 16 * 16)
