from . import explorer
from .markdown import results_table
from .page import render, write_page

__all__ = [
    "explorer",
    "render",
    "results_table",
    "write_page",
]
