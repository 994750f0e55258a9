"""What `make reproduce` does before DVC begins."""

import pytest

from pipelines import reproduce


@pytest.mark.parametrize(
    ("content", "is_kept"),
    [('{"read": {}, "write": {}}', True), ("", False), ('{"read": {', False)],
)
def test_locks_that_a_killed_dvc_left_half_written_are_removed(
    content, is_kept, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    reproduce.remove_damaged_locks()  # there is none yet
    reproduce.DVC_LOCKS.parent.mkdir(parents=True)
    reproduce.DVC_LOCKS.write_text(content)
    reproduce.DVC_LOCKS.with_suffix(".lock").touch()  # as DVC leaves it
    reproduce.remove_damaged_locks()
    assert reproduce.DVC_LOCKS.exists() == is_kept
    assert ("removed .dvc/tmp/rwlock" in capsys.readouterr().out) != is_kept
