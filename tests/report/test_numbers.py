import pandas as pd
import pytest

from residual_ensembles.report import numbers


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.2, "%", "20.00\u202f%"),
        (0.004537, "%", "0.454\u202f%"),
        (-0.0014, "points", "−0.14\u202fpoints"),
        (1e-6, "%", "0.0001\u202f%"),
        (0.0, "points", "0\u202fpoints"),
        (-8.7e-19, "points", "0\u202fpoints"),
        (11.5, "", "11.5"),
        (None, "%", "–"),
        (float("nan"), "", "–"),
    ],
)
def test_quantities_have_their_unit(value, unit, shown):
    assert numbers.quantity(value, unit) == shown


def test_an_interval_without_width_is_empty():
    assert numbers.interval(0.1, 0.2, "%") == "10.00 to 20.00"
    assert numbers.interval(0.1, 0.1, "%") == ""
    assert numbers.interval(None, 0.1, "%") == ""


def test_integers_and_percent():
    assert numbers.integer(1730714) == "1\u202f730\u202f714"
    assert numbers.integer(pd.NA) == "–"
    assert numbers.percent(0.0596) == "5.96\u202f%"
    assert numbers.percent(None) == "–"


def test_durations():
    assert numbers.duration(119) == "119 s"
    assert numbers.duration(600) == "10 min"
    assert numbers.duration(None) == "–"
