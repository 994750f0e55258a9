import numpy as np
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures import fig6_path_gradients, fig10_cancellation


def test_cancellation_is_what_the_tables_hold(study):
    ((apart, together),) = fig10_cancellation.both(read_tables(study))
    assert apart - together == pytest.approx(0.12 * np.arange(55), abs=1e-9)


def test_without_networks_n_is_the_papers(tmp_path):
    assert fig6_path_gradients.modules_of(read_tables(tmp_path)) == 54
