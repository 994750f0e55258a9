from . import external
from .chain import UnraveledChain, unravel
from .loading import load

__all__ = [
    "UnraveledChain",
    "external",
    "load",
    "unravel",
]
