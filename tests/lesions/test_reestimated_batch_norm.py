import numpy as np
from keras import ops

from residual_ensembles import models
from residual_ensembles.lesions import reestimate_batch_norm


def test_statistics_are_those_of_the_pictures(pictures):
    chain = models.build("resnet", 8, (8, 8, 1), 10, [120.0], [70.0])
    reestimate_batch_norm(chain, pictures)
    norm = chain.modules[0].transform.norms[0]
    y = ops.convert_to_numpy(chain.stem(pictures))
    np.testing.assert_allclose(norm.moving_mean.numpy(), y.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance.numpy(), y.var((0, 1, 2)), rtol=1e-4)
    assert norm.momentum == 0.9
    inference, training = chain(pictures), chain(pictures, training=True)
    np.testing.assert_allclose(inference, training, rtol=1e-3, atol=1e-4)
