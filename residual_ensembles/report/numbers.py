"""Numbers as people read them."""

import math
from typing import Any

NOTHING = "–"
THIN = "\u202f"
ROUNDING = 1e-15


def number(value: float | None, digits: int = 3) -> str:
    """Returns a number with as many significant digits, a dash where there is none.

    >>> number(0.00413), number(1730714), number(None)
    ('0.00413', '1.73e+06', '–')
    """
    if value is None or is_missing(value):
        return NOTHING
    return f"{_rounded(value):.{digits}g}".replace("-", "−")


def _rounded(value: float) -> float:
    """Returns a number, and 0 for what is left of 0 when others were subtracted."""
    return 0.0 if abs(float(value)) < ROUNDING else float(value)


def is_missing(value: Any) -> bool:
    """Whether a cell of a table is empty."""
    try:
        return value is None or value != value or math.isnan(value)
    except TypeError:  # pandas' NA is neither true nor false, a word is no number
        return not isinstance(value, str)


def quantity(value: float | None, unit: str) -> str:
    """Returns a fraction as percent or points of error, another number as it is.

    Args:
        value: The number; None and NaN become a dash.
        unit: %, points or nothing, as in `Claim.unit`.
    """
    if value is None or is_missing(value) or not unit:
        return number(value)
    hundredfold = 100 * _rounded(value)
    shown = f"{hundredfold:.2f}" if abs(hundredfold) >= 1 else f"{hundredfold:.3g}"
    return shown.replace("-", "−") + THIN + unit


def interval(low: float | None, high: float | None, unit: str) -> str:
    """Returns an interval, or nothing where there is none or it has no width."""
    if is_missing(low) or is_missing(high) or low == high:
        return ""
    ends = (quantity(end, unit).removesuffix(THIN + unit) for end in (low, high))
    return " to ".join(ends)


def percent(fraction: float | None) -> str:
    """Returns a fraction in percent with two decimals."""
    return (
        NOTHING
        if fraction is None or is_missing(fraction)
        else f"{100 * float(fraction):.2f}{THIN}%"
    )


def integer(value: float | None) -> str:
    """Returns an integer with its thousands set apart."""
    return NOTHING if value is None or is_missing(value) else f"{int(value):,}".replace(",", THIN)


def duration(seconds: float | None) -> str:
    """Returns seconds as a person says them.

    >>> duration(51.3), duration(3725)
    ('51 s', '1 h 2 min')
    """
    if seconds is None or is_missing(seconds):
        return NOTHING
    rounded = round(float(seconds))
    if rounded < 120:
        return f"{rounded} s"
    hours, minutes = divmod(rounded // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
