import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles import data


@given(seed=st.integers(0, 2**31), epoch=st.integers(0, 500), n=st.integers(0, 300))
def test_every_image_comes_once(seed, epoch, n):
    order = data.order(seed, epoch, n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, data.order(seed, epoch, n))


def test_another_epoch_and_another_seed_have_another_order():
    orders = [data.order(seed, epoch, 100).tolist() for seed in (0, 1) for epoch in (1, 2)]
    assert len(set(map(tuple, orders))) == 4
