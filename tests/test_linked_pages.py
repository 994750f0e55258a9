"""Errors name pages of the documentation, and sections, that there are."""

import ast
import re

import pytest

from residual_ensembles.arguments import see
from residual_ensembles.storage.imports import LIBRARY, ROOT

LINKS = sorted(
    {
        tuple(ast.literal_eval(argument) for argument in call.args)
        for file in LIBRARY.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "see"
    }
)


def anchors(page: str) -> set[str]:
    """The anchors of the headings of a page, as MyST and GitHub make them, includes followed."""
    path = ROOT / "docs" / f"{page}.md"
    text = path.read_text(encoding="utf-8")
    for included in re.findall(r"```{include} (\S+)", text):
        text += (path.parent / included).read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    titles = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_links_are_found():
    assert len(LINKS) >= 5
    assert ("getting-started", "extras") in LINKS


@pytest.mark.parametrize("link", LINKS)
def test_each_page_and_section_exists(link):
    page, *section = link
    assert (ROOT / "docs" / f"{page}.md").is_file()
    assert {*section} <= anchors(page)
    assert see(*link) == f"See docs/{page}.md" + "".join(f"#{name}" for name in section) + "."


def test_a_section_that_is_missing_is_found():
    assert "extras" in anchors("getting-started")
    assert "no-such-section" not in anchors("getting-started")
