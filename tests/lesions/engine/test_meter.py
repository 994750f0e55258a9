from residual_ensembles.lesions.engine.scheduler import Meter


def test_no_more_and_no_fewer_than_there_are():
    seen = []
    meter = Meter(seen.append, 10)
    for share in (0.25, 0.5, 0.5):  # a cascade does part of its work twice
        meter(share)
    meter.finish()
    assert seen == [2, 5, 3, 0]


def test_shares_that_do_not_add_up_to_one():
    seen = []
    meter = Meter(seen.append, 1000)
    for _ in range(7):
        meter(1 / 7)
    meter.finish()
    assert all(isinstance(n, int) for n in seen)
    assert sum(seen) == 1000


def test_work_without_progress_is_reported_when_it_is_done():
    seen = []
    Meter(seen.append, 10).finish()
    assert seen == [10]
