from . import given
from .chain import UnraveledChain, unravel
from .loading import load

__all__ = [
    "UnraveledChain",
    "given",
    "load",
    "unravel",
]
