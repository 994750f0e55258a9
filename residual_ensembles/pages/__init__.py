"""What every page of the project is made with."""

from residual_ensembles.pages.assets import asset
from residual_ensembles.pages.policy import content_security_policy

__all__ = ["asset", "content_security_policy"]
