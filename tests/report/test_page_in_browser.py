import shutil

import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures import FIGURES, style
from residual_ensembles.report import render

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(study, claims, tmp_path_factory):
    """The page with its figures."""
    folder = shutil.copytree(study, tmp_path_factory.mktemp("page") / "digits")
    tables = read_tables(folder)
    for spec in FIGURES:
        style.save(spec.draw(tables), folder / "figures", spec.name)
    (folder / "report.html").write_text(render(tables, claims, {}, "dvc repro"))
    return folder / "report.html"


def test_the_script_runs_under_its_policy(open_page, page, claims):
    shown = open_page(page).page
    assert shown.inner_text("#count") == f"{len(claims)} of {len(claims)} shown"
    shown.select_option("#verdict", "reproduced")
    n = (claims.verdict == "reproduced").sum()
    assert shown.inner_text("#count") == f"{n} of {len(claims)} shown"
    assert shown.locator("#claims-table tbody tr:visible").count() == n


def test_sorting_with_the_keyboard(open_page, page):
    shown = open_page(page).page
    heading = shown.get_by_role("button", name="Measured (interval)")
    heading.focus()
    shown.keyboard.press("Enter")
    assert shown.locator("th[aria-sort=ascending]").inner_text().startswith("Measured")
    keys = shown.locator("#claims-table td:nth-child(4)").evaluate_all(
        "cells => cells.map((cell) => cell.dataset.sort).filter(Boolean).map(Number)"
    )
    assert keys == sorted(keys)
    assert len(keys) > 10


@pytest.mark.parametrize("heading", ["Measured (interval)", "Network"])
def test_what_is_missing_comes_last_both_ways(open_page, page, heading):
    shown = open_page(page).page
    button = shown.get_by_role("button", name=heading)
    filled = []
    for direction in ("ascending", "descending"):
        button.click()
        column = shown.locator(f"th[aria-sort={direction}]").evaluate("cell => cell.cellIndex")
        result = shown.locator(f"#claims-table tbody tr > :nth-child({column + 1})").evaluate_all(
            "cells => cells.map((cell) => cell.dataset.sort ?? cell.textContent.trim())"
        )
        filled.append([value for value in result if value])
        assert 10 < len(filled[-1]) < len(result)
        assert not any(result[len(filled[-1]) :])
    ascending, descending = filled
    assert descending == ascending[::-1]
    assert heading == "Network" or ascending == sorted(ascending, key=float)


def test_nothing_is_wider_than_a_phone(open_page, page):
    shown = open_page(page, viewport={"width": 360, "height": 740}).page
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_axe_finds_no_serious_violation(open_page, page, scheme, width):
    opened = open_page(page, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert opened.violations() == []
