"""Content-Security-Policy of a page that needs nothing but itself."""

import base64
import hashlib


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
