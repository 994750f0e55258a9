"""Each lesion against the same network put together by hand, layer after layer."""

import numpy as np
import pytest
from keras import ops

from residual_ensembles import backend
from residual_ensembles.lesions import Lesion, evaluate_reference, reference_logits


def logits(chain, *lesions, images):
    return [np.asarray(each) for each in reference_logits(chain, lesions, images, batch_size=16)]


def by_hand(chain, layers, images):
    y = chain.stem(ops.convert_to_tensor(images))
    for layer in layers:
        y = layer(y)
    return ops.convert_to_numpy(chain.head(y))


def close(result, expected):
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def without(chain, module, remains):
    """The modules, with `remains` (or nothing) in the place of one."""
    kept = [remains] if remains is not None else []
    return chain.modules[: module - 1] + kept + chain.modules[module:]


def test_no_lesion_is_the_network_itself(chain, images):
    (result,) = logits(chain, Lesion(), images=images)
    network = backend.compile(lambda x: chain(x))
    close(result, ops.convert_to_numpy(network(ops.convert_to_tensor(images))))


@pytest.mark.parametrize(
    ("kind", "remains", "modules", "remaining"),
    [
        ("resnet", "shortcut", (1, 2, 4, 7, 9), (4, 7)),
        ("highway", "shortcut", (1, 2, 4, 7, 9), (4, 7)),
        ("vgg", "activation", (1, 2, 3, 12), (1, 3)),
    ],
)
def test_a_deleted_module_leaves_its_shortcut_or_pooling(
    chains, kind, remains, modules, remaining, images
):
    chain = chains[kind]
    lesions = [Lesion(deletions=[module]) for module in modules]
    intact, *results = logits(chain, Lesion(), *lesions, images=images)
    for module, result in zip(modules, results, strict=True):
        left = getattr(chain.modules[module - 1], remains)
        assert (left is not None) == (module in remaining)
        close(result, by_hand(chain, without(chain, module, left), images))
        assert np.abs(result - intact).max() > 0.1, module


def test_all_modules_deleted(resnet, images):
    expected = by_hand(resnet, [resnet.modules[3].shortcut, resnet.modules[6].shortcut], images)
    (result,) = logits(resnet, Lesion(deletions=range(1, 10)), images=images)
    close(result, expected)


def test_swaps_and_duplications_are_an_order_of_modules(chain, images):
    order = [1, 2, 3, 4, 6, 5, 5, 7, 9, 8, *range(10, len(chain.modules) + 1)]
    lesion = Lesion(swaps=[(5, 6), (8, 9)], duplications=[5])
    expected = by_hand(chain, [chain.modules[number - 1] for number in order], images)
    intact, result = logits(chain, Lesion(), lesion, images=images)
    close(result, expected)
    assert np.abs(result - intact).max() > 0.1


def test_predictions_are_classes_in_the_order_of_the_lesions(resnet, images):
    lesions = [Lesion(deletions=[2]), Lesion()]
    result = evaluate_reference(resnet, lesions, images)
    assert result.dtype == np.int32
    assert result.shape == (2, len(images))
    for row, each in zip(result, logits(resnet, *lesions, images=images), strict=True):
        np.testing.assert_array_equal(row, each.argmax(axis=1))


def test_no_lesion_leaves_a_trace(chain, images):
    weights = [w.copy() for w in chain.get_weights()]
    config = chain.get_config()
    evaluate_reference(chain, [Lesion(deletions=[1, 4]), Lesion(swaps=[(5, 6)])], images)
    for before, after in zip(weights, chain.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert chain.get_config() == config


def test_a_lesion_that_the_network_does_not_allow_is_refused_before_anything_is_computed(resnet):
    with pytest.raises(ValueError, match="module 4"):
        evaluate_reference(resnet, [Lesion(), Lesion(duplications=[4])], np.zeros((2, 8, 8, 1)))
