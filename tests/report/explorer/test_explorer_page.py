import base64
import hashlib
import json
import re

import numpy as np
import pytest

from residual_ensembles.report import explorer
from residual_ensembles.report.assets import asset
from residual_ensembles.report.explorer.explorer_page import SCRIPTS, WORKER
from residual_ensembles.report.explorer.selection import draw, number_shown
from tests.helpers.page_checks import check, parse_errors
from tests.helpers.untrained import CLASS_NAMES, Split


def test_the_page_is_valid_html(page):
    checker = check(page)
    assert checker.errors == []
    assert parse_errors(page) == []
    assert [link for tag, _, link in checker.links if tag != "a"] == []


def test_the_page_stays_within_its_limit(page):
    assert 9_000_000 < len(page.encode()) < 12_000_000


def test_the_policy_allows_the_script_and_its_worker(page):
    checker = check(page)
    policy = checker.meta["Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(checker.scripts[-1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'; worker-src blob:;" in policy
    assert "http" not in policy


def test_the_page_requests_nothing(page):
    code = re.sub(r"<script type.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttpRequest|importScripts|eval\(", code)


def test_what_comes_from_data_stays_text(page):
    assert CLASS_NAMES[0] not in page
    study, *_ = check(page).scripts
    assert json.loads(study)["class_names"] == CLASS_NAMES
    assert "Digits &lt;b&gt;" in page


@pytest.mark.parametrize("name", [*SCRIPTS, *WORKER])
def test_scripts_can_stand_in_a_page(name):
    assert not re.search(r"</script|<!--", asset(f"report/explorer/{name}"), re.IGNORECASE)


def test_without_a_network_it_says_so(shown):
    page = explorer.render("Digits", CLASS_NAMES, shown, [], ["This study has <none>."])
    checker = check(page)
    assert checker.errors == parse_errors(page) == []
    assert checker.scripts == []
    assert "This study has <none>." in checker.words


def test_images_are_drawn_by_class():
    split = Split(400)
    result = draw(split, (8, 8, 1))
    assert len(result.labels) == 100
    assert np.bincount(result.labels).tolist() == [10] * 10
    assert split.labels[result.positions].tolist() == result.labels
    pixels = np.frombuffer(base64.b64decode(result.bytes), np.uint8).reshape(100, 8, 8, 1)
    np.testing.assert_array_equal(pixels, split.array[result.positions])
    assert number_shown((8, 8, 1), 7) == 7
    assert number_shown((16, 16, 3), 500) == 25
