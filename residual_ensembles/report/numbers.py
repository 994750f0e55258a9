"""Numbers formatted for tables; a dash where there is none."""

from typing import Any

import pandas as pd

NOTHING = "–"
THIN = "\u202f"
ROUNDING = 1e-15


def number(value: Any, digits: int = 3) -> str:
    """Returns a number with `digits` significant digits, a dash where there is none.

    >>> number(0.00413), number(1730714), number(None)
    ('0.00413', '1.73e+06', '–')
    """
    if pd.isna(value):
        return NOTHING
    return f"{_rounded(value):.{digits}g}".replace("-", "−")


def _rounded(value: float) -> float:
    """Returns a number, and 0 for one that is 0 but for rounding."""
    return 0.0 if abs(float(value)) < ROUNDING else float(value)


def quantity(value: Any, unit: str) -> str:
    """Returns a fraction as percent or points of error, as `Claim.unit` says, or as it is."""
    if pd.isna(value) or not unit:
        return number(value)
    hundredfold = 100 * _rounded(value)
    shown = f"{hundredfold:.2f}" if abs(hundredfold) >= 1 else f"{hundredfold:.3g}"
    return shown.replace("-", "−") + THIN + unit


def interval(low: Any, high: Any, unit: str) -> str:
    """Returns an interval, or nothing where there is none or it has no width."""
    if pd.isna(low) or pd.isna(high) or low == high:
        return ""
    ends = (quantity(end, unit).removesuffix(THIN + unit) for end in (low, high))
    return " to ".join(ends)


def percent(fraction: Any) -> str:
    """Returns a fraction in percent with two decimals."""
    return NOTHING if pd.isna(fraction) else f"{100 * float(fraction):.2f}{THIN}%"


def integer(value: Any) -> str:
    """Returns an integer with thin spaces between thousands."""
    return NOTHING if pd.isna(value) else f"{int(value):,}".replace(",", THIN)


def duration(seconds: Any) -> str:
    """Returns seconds as text, in hours, minutes or seconds.

    >>> duration(51.3), duration(3725)
    ('51 s', '1 h 2 min')
    """
    if pd.isna(seconds):
        return NOTHING
    rounded = round(float(seconds))
    if rounded < 120:
        return f"{rounded} s"
    hours, minutes = divmod(rounded // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
