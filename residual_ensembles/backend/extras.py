"""Optional packages, which are installed as extras."""

from importlib.util import find_spec

from residual_ensembles.arguments import see


class MissingExtraError(ImportError):
    """An optional package is not installed."""


def require(extra: str, *packages: str) -> None:
    """Checks that optional packages are installed, without importing them.

    Args:
        extra: The extra of residual-ensembles that installs them, as in pyproject.toml.
        *packages: Their import names.

    Raises:
        MissingExtraError: One is not installed.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"Received no {', '.join(missing)}, which is not installed here, expected: "
            f"pip install 'residual-ensembles[{extra}]'. {see('getting-started', 'extras')}",
            name=missing[0],
        )
