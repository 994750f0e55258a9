from . import evidence, explorer
from .page import render, write_page
from .rows import results_table

__all__ = [
    "evidence",
    "explorer",
    "render",
    "results_table",
    "write_page",
]
