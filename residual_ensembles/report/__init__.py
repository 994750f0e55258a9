"""The page that sets each claim of the paper beside what was measured."""

from residual_ensembles.report.markdown import results_table
from residual_ensembles.report.metrics import metrics
from residual_ensembles.report.page import render

__all__ = ["metrics", "render", "results_table"]
