"""Votes of networks, in sub-ensembles of every size (section 2, "Ensembling").

The paper's simple voting scheme averages the members' predictions: `average`, the mean of their
softmaxes, in which every sub-ensemble of two or more can differ from its members. `majority` is the
most frequent class; ties, as of any two members that disagree, are decided by the mean.
"""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import pandas as pd

from residual_ensembles.statistics.intervals import wilson
from residual_ensembles.storage.columns import ENSEMBLE_COLUMNS


def average(probabilities: np.ndarray) -> np.ndarray:
    """Returns the classes with the largest mean probability."""
    return probabilities.mean(axis=0).argmax(axis=-1)


def majority(probabilities: np.ndarray) -> np.ndarray:
    """Returns the classes that most members predict; ties go to the class of larger mean."""
    classes = np.arange(probabilities.shape[-1])
    votes = (probabilities.argmax(axis=-1)[..., None] == classes).sum(axis=0)
    return (votes + probabilities.mean(axis=0) / 2).argmax(axis=-1)  # halved: less than one vote


VOTES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"average": average, "majority": majority}
"""Ways to vote, the paper's first: from `(members, images, classes)` to classes `(images,)`."""


def sub_ensembles(n_members: int) -> Iterator[tuple[int, ...]]:
    """Yields every sub-ensemble as members from 1, small ones first.

    >>> list(sub_ensembles(2))
    [(1,), (2,), (1, 2)]
    """
    for size in range(1, n_members + 1):
        yield from combinations(range(1, n_members + 1), size)


def vote(
    seed: int, probabilities: np.ndarray, labels: np.ndarray, n_modules: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Lets every sub-ensemble vote, in every way.

    Args:
        seed: The study's seed that the members were trained for.
        probabilities: `(members, images, classes)`.
        labels: `(images,)`.
        n_modules: Number of modules of one member.

    Returns:
        Rows of ensemble.csv, and predictions with one row for each of them, `(rows, images)`.
    """
    rows, predictions = [], []
    for name, count in VOTES.items():
        for members in sub_ensembles(len(probabilities)):
            predicted = count(probabilities[np.array(members) - 1])
            n, wrong = len(labels), int((predicted != labels).sum())
            key = (seed, name, len(members), ",".join(map(str, members)), len(members) * n_modules)
            rows.append((*key, n, wrong, wrong / n, *wilson(wrong, n)))
            predictions.append(predicted)
    return pd.DataFrame(rows, columns=ENSEMBLE_COLUMNS), np.array(predictions)
