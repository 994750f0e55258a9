"""A page to take networks apart on."""

from tests.helpers.untrained import chains, page, path, shown

__all__ = ["chains", "page", "path", "shown"]
