"""Gating of modules in a batch: effective paths (section 4.3) and stochastic depth."""

from dataclasses import dataclass

import numpy as np

from residual_ensembles.arguments import checked, require_choice, require_integer
from residual_ensembles.parameters import GATINGS
from residual_ensembles.statistics.randomness import generator


@checked
@dataclass(frozen=True)
class Gating:
    """A way to draw one gate, 0 or 1, for each module and batch.

    Args:
        scheme: "none": every module runs. "effective_paths": exactly `modules_per_batch` modules
            run, drawn uniformly (section 4.3: 23 of 54). "stochastic_depth": module i of n runs
            with probability `1 − i/n · (1 − survival_probability)`, independently of the others
            (Huang et al. 2016, equation 4), drawn once for all images of a batch, as there.
        n_modules: Modules of the network.
        modules_per_batch: Modules that run in a batch, 1..n_modules, for effective paths.
        survival_probability: Probability that the last module runs, 0 < p <= 1, for stochastic
            depth.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: An argument is out of range.
    """

    scheme: str
    n_modules: int
    modules_per_batch: int = 23
    survival_probability: float = 0.5

    def __post_init__(self):
        require_choice("scheme", self.scheme, GATINGS)
        require_integer("n_modules", self.n_modules, 1)
        require_integer("modules_per_batch", self.modules_per_batch, 1)
        n, m, p = self.n_modules, self.modules_per_batch, self.survival_probability
        if self.scheme == "effective_paths" and not 1 <= m <= n:
            raise ValueError(
                f"Received modules_per_batch={m} for a network of {n} modules, expected 1..{n}."
            )
        if self.scheme == "stochastic_depth" and not 0.0 < p <= 1.0:
            raise ValueError(f"Received survival_probability={p}, expected 0 < p <= 1.")

    @property
    def survival(self) -> list[float]:
        """The share of batches in which each module runs, 0..1."""
        n = self.n_modules
        if self.scheme == "effective_paths":
            return [self.modules_per_batch / n] * n
        if self.scheme == "stochastic_depth":
            return [1.0 - i / n * (1.0 - self.survival_probability) for i in range(1, n + 1)]
        return [1.0] * n

    def draw(self, seed: int, step: int) -> np.ndarray | None:
        """Returns the gates of a step, float32 `(n_modules,)`, or None where all modules run."""
        if self.scheme == "none":
            return None
        random = generator(seed, "gates", step)
        if self.scheme == "effective_paths":
            gates = np.zeros(self.n_modules, "float32")
            gates[random.choice(self.n_modules, self.modules_per_batch, replace=False)] = 1.0
            return gates
        return (random.random(self.n_modules) < self.survival).astype("float32")
