import subprocess

import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.report import render

pytestmark = pytest.mark.browser

CHROMIUM = [
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
    *("--disable-background-networking", "--enable-logging=stderr"),
]


def test_the_script_runs_under_its_policy(study, claims, tmp_path):
    tables = read_tables(study)
    page = tmp_path / "report.html"
    page.write_text(render(tables, claims, {}, "dvc repro"))
    run = subprocess.run(
        [*CHROMIUM, page.as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"{len(claims)} of {len(claims)} shown</output>" in run.stdout
    assert '<button type="button">Verdict</button>' in run.stdout
    assert "CONSOLE" not in run.stderr
