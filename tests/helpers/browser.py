"""Debian's Chromium, driven; pages open from disk and must ask nobody for anything.

Tests that use it are skipped, with the reason, where there is no browser. Where
RESIDUAL_ENSEMBLES_BROWSER is `required`, as in CI, they fail instead.
"""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
REQUIRED = os.environ.get("RESIDUAL_ENSEMBLES_BROWSER") == "required"
# Chromium refuses its own sandbox to root, and has no room for shared memory in many containers.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]


def executable() -> str | None:
    """Where Chromium is, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def _missing(what: str):
    message = f"no {what}: the page was not looked at in a browser"
    if REQUIRED:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium, as Playwright has it."""
    if executable() is None:
        _missing("Chromium (on Debian: apt install chromium)")
    if importlib.util.find_spec("playwright") is None:
        _missing("playwright (pip install -e .[browser])")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


class Opened:
    """A page opened from disk, and what it did that was heard of.

    Options are those of Playwright's `new_context`: viewport, color_scheme, has_touch, ….
    """

    def __init__(self, browser, path: Path, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.address = path.resolve().as_uri()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("dialog", self._dialog)
        self.page.goto(self.address)

    def _dialog(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def check(self) -> None:
        """Sees that nothing was complained of, and nothing was asked for but the file itself.

        What a page makes itself (the script of a worker) has an address too, without a host.
        """
        others = [url for url in self.requests if not url.startswith("blob:null/")]
        assert others == [self.address]
        assert self.complaints == []

    def violations(self) -> list[str]:
        """Returns the serious violations that axe finds."""
        from axe_playwright_python.sync_playwright import Axe

        result = Axe().run(self.page).response["violations"]
        return [
            f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
            for violation in result
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]


@pytest.fixture
def open_page(chromium):
    """Opens pages, and checks each of them when the test is over."""
    opened = []

    def make(path: Path, **options) -> Opened:
        opened.append(Opened(chromium, path, **options))
        return opened[-1]

    yield make
    for page in opened:
        page.context.close()
        page.check()
