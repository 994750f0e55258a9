import base64
import hashlib
import json
import re

import numpy as np
import pytest

from residual_ensembles import explorer
from residual_ensembles.explorer.page import SCRIPTS, WORKER
from residual_ensembles.explorer.pictures import draw, number_shown
from residual_ensembles.pages import asset
from tests.helpers.page_checks import check, parse_errors
from tests.helpers.untrained import CLASS_NAMES, Part


def test_valid(page):
    checker = check(page)
    assert checker.errors == []
    assert parse_errors(page) == []
    assert [link for tag, _, link in checker.links if tag != "a"] == []


def test_within_what_it_may_take(page):
    assert 9_000_000 < len(page.encode()) < 12_000_000


def test_the_policy_allows_the_script_and_its_worker(page):
    checker = check(page)
    policy = checker.meta["Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(checker.scripts[-1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'; worker-src blob:;" in policy
    assert "http" not in policy


def test_asks_nobody_for_anything(page):
    code = re.sub(r"<script type.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttpRequest|importScripts|eval\(", code)


def test_what_comes_from_data_stays_text(page):
    assert CLASS_NAMES[0] not in page
    study, *_ = check(page).scripts
    assert json.loads(study)["class_names"] == CLASS_NAMES
    assert "Digits &lt;b&gt;" in page


@pytest.mark.parametrize("name", [*SCRIPTS, *WORKER])
def test_scripts_can_stand_in_a_page(name):
    assert not re.search(r"</script|<!--", asset(f"explorer/{name}"), re.IGNORECASE)


def test_without_a_network_it_says_so(shown):
    page = explorer.render("Digits", CLASS_NAMES, shown, [], ["This study has <none>."])
    checker = check(page)
    assert checker.errors == parse_errors(page) == []
    assert checker.scripts == []
    assert "This study has <none>." in checker.words


def test_pictures_are_drawn_by_class():
    part = Part(400)
    found = draw(part, (8, 8, 1))
    assert len(found.labels) == 100
    assert np.bincount(found.labels).tolist() == [10] * 10
    assert part.labels[found.positions].tolist() == found.labels
    pixels = np.frombuffer(base64.b64decode(found.bytes), np.uint8).reshape(100, 8, 8, 1)
    np.testing.assert_array_equal(pixels, part.array[found.positions])
    assert number_shown((8, 8, 1), 7) == 7
    assert number_shown((16, 16, 3), 500) == 25
