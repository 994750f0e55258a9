"""The built site: links lead somewhere, and pages can be read, in Chromium and at 375 pixels.

`make docs` builds it and runs this; `make test` does not.
"""

import functools
import html.parser
import http.server
import threading
import urllib.parse
from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if path.relative_to(SITE).parts[0] not in ("_static", "results")  # studies have other tests
)
TUTORIALS = [page for page in PAGES if page.startswith("tutorials/") and "index" not in page]
NARROW = {"width": 375, "height": 700}

pytestmark = pytest.mark.docs


class _Page(html.parser.HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        result = dict(attrs)
        self.links += [result[name] for name in ("href", "src") if result.get(name)]
        self.anchors |= {result[name] for name in ("id", "name") if result.get(name)}


@pytest.fixture(scope="module")
def parsed():
    return {page: _Page(SITE / page) for page in PAGES}


def test_the_site_is_built():
    assert {"index.html", "genindex.html", "generated/api.html"} <= set(PAGES), "make docs"
    assert len(TUTORIALS) >= 5


def test_no_link_within_the_site_is_dead(parsed):
    dead = []
    for page, content in parsed.items():
        for link in content.links:
            target = urllib.parse.urlsplit(link)
            if target.scheme or target.netloc:
                continue
            path = urllib.parse.unquote(target.path)
            result = (SITE / page).parent / path if path else SITE / page
            if not result.exists():
                dead.append((page, link))
                continue
            content_there = parsed.get(result.resolve().relative_to(SITE).as_posix())
            fragment = urllib.parse.unquote(target.fragment)
            if fragment and content_there and fragment not in content_there.anchors:
                dead.append((page, link))
    assert dead == []


@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_was_executed_and_downloads_as_a_notebook(page, parsed):
    text = (SITE / page).read_text(encoding="utf-8")
    assert 'class="cell_output' in text
    notebooks = [link for link in parsed[page].links if link.endswith(".ipynb")]
    assert len(notebooks) == 1


class _Silent(http.server.SimpleHTTPRequestHandler):
    """Serves the site and prints nothing of it."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    """Where the site is served: axe reads styles again, which Chromium forbids to files."""
    handler = functools.partial(_Silent, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read(chromium, address, page, scheme):
    context = chromium.new_context(viewport=NARROW, color_scheme=scheme)
    shown, heard, requests = context.new_page(), [], []
    shown.on("pageerror", lambda error: heard.append(str(error)))
    shown.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
    shown.on("request", lambda request: requests.append(request.url))
    shown.goto(address + page)
    try:
        assert shown.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        assert [message for message in heard if not message.startswith(("log:", "debug:"))] == []
        assert [url for url in requests if not url.startswith((address, "data:"))] == []
        # last, for axe asks for styles itself
        assert violations(shown) == []
    finally:
        context.close()


def violations(shown) -> list[str]:
    """Returns the serious violations that axe finds."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in Axe().run(shown).response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
