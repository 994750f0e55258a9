import numpy as np
import pytest

from residual_ensembles.training import SCHEDULES


def rate(schedule, step):
    return float(schedule(np.int64(step)))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.01),
        (399, 0.01),
        (400, 0.1),
        (31979, 0.1),
        (31980, 0.01),
        (47969, 0.01),
        (47970, 0.001),
        (63959, 0.001),
    ],
)
def test_paper_schedule(step, expected):
    schedule = SCHEDULES["paper"](0.1, 164 * 390)  # 164 epochs of 390 steps
    assert rate(schedule, step) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.1), (299, 0.1), (300, 0.01), (599, 0.01), (600, 0.001), (899, 0.001)],
)
def test_imagenet_schedule(step, expected):
    assert rate(SCHEDULES["imagenet"](0.1, 900), step) == pytest.approx(expected)


def test_a_short_run_of_the_paper_s_schedule_warms_up_for_a_tenth_of_it():
    schedule = SCHEDULES["paper"](0.1, 40)
    rates = [rate(schedule, step) for step in range(40)]
    np.testing.assert_allclose(rates, [0.01] * 4 + [0.1] * 16 + [0.01] * 10 + [0.001] * 10)


def test_cosine_schedule():
    schedule = SCHEDULES["cosine"](0.2, 100)
    assert rate(schedule, 0) == 0.0
    assert rate(schedule, 5) == pytest.approx(0.1)
    assert rate(schedule, 10) == pytest.approx(0.2)
    assert rate(schedule, 55) == pytest.approx(0.1)
    assert rate(schedule, 100) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_runs_of_a_few_steps_have_a_rate_at_each(name, total):
    schedule = SCHEDULES[name](0.1, total)
    assert all(0.0 <= rate(schedule, step) <= 0.1 + 1e-7 for step in range(total))
