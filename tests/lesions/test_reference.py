"""Each lesion against the same network put together by hand, layer after layer."""

import numpy as np
import pytest
from keras import ops

from residual_ensembles import backend
from residual_ensembles.lesions import Lesion, evaluate_reference, reference_logits


def logits(chain, *lesions, pictures):
    return [np.asarray(each) for each in reference_logits(chain, lesions, pictures, batch_size=16)]


def by_hand(chain, layers, pictures):
    @backend.compile
    def network(x):
        y = chain.stem(x)
        for layer in layers:
            y = layer(y)
        return chain.head(y)

    return ops.convert_to_numpy(network(ops.convert_to_tensor(pictures)))


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def without(chain, module, remains):
    """The modules, with `remains` (or nothing) in the place of one."""
    kept = [remains] if remains is not None else []
    return chain.modules[: module - 1] + kept + chain.modules[module:]


def test_no_lesion_is_the_network_itself(chain, pictures):
    (found,) = logits(chain, Lesion(), pictures=pictures)
    network = backend.compile(lambda x: chain(x))
    close(found, ops.convert_to_numpy(network(ops.convert_to_tensor(pictures))))


@pytest.mark.parametrize("module", [1, 2, 4, 7, 9])
@pytest.mark.parametrize("kind", ["resnet", "highway"])
def test_a_deleted_module_leaves_its_shortcut(chains, kind, module, pictures):
    chain = chains[kind]
    shortcut = chain.modules[module - 1].shortcut
    assert (shortcut is not None) == (module in (4, 7))
    expected = by_hand(chain, without(chain, module, shortcut), pictures)
    intact, found = logits(chain, Lesion(), Lesion(deletions=[module]), pictures=pictures)
    close(found, expected)
    assert np.abs(found - intact).max() > 0.1


@pytest.mark.parametrize("module", [1, 2, 3, 12])
def test_a_deleted_layer_leaves_its_pooling(vgg, module, pictures):
    pooling = vgg.modules[module - 1].activation
    assert (pooling is not None) == (module in (1, 3))
    expected = by_hand(vgg, without(vgg, module, pooling), pictures)
    intact, found = logits(vgg, Lesion(), Lesion(deletions=[module]), pictures=pictures)
    close(found, expected)
    assert np.abs(found - intact).max() > 0.1


def test_all_modules_deleted(resnet, pictures):
    expected = by_hand(resnet, [resnet.modules[3].shortcut, resnet.modules[6].shortcut], pictures)
    (found,) = logits(resnet, Lesion(deletions=range(1, 10)), pictures=pictures)
    close(found, expected)


def test_swaps_and_duplications_are_an_order_of_modules(chain, pictures):
    order = [1, 2, 3, 4, 6, 5, 5, 7, 9, 8, *range(10, len(chain.modules) + 1)]
    lesion = Lesion(swaps=[(5, 6), (8, 9)], duplications=[5])
    expected = by_hand(chain, [chain.modules[number - 1] for number in order], pictures)
    intact, found = logits(chain, Lesion(), lesion, pictures=pictures)
    close(found, expected)
    assert np.abs(found - intact).max() > 0.1


def test_predictions_are_classes_in_the_order_of_the_lesions(resnet, pictures):
    lesions = [Lesion(deletions=[2]), Lesion()]
    found = evaluate_reference(resnet, lesions, pictures)
    assert found.dtype == np.int32
    assert found.shape == (2, len(pictures))
    for row, each in zip(found, logits(resnet, *lesions, pictures=pictures), strict=True):
        np.testing.assert_array_equal(row, each.argmax(axis=1))


def test_no_lesion_leaves_a_trace(chain, pictures):
    weights = [w.copy() for w in chain.get_weights()]
    config = chain.get_config()
    evaluate_reference(chain, [Lesion(deletions=[1, 4]), Lesion(swaps=[(5, 6)])], pictures)
    for before, after in zip(weights, chain.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert chain.get_config() == config


def test_a_lesion_that_the_network_cannot_bear_is_refused_before_anything_is_computed(resnet):
    with pytest.raises(ValueError, match="module 4 changes the shape"):
        evaluate_reference(resnet, [Lesion(), Lesion(duplications=[4])], None)
