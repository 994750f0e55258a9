"""The stages of a study: one thin program each."""

import residual_ensembles  # noqa: F401 - first of all, for what it does for programs
