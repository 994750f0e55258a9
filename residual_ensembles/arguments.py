"""Numbers that callers give: refused by name where they cannot be, before anything is computed."""

import numbers
import os
from typing import Any


def require_whole_number(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """Returns an integer, as Python's own kind.

    Args:
        name: The parameter's.
        value: What was given: Python's or NumPy's integers; 1.0, True and "1" are none.
        least: The smallest that it may be.
        most: The largest; None for no limit.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"Received {name}={_shown(value)}, expected an integer.")
    if value < least or (most is not None and value > most):
        expected = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"Received {name}={_shown(value)}, expected {expected}.")
    return int(value)


def require_number(name: str, value: Any) -> float:
    """Returns a finite number as it is.

    Args:
        name: The parameter's.
        value: What was given.

    Raises:
        TypeError: It is not a number.
        ValueError: It is infinite or none.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"Received {name}={_shown(value)}, expected a number.")
    if not abs(value) < float("inf"):
        raise ValueError(f"Received {name}={_shown(value)}, expected a finite number.")
    return value


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Returns a word, where it is one of those that are expected.

    Raises:
        TypeError: It is not a word.
        ValueError: It is another one.
    """
    expected = f"expected one of {', '.join(choices)}"
    if not isinstance(value, str):
        raise TypeError(f"Received {name}={_shown(value)}, {expected}.")
    if value not in choices:
        raise ValueError(f"Received {name}={_shown(value)}, {expected}.")
    return value


def require_instance(name: str, value: Any, kind: type) -> None:
    """Refuses what is of another class.

    Raises:
        TypeError: It is.
    """
    if not isinstance(value, kind):
        raise TypeError(f"Received {name}={_shown(value)}, expected a {kind.__name__}.")


def require_path(name: str, value: Any) -> None:
    """Refuses what is no path to a file or folder.

    Raises:
        TypeError: It is neither text nor an `os.PathLike`.
        ValueError: It is empty, or holds what no path can.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"Received {name}={_shown(value)}, expected a path.")
    text = os.fspath(value)
    if not text or (isinstance(text, str) and "\0" in text):
        raise ValueError(f"Received {name}={_shown(value)}, expected a path.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
