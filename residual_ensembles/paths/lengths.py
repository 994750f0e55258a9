"""Distribution of path lengths, in closed form and exact (section 4.2; figures 6a and 7).

At each of n modules a path takes the residual or the skip; its length is the number of residuals.
All results are ratios of binomial coefficients, as exact fractions.
"""

from fractions import Fraction
from math import comb

from residual_ensembles.arguments import checked, require_integer

MAX_MODULES = 10_000
"""Largest number of modules: with more, the fractions take minutes and gigabytes."""


@checked
def n_paths(n: int) -> int:
    """Returns 2^n, the number of paths through `n` modules.

    Args:
        n: Number of modules, 0 or more.

    Raises:
        TypeError: `n` is not an integer.
        ValueError: `n` is negative.

    Example:
        >>> n_paths(3), n_paths(54)
        (8, 18014398509481984)
    """
    _check_modules(n)
    return 2**n


@checked
def binomial(n: int) -> list[Fraction]:
    """Returns the share of all paths that has each length (figure 6a).

    Args:
        n: Number of modules, 0 or more.

    Returns:
        n + 1 fractions that add up to 1; the index is the length.

    Raises:
        TypeError: `n` is not an integer.
        ValueError: `n` is negative.

    Example:
        >>> [str(share) for share in binomial(3)]
        ['1/8', '3/8', '3/8', '1/8']
    """
    total = n_paths(n)
    return [Fraction(comb(n, length), total) for length in range(n + 1)]


@checked
def share_within(n: int, low: int, high: int) -> Fraction:
    """Returns the share of all paths whose length is `low` to `high`, both included.

    Args:
        n: Number of modules.
        low: Smallest length, in modules.
        high: Largest length, in modules.

    Raises:
        ValueError: The lengths are not `0 <= low <= high <= n`.

    Example:
        >>> round(float(share_within(54, 19, 35)), 3)
        0.98
    """
    _check_range(n, low, high)
    return Fraction(_paths_within(n, low, high), n_paths(n))


@checked
def expected_length(n: int, modules_per_batch: int | None = None) -> Fraction:
    """Returns the mean length of the paths, in modules.

    Args:
        n: Number of modules.
        modules_per_batch: Number of modules that run in a batch of gated training; None for all.
            With 23 of 54 the mean is 11.5 (section 4.2).

    Raises:
        ValueError: `modules_per_batch` is not between 0 and `n`.

    Example:
        >>> expected_length(54), expected_length(54, modules_per_batch=23)
        (Fraction(27, 1), Fraction(23, 2))
    """
    _check_modules(n)
    running = n if modules_per_batch is None else modules_per_batch
    if not 0 <= running <= n:
        raise ValueError(
            f"Received modules_per_batch={running} of {n} modules, expected 0 to {n}; None for all."
        )
    return Fraction(running, 2)


@checked
def remaining(n: int, deleted: int) -> list[Fraction]:
    """Returns the share of the paths of each length that is left after a deletion (figure 7).

    Of C(n, x) paths of length x, the C(n − d, x) that take none of the d deleted residuals are
    left.

    Args:
        n: Number of modules.
        deleted: Number of deleted modules, whichever they are.

    Returns:
        n + 1 fractions; the index is the length x.

    Raises:
        ValueError: `deleted` is not between 0 and `n`.

    Example:
        >>> [str(share) for share in remaining(3, deleted=1)]
        ['1', '2/3', '1/3', '0']
    """
    _check_deleted(n, deleted)
    return [Fraction(comb(n - deleted, x), comb(n, x)) for x in range(n + 1)]


@checked
def remaining_within(n: int, deleted: int, low: int, high: int) -> Fraction:
    """Returns the share of the paths of length `low` to `high` that is left after a deletion.

    Args:
        n: Number of modules.
        deleted: Number of deleted modules, whichever they are.
        low: Smallest length, in modules.
        high: Largest length, in modules.

    Raises:
        ValueError: Not `0 <= low <= high <= n`, or `deleted` is not between 0 and `n`.

    Example:
        >>> round(float(remaining_within(54, 10, 5, 17)), 4)
        0.0187
    """
    _check_deleted(n, deleted)
    _check_range(n, low, high)
    return Fraction(_paths_within(n - deleted, low, high), _paths_within(n, low, high))


def _paths_within(n: int, low: int, high: int) -> int:
    return sum(comb(n, length) for length in range(low, high + 1))


def _check_modules(n: int) -> None:
    require_integer("n", n, maximum=MAX_MODULES)


def _check_deleted(n: int, deleted: int) -> None:
    _check_modules(n)
    if not 0 <= deleted <= n:
        raise ValueError(f"Received {deleted} deleted of {n} modules, expected 0 to {n}.")


def _check_range(n: int, low: int, high: int) -> None:
    _check_modules(n)
    if not 0 <= low <= high <= n:
        raise ValueError(
            f"Received lengths {low} to {high} of paths through {n} modules, "
            f"expected 0 <= low <= high <= {n}."
        )
