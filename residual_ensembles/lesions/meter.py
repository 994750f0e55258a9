"""How far a sweep is."""

from collections.abc import Callable


class Meter:
    """Turns shares of a piece of work into predictions, no more and no fewer than there are.

    Args:
        progress: Called with a number of predictions.
        n: How many the piece has.
    """

    def __init__(self, progress: Callable[[float], None], n: int):
        self.progress = progress
        self.n = n
        self.left = float(n)

    def __call__(self, share: float) -> None:
        step = min(self.left, share * self.n)
        self.left -= step
        self.progress(step)

    def finish(self) -> None:
        """Reports what is left: rounding, or all of a piece that was found finished."""
        self.progress(self.left)
        self.left = 0.0
