import pytest

from residual_ensembles.lesions.meter import Meter


def test_no_more_and_no_fewer_than_there_are():
    seen = []
    meter = Meter(seen.append, 10)
    for share in (0.25, 0.5, 0.5):  # a cascade does part of its work twice
        meter(share)
    meter.finish()
    assert seen == [2.5, 5.0, 2.5, 0.0]
    assert sum(seen) == pytest.approx(10)


def test_a_piece_that_was_found_finished():
    seen = []
    Meter(seen.append, 10).finish()
    assert seen == [10.0]
