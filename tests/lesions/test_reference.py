"""Each lesion against the same network built by hand, module after module."""

import numpy as np
import pytest
from keras import ops

from residual_ensembles import backend
from residual_ensembles.lesions import Lesion, evaluate_reference, reference_logits


def logits(chain, *lesions, pictures):
    return [np.asarray(each) for each in reference_logits(chain, lesions, pictures, batch_size=16)]


def by_hand(chain, order, pictures, deleted=()):
    """Runs the modules numbered in `order`, with what the interface says of deleted ones."""

    @backend.compile
    def network(x):
        y = chain.stem(x, training=False)
        for number in order:
            module = chain.modules[number - 1]
            if number in deleted:
                y = y if not module.has_skip else module.skip_when_deleted(y)
            else:
                y = module(y, training=False)
        return chain.head(y, training=False)

    return ops.convert_to_numpy(network(ops.convert_to_tensor(pictures)))


def test_no_lesion_is_the_network_itself(chain, pictures):
    (found,) = logits(chain, Lesion(), pictures=pictures)
    expected = ops.convert_to_numpy(backend.compile(lambda x: chain(x))(ops.convert_to_tensor(pictures)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("module", [1, 2, 4, 7, 9])
def test_a_deleted_residual_module_leaves_its_skip(resnet, pictures, module):
    def network(x):
        y = resnet.stem(x)
        for number, each in enumerate(resnet.modules, start=1):
            if number != module:
                y = each(y)
            elif each.shortcut is not None:
                y = each.shortcut(y)
        return resnet.head(y)

    expected = ops.convert_to_numpy(backend.compile(network)(ops.convert_to_tensor(pictures)))
    intact, found = logits(resnet, Lesion(), Lesion(deletions=[module]), pictures=pictures)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(found - intact).max() > 0.1
