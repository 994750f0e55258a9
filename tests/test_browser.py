import pytest

from tests.helpers import browser


def test_without_a_browser_tests_are_skipped_and_say_so(monkeypatch):
    monkeypatch.setattr(browser, "REQUIRED", False)
    with pytest.raises(pytest.skip.Exception, match="no Chromium: the page was not looked at"):
        browser._missing("Chromium")


def test_where_one_is_required_they_fail(monkeypatch):
    monkeypatch.setattr(browser, "REQUIRED", True)
    with pytest.raises(pytest.fail.Exception, match="no Chromium"):
        browser._missing("Chromium")
