"""The stages of a study and the programs beside them, run in the folder of a checkout."""

import residual_ensembles  # noqa: F401 - first of all, for what it does for programs
from residual_ensembles.backend import extras

extras.require("studies", "dvc", "yaml")
