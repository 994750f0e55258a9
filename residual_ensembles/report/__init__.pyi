from .markdown import results_table
from .page import render, write_page

__all__ = [
    "render",
    "results_table",
    "write_page",
]
