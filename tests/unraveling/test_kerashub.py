"""KerasHub: a block is a module, tokens come in a dictionary, and their mask is carried along."""

import keras
import numpy as np
import pytest
from keras import ops

import residual_ensembles
from residual_ensembles import models
from residual_ensembles.lesions import Lesion
from residual_ensembles.unraveling import unravel
from residual_ensembles.unraveling.chain_summary import text
from tests.helpers import unraveled_networks as networks

LENGTH, TOKENS, CLASSES = 12, 50, 3
SIZES = {"num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32, "max_sequence_length": LENGTH}

pytestmark = [
    pytest.mark.slow,
    # KerasHub's own: it says so of each of its models, when one is loaded.
    pytest.mark.filterwarnings("ignore:.*`compile.*is custom:UserWarning"),
]


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub", reason="needs KerasHub: make test-hub")


def bert(hub, n=3):
    backbone = hub.models.BertBackbone(vocabulary_size=TOKENS, num_layers=n, **SIZES)
    return networks.moved(hub.models.BertTextClassifier(backbone, num_classes=CLASSES))


def albert(hub, n=3):
    """One layer, called n times."""
    backbone = hub.models.AlbertBackbone(
        vocabulary_size=TOKENS, num_layers=n, embedding_dim=8, **SIZES
    )
    return networks.moved(hub.models.AlbertTextClassifier(backbone, num_classes=CLASSES))


def unraveled(hub, model):
    shapes = {x.name: (LENGTH,) for x in model.inputs}
    return unravel(model, modules=[hub.layers.TransformerEncoder], input_shape=shapes)


def tokens(n=40):
    """Sentences of 4 to 12 tokens; what is behind them is masked."""
    random = np.random.default_rng(5)
    lengths = random.integers(4, LENGTH + 1, (n, 1))
    return {
        "token_ids": random.integers(0, TOKENS, (n, LENGTH)),
        "segment_ids": random.integers(0, 2, (n, LENGTH)),
        "padding_mask": (np.arange(LENGTH) < lengths).astype(int),
    }


def bert_of(hub, model, blocks):
    """Returns a BERT that has only some of another one's blocks, by number from 0."""
    result = bert(hub, len(blocks))
    places = dict(enumerate(blocks))
    for own in result.backbone.layers:
        name = own.name
        if name.startswith("transformer_layer_"):
            name = f"transformer_layer_{places[int(name.rsplit('_', 1)[1])]}"
        own.set_weights(model.backbone.get_layer(name).get_weights())
    result.get_layer("logits").set_weights(model.get_layer("logits").get_weights())
    return result


def test_a_block_of_bert_is_a_module(hub):
    model, inputs = bert(hub), tokens()
    chain = unraveled(hub, model)
    titles = [f"bert_backbone/transformer_layer_{i}" for i in range(3)]
    assert [module.title for module in chain.modules] == titles
    assert "carried along: padding_mask" in text(chain)
    assert chain.agreement < 1e-6
    full = np.asarray(model(inputs))
    np.testing.assert_allclose(chain(inputs), full, rtol=1e-5, atol=1e-5)
    unmasked = chain(inputs | {"padding_mask": np.ones_like(inputs["padding_mask"])})
    assert float(ops.max(ops.abs(unmasked - full))) > 1e-2
    for blocks in ([1, 2], [0, 2], [0, 1], [2]):
        gates = np.isin(range(3), blocks).astype("float32")
        expected = np.asarray(bert_of(hub, model, blocks)(inputs))
        np.testing.assert_allclose(chain(inputs, gates=gates), expected, rtol=1e-4, atol=1e-4)
        assert np.abs(expected - full).max() > 1e-2


def test_lesions_of_bert(hub):
    model, inputs = bert(hub), tokens()
    chain = unraveled(hub, model)
    labels = np.asarray(model(inputs)).argmax(1)
    plan = [Lesion(), Lesion(deletions=[2]), Lesion(swaps=[(1, 3)]), Lesion(duplications=[2])]
    table = residual_ensembles.lesion_study(chain, inputs, labels, plan=plan)
    for row, blocks in zip(table.itertuples(), ([0, 1, 2], [0, 2], [2, 1, 0]), strict=False):
        outputs = np.asarray(bert_of(hub, model, blocks)(inputs))
        assert row.n_wrong == (outputs.argmax(1) != labels).sum()
    assert table["n_wrong"].iloc[0] == 0 < table["n_wrong"].iloc[1:].min()


def test_bert_is_pruned_saved_and_loaded(hub, tmp_path):
    model, inputs = bert(hub), tokens()
    chain = unraveled(hub, model)
    models.save(chain, tmp_path / "chain.keras")
    np.testing.assert_array_equal(models.load(tmp_path / "chain.keras")(inputs), chain(inputs))
    labels = np.asarray(model(inputs)).argmax(1)
    module_importance = residual_ensembles.module_importance(chain, inputs, labels)
    smaller = residual_ensembles.prune(chain, 1, (inputs, labels))
    cheapest = module_importance.sort_values(["error_increase", "loss_increase"])["module"].iloc[0]
    assert smaller.deleted == (cheapest,)
    left = [i for i in range(3) if i + 1 != cheapest]
    smaller.model.save(tmp_path / "smaller.keras")
    loaded = keras.models.load_model(tmp_path / "smaller.keras")
    expected = bert_of(hub, model, left)(inputs)
    np.testing.assert_allclose(loaded(inputs), expected, rtol=1e-4, atol=1e-4)


def test_a_block_that_is_called_again_and_again(hub):
    model, inputs = albert(hub), tokens()
    chain = unraveled(hub, model)
    assert [module.title.rsplit("/", 1)[1] for module in chain.modules] == [
        "group_0_inner_layer_0",
        "group_0_inner_layer_0:2",
        "group_0_inner_layer_0:3",
    ]
    np.testing.assert_allclose(chain(inputs), model(inputs), rtol=1e-5, atol=1e-5)
    shorter = albert(hub, 2)
    for own, other in zip(shorter.variables, model.variables, strict=True):
        own.assign(other)
    for deleted in range(3):
        gates = (np.arange(3) != deleted).astype("float32")
        np.testing.assert_allclose(
            chain(inputs, gates=gates), shorter(inputs), rtol=1e-4, atol=1e-4
        )
    assert float(ops.max(ops.abs(shorter(inputs) - model(inputs)))) > 1e-2


def test_a_resnet_shows_its_additions(hub):
    model = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 80],
        stackwise_num_blocks=[2, 2],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(16, 16, 3),
    )
    networks.moved(model)
    chain, images = unravel(model), networks.inputs_for(model)
    assert [len(chain.modules), chain.downsampling] == [4, (3,)]
    np.testing.assert_allclose(chain(images), model(images), rtol=1e-4, atol=1e-4)
