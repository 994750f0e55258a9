import numpy as np
import pytest

from residual_ensembles.figures.fig5_random_lesions import binned
from residual_ensembles.statistics.intervals import student


def test_bins_by_hand():
    tau = np.array([0.98, 0.985, 0.975, 0.9])
    error = np.array([1.0, 2.0, 3.0, 50.0])
    (low_centre, low_mean, *missing), (center, mean, *ends) = binned(tau, error)
    assert (low_centre, low_mean) == pytest.approx((0.9, 50))
    assert np.isnan(missing).all()
    assert (center, mean) == pytest.approx((0.98, 2))
    assert ends == pytest.approx(student([1, 2, 3]))
