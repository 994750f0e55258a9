"""Validation of arguments, with errors that name the parameter."""

import numbers
import os
from typing import Any


def see(page: str, section: str = "") -> str:
    """Returns the end of an error: which page of the documentation explains it.

    Args:
        page: Page in `docs`, without its ending.
        section: Anchor of a section of it; empty for the page.

    Example:
        >>> see("how-to/jax")
        'See docs/how-to/jax.md.'
    """
    return f"See docs/{page}.md{'#' if section else ''}{section}."


def require_whole_number(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """Returns an integer as Python's `int`.

    Args:
        name: Name of the parameter.
        value: Its value: an integer of Python or NumPy; 1.0, True and "1" are none.
        least: Smallest value.
        most: Largest value; None for no limit.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"Received {name}={shown(value)}, expected an integer.")
    if value < least or (most is not None and value > most):
        expected = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"Received {name}={shown(value)}, expected {expected}.")
    return int(value)


def require_number(name: str, value: Any) -> float:
    """Returns a finite number unchanged.

    Args:
        name: Name of the parameter.
        value: Value of the parameter: a real number of Python or NumPy.

    Raises:
        TypeError: It is not a number.
        ValueError: It is infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"Received {name}={shown(value)}, expected a number.")
    if not abs(value) < float("inf"):
        raise ValueError(f"Received {name}={shown(value)}, expected a finite number.")
    return value


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Returns a value that is one of `choices`.

    Raises:
        TypeError: It is not a string.
        ValueError: It is none of `choices`.
    """
    expected = f"expected one of {', '.join(choices)}"
    if not isinstance(value, str):
        raise TypeError(f"Received {name}={shown(value)}, {expected}.")
    if value not in choices:
        raise ValueError(f"Received {name}={shown(value)}, {expected}.")
    return value


def require_instance(name: str, value: Any, kind: type) -> None:
    """Raises an error unless `value` is an instance of `kind`.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"Received {name}={shown(value)}, expected a {kind.__name__}.")


def require_path(name: str, value: Any) -> None:
    """Raises an error unless `value` is a path to a file or folder.

    Raises:
        TypeError: It is neither text nor an `os.PathLike`.
        ValueError: It is empty, or holds what no path can.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"Received {name}={shown(value)}, expected a path.")
    text = os.fspath(value)
    if not text or (isinstance(text, str) and "\0" in text):
        raise ValueError(f"Received {name}={shown(value)}, expected a path.")


def shown(value: object) -> str:
    """Returns the `repr` of a value, shortened to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
