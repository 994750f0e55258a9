import pytest

from residual_ensembles.figures import authors


def test_what_the_authors_measured():
    points = authors.points("resnet110", "delete")
    assert list(points.x) == list(range(1, 55))
    assert points.error_mean.median() == pytest.approx(0.0645, abs=5e-4)
    assert points.error_mean[0] == pytest.approx(0.4215)
    assert authors.intact_error("resnet110") == pytest.approx(0.06032)
    assert authors.intact_error("resnet110", "stochastic_depth") == pytest.approx(0.05133)
    assert authors.points("resnet110", authors.SPARING).error_mean[9] == pytest.approx(
        0.205, abs=5e-4
    )


def test_the_table_is_complete():
    assert len(authors.reference()) == 483
