"""Style sheets and scripts that lie beside the code, to be put into a page."""

from importlib.resources import files


def asset(name: str) -> str:
    """Returns the text of a file of this package.

    The room it is in is not imported for that: its imports may be many.

    Args:
        name: Path within the package, for instance `"pages/look.css"`.
    """
    return files("residual_ensembles").joinpath(name).read_text(encoding="utf-8")
