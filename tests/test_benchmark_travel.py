from pathlib import Path

import numpy as np
import pytest

from residual_ensembles import lesions

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def counting(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from travel import Counting

    return Counting()


def test_networks_and_pictures_are_told_apart(counting, build, pictures):
    chain = build()
    plan = lesions.single_deletions(lesions.deletable(chain))
    lesions.evaluate(chain, plan, pictures, executor=counting)
    # Pictures travel for the sweep and for the comparison with the reference.
    networks, sent = counting.networks, counting.pictures
    assert 2 * pictures.nbytes < sent < 2 * pictures.nbytes + 1000
    assert networks > 4 * chain.count_params()
    lesions.evaluate(chain, plan, np.concatenate([pictures, pictures]), executor=counting)
    assert counting.pictures - sent == sent + 2 * pictures.nbytes
    assert counting.networks - networks == pytest.approx(networks, rel=0.01)
    assert counting.results > 2 * len(plan)
