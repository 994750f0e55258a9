"""Templates, style sheets and scripts of this package, to be put into a page."""

import base64
import hashlib
from importlib.resources import files

import jinja2


def asset(name: str) -> str:
    """Returns the text of a file of this package.

    The subpackage it is in is not imported for that: its imports may be many.

    Args:
        name: Path within the package, for instance `"report/look.css"`.
    """
    return files("residual_ensembles").joinpath(name).read_text(encoding="utf-8")


def templates(package: str) -> jinja2.Environment:
    """Returns the environment that renders the templates of a package."""
    return jinja2.Environment(
        autoescape=True,
        loader=jinja2.PackageLoader(package, ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )


def content_security_policy(script: str, *, workers: bool = False) -> str:
    """Returns a policy that lets the page's own script run, and nothing be fetched from anywhere.

    Args:
        script: What stands between <script> and </script>, to the letter.
        workers: Whether the script may start workers from a Blob of its own making; on `file://`
            there is no other way. A worker is bound by the policy of its page.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    worker = "worker-src blob:; " if workers else ""
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; {worker}style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
