"""A module and the plain segment that always follows it, as one module.

No path has a choice in a segment, so going back through it belongs to what comes after the sum.
"""

from typing import Any

from residual_ensembles.models.protocols import ModuleLike


class Followed:
    """A module whose `after` goes on through a segment.

    It has no config, as no other pair is of one kind with it.

    Args:
        module: The module.
        segment: What follows it.
        training: Whether batch normalisation of the segment uses the statistics of the batch.
    """

    def __init__(self, module, segment, training: bool):
        self.module = module
        self.segment = segment
        self.training = training
        self.has_skip = module.has_skip
        self.compute_dtype = module.compute_dtype
        self.residual = module.residual
        self.skip = module.skip

    def after(self, z):
        """Returns what becomes of the sum, and then of what leaves the module."""
        return self.segment(self.module.after(z), training=self.training)

    @property
    def own_variables(self) -> list:
        """The variables of the module itself."""
        return self.module.variables

    @property
    def variables(self) -> list:
        """The variables of both, each once."""
        both = [*self.module.variables, *self.segment.variables]
        return list({id(v): v for v in both}.values())


def followed(module: ModuleLike, segment: Any, training: bool):
    """Returns the module, with its segment where there is one."""
    return module if segment is None else Followed(module, segment, training)
