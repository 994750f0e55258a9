"""Draws that keep the classes' shares."""

import numpy as np


def stratified_draw(labels: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """Draws `n` of the pictures so that each class has its share to within one picture.

    Args:
        labels: Class of each picture, integers, shape `(n_pictures,)`.
        n: How many to draw, 0..n_pictures.
        random: Where the randomness comes from.

    Returns:
        Positions of the drawn pictures, ascending, shape `(n,)`.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1])
        >>> labels[stratified_draw(labels, 3, np.random.default_rng(0))].tolist()
        [0, 0, 1]

    Raises:
        ValueError: There are fewer than `n` pictures.
    """
    if not 0 <= n <= len(labels):
        raise ValueError(f"Received {n} pictures to draw; expected 0 to {len(labels)}.")
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * (n / max(1, len(labels)))
    quotas = np.floor(exact + 1e-9).astype(int)  # n of n must not lose one to rounding
    largest_remainders = np.argsort(quotas - exact, kind="stable")[: n - quotas.sum()]
    quotas[largest_remainders] += 1
    chosen = [
        random.choice(np.flatnonzero(labels == class_), quota, replace=False)
        for class_, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
