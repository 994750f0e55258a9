import errno
import subprocess
import sys

import pytest

from residual_ensembles.data.atomic_folder import atomic_folder

HOLDING = """
import sys, time
from pathlib import Path
from residual_ensembles.data.atomic_folder import atomic_folder
with atomic_folder(Path(sys.argv[1]), "meta.json") as partial:
    (partial / "meta.json").write_text("half")
    print(partial, flush=True)
    time.sleep(60)
"""


def fill(folder, text="new"):
    with atomic_folder(folder, "meta.json") as partial:
        (partial / "meta.json").write_text(text)
        (partial / text).write_text("x")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "parent" / "prepared"


def test_a_new_folder_appears_complete(folder):
    with atomic_folder(folder, "meta.json") as partial:
        (partial / "meta.json").write_text("new")
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["meta.json"]
    assert [path.name for path in folder.parent.iterdir()] == ["prepared"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_an_empty_folder_and_one_of_its_kind_are_replaced(folder):
    folder.mkdir(parents=True)
    for text in ("first", "second"):
        fill(folder, text)
        assert {path.name for path in folder.iterdir()} == {"meta.json", text}


def test_the_target_of_a_link_is_replaced(folder, tmp_path):
    folder.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(folder)
    fill(link)
    assert link.is_symlink()
    assert (folder / "new").exists()


def test_an_error_leaves_the_old_folder(folder):
    fill(folder, "old")
    with pytest.raises(FileNotFoundError):
        fill(folder, "no/such/folder")  # fails when half of it is written
    assert (folder / "meta.json").read_text() == "old"
    assert [path.name for path in folder.parent.iterdir()] == ["prepared"]


def test_a_failed_rename_puts_the_old_folder_back(folder, monkeypatch):
    fill(folder, "old")
    rename = type(folder).rename

    def failing(self, target):
        if self.name == "new":
            raise OSError("no rename today")
        return rename(self, target)

    monkeypatch.setattr(type(folder), "rename", failing)
    with pytest.raises(OSError, match="no rename today"):
        fill(folder, "new")
    assert (folder / "old").exists()


@pytest.fixture
def holding(folder):
    """Starts processes that are writing the folder, and returns each and its temporary folder."""
    started = []

    def start():
        command = [sys.executable, "-c", HOLDING, str(folder)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1], folder.parent / started[-1].stdout.readline().split("/")[-2]

    yield start
    for process in started:
        with process:  # waits for it
            process.kill()


def test_folders_of_killed_processes_are_removed_and_those_of_living_ones_stay(folder, holding):
    (killed, dead), (_, living) = holding(), holding()
    killed.kill()
    killed.wait()
    assert (dead / "new" / "meta.json").exists()
    fill(folder)
    assert (living / "new" / "meta.json").exists()
    assert {path.name for path in folder.parent.iterdir()} == {"prepared", living.name}


def test_a_folder_that_was_about_to_be_replaced_is_put_back(folder, holding):
    fill(folder, "old")
    killed, dead = holding()
    folder.rename(dead / "old")  # the first half of what is done at the end
    killed.kill()
    killed.wait()
    with pytest.raises(RuntimeError), atomic_folder(folder, "meta.json"):
        raise RuntimeError
    assert (folder / "old").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["prepared"]


def test_a_full_disk_is_named(folder):
    with (
        pytest.raises(OSError, match="No space left") as caught,
        atomic_folder(folder, "meta.json"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(folder)
    assert not list(folder.parent.iterdir())


def test_a_file_is_refused(folder):
    folder.parent.mkdir()
    folder.write_text("precious")
    with pytest.raises(ValueError, match=str(folder)):
        fill(folder)


def test_a_folder_with_other_files_is_refused(folder):
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=str(folder)):
        fill(folder)
    assert (folder / "thesis.tex").exists()


def test_a_folder_that_cannot_be_written_is_refused(folder):
    folder.parent.write_text("a file where a folder should be")
    with pytest.raises(ValueError, match=str(folder)):
        fill(folder)
