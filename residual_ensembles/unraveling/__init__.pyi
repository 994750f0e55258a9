from . import given
from .chain import UnraveledChain
from .conversion import unravel
from .loading import load

__all__ = [
    "UnraveledChain",
    "given",
    "load",
    "unravel",
]
