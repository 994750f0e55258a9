"""The stages of a study and the programs beside them, run in the folder of a checkout."""

from residual_ensembles.backend import extras

extras.require("studies", "dvc", "yaml")
