"""Bytes sent between a program and the nodes that compute for it."""

import pickle

from residual_ensembles.lesions.engine.evaluator import SweepSpec
from residual_ensembles.runtime import Serial


def pickled_bytes(value: object) -> int:
    """Returns the size of a value as it is sent."""
    return len(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


class Counting(Serial):
    """Runs everything here and counts what would have been sent."""

    def __init__(self):
        super().__init__()
        self.networks = 0
        """Of networks and their plans."""
        self.images = 0
        self.results = 0

    def scatter(self, value):
        if isinstance(value, SweepSpec):
            self.networks += pickled_bytes(value)
        else:
            self.images += pickled_bytes(value)
        return value

    def run(self, *what, **how):
        results = super().run(*what, **how)
        self.results += sum(map(pickled_bytes, results))
        return results
