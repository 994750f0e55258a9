from .markdown import results_table
from .page import render
from .study_metrics import metrics

__all__ = [
    "metrics",
    "render",
    "results_table",
]
