"""Validation of arguments, with errors that name the parameter."""

import functools
import inspect
import numbers
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable)
LONGEST_PATH = 4095
"""Longest path that Linux opens, in bytes."""

EXPECTED = {
    "int": "an integer",
    "float": "a finite number",
    "str": "text",
    "bool": "True or False",
    "PathLike": "a path",
    "Path": "a path",
    "ndarray": "an array",
    "Chain": "what residual_ensembles.unravel(model) or residual_ensembles.models.load(path) "
    "returns",
}
"""Words for annotations in errors; other annotations are named as they are."""


def checked(function: T) -> T:
    """Makes a function or class raise a TypeError for arguments of another kind than annotated.

    True is not an integer, "1" not a list of texts, NaN not a number. Arguments without annotation,
    and items of arrays and mappings, are not checked.
    """
    if isinstance(function, type):
        maker = "__new__" if issubclass(function, tuple) else "__init__"
        setattr(function, maker, checked(getattr(function, maker)))
        return function
    signature = inspect.signature(function)
    kinds = {
        name: each.annotation
        for name, each in signature.parameters.items()
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            kind = kinds.get(name, Any)
            if not _fits(value, kind):
                is_simple = kind in (int, float, str, bool) or not isinstance(kind, type | str)
                what = f"={shown(value)}" if is_simple else f" of type {type(value).__name__}"
                raise TypeError(f"Received {name}{what}, expected {_name(kind)}.")
        return function(*args, **kwargs)

    wrapper.__signature__ = signature  # type: ignore[attr-defined] # Keras reads it off layers
    return wrapper  # type: ignore[return-value] # its signature is that of the function


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of the kind of an annotation, without looking into arrays or mappings."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if isinstance(kind, str):  # a class of which the module is not loaded for it
        return any(each.__name__ == kind for each in type(value).__mro__)
    if kind in (inspect.Parameter.empty, Any) or not isinstance(origin, type):
        return True
    if origin in (int, float):
        number = numbers.Integral if origin is int else numbers.Real
        is_number = isinstance(value, number) and not isinstance(value, bool)
        return is_number and abs(value) < float("inf")
    if issubclass(origin, os.PathLike):
        return isinstance(value, str | os.PathLike)
    if origin.__name__ == "ndarray":  # NumPy is not loaded for it
        return hasattr(value, "shape") or isinstance(value, list | tuple)
    if not inner or not issubclass(origin, Iterable) or issubclass(origin, Mapping):
        return isinstance(value, origin)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        return False
    if not isinstance(value, list | tuple):
        return True
    if origin is tuple and inner[-1] is not Ellipsis:
        return len(value) == len(inner) and all(map(_fits, value, inner))
    return all(_fits(each, inner[0]) for each in value)


def _name(kind: Any) -> str:
    """Returns the words for an annotation in errors."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_name, inner)))
    if origin is types.NoneType:
        return "None"
    name = getattr(origin, "__name__", str(origin))
    if inner and issubclass(origin, Iterable) and not issubclass(origin, Mapping):
        return f"a sequence of which each is {_name(inner[0])}"
    return EXPECTED.get(name, f"a {name}")


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


def require_integer(name: str, value: Any, minimum: int = 0, maximum: int | None = None) -> int:
    """Returns an integer as Python's `int`.

    Args:
        name: Name of the parameter.
        value: Its value: an integer of Python or NumPy, and not 1.0, True or "1".
        minimum: Smallest value.
        maximum: Largest value; None for no limit.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is out of range.
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer:
        raise TypeError(f"Received {name}={shown(value)}, expected an integer.")
    if value < minimum or (maximum is not None and value > maximum):
        expected = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"
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
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number:
        raise TypeError(f"Received {name}={shown(value)}, expected a number.")
    if not abs(value) < float("inf"):
        raise ValueError(f"Received {name}={shown(value)}, expected a finite number.")
    return value


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Returns a value that is one of `choices`.

    Raises:
        TypeError: It is not a string.
        ValueError: It is not one of `choices`.
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
        ValueError: It is empty, blank or too long, or holds what no path can.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"Received {name}={shown(value)}, expected a path.")
    text = os.fspath(value)
    is_bad = not text.strip() or len(text) > LONGEST_PATH
    if is_bad or (isinstance(text, str) and "\0" in text):
        raise ValueError(f"Received {name}={shown(value)}, expected a path.")


def shown(value: object) -> str:
    """Returns the `repr` of a value, shortened to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
