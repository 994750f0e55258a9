import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.training import Gating


@given(n=st.integers(1, 60), data=st.data(), seed=st.integers(0, 99), step=st.integers(0, 10**6))
def test_exactly_m_modules_run(n, data, seed, step):
    m = data.draw(st.integers(1, n))
    gates = Gating("effective_paths", n, m).draw(seed, step)
    assert gates.dtype == np.float32
    assert gates.shape == (n,)
    assert set(gates) <= {0.0, 1.0}
    assert gates.sum() == m


def test_modules_run_with_their_survival_probability():
    for gating in (
        Gating("effective_paths", 54, 23),
        Gating("stochastic_depth", 54, survival_probability=0.5),
    ):
        ran = np.mean([gating.draw(0, step) for step in range(4000)], axis=0)
        np.testing.assert_allclose(ran, gating.survival, atol=5 * 0.5 / np.sqrt(4000))


def test_survival_in_stochastic_depth_decays_linearly():
    survival = Gating("stochastic_depth", 4, survival_probability=0.2).survival
    np.testing.assert_allclose(survival, [0.8, 0.6, 0.4, 0.2])


def test_effective_paths_survive_equally():
    assert Gating("effective_paths", 54, 23).survival == [23 / 54] * 54


def test_without_gating_there_are_no_gates():
    assert Gating("none", 54).draw(0, 0) is None
    assert Gating("none", 3).survival == [1.0] * 3


def test_a_draw_depends_on_seed_and_step_alone():
    gating = Gating("effective_paths", 54, 23)
    later = gating.draw(1, 5)
    gating.draw(1, 4)
    np.testing.assert_array_equal(later, gating.draw(1, 5))
    assert np.any(later != gating.draw(1, 6))
    assert np.any(later != gating.draw(2, 5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dropout", 54), "scheme='dropout'"),
        (("effective_paths", 54, 55), "modules_per_batch=55"),
        (("effective_paths", 54, 0), "modules_per_batch=0"),
        (("stochastic_depth", 54, 23, 0.0), r"survival_probability=0\.0"),
        (("stochastic_depth", 54, 23, 1.5), r"survival_probability=1\.5"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Gating(*arguments)
