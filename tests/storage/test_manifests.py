"""Folders that say what is in them, and files that belong to living or killed processes."""

import errno
import subprocess
import sys
import time

import pytest

from residual_ensembles.storage import files

FILES = {"a.bin": b"abc" * 1000, "empty": b"", "sub/b.txt": b"text"}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    files.write_manifest(tmp_path, FILES, fingerprint="f")
    return tmp_path


def test_intact_files_match_the_manifest(folder):
    manifest = files.read_manifest(folder)
    assert manifest["fingerprint"] == "f"
    assert sorted(manifest["files"]) == sorted(FILES)
    (folder / "beside").write_text("what is not named does not count")
    files.read_manifest(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"a\.bin"),
        (b"", r"a\.bin .*\b0 .*3000"),
        (b"abc" * 999, r"a\.bin .*2997"),
        (b"abc" * 999 + b"abd", r"a\.bin"),
    ],
)
def test_damage_is_named(folder, content, message):
    (folder / "a.bin").unlink()
    if content is not None:
        (folder / "a.bin").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        files.read_manifest(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "{}", '{"files": 3}', '{"files": {"a.bin": 3}}', "\0"]
)
def test_a_damaged_manifest_is_named(folder, text):
    (folder / files.MANIFEST).write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json"):
        files.read_manifest(folder)


def test_a_missing_manifest_is_another_error_than_a_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.read_manifest(tmp_path)


@pytest.mark.parametrize("place", [0, 2_000_000, 4_999_999])
def test_samples_stand_for_a_large_file(folder, monkeypatch, place):
    monkeypatch.setattr(files, "FULL_CHECKSUM_BYTES", 1000)
    content = bytearray(5_000_000)
    (folder / "a.bin").write_bytes(content)
    files.write_manifest(folder, FILES)
    files.read_manifest(folder)
    content[place] = 1
    (folder / "a.bin").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.bin"):
        files.read_manifest(folder)


def test_checking_cifar10_takes_a_second(tmp_path):
    (tmp_path / "images").write_bytes(bytes(60_000 * 32 * 32 * 3))
    files.write_manifest(tmp_path, ["images"])
    start = time.process_time()
    files.read_manifest(tmp_path)
    assert time.process_time() - start < 1.0


HOLDING = """
import sys, time
from residual_ensembles.storage import files
with files.atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print(temporary, flush=True)
    time.sleep(60)
"""


def test_files_of_killed_processes_are_removed_and_those_of_living_ones_stay(tmp_path):
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "model.keras")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    dead, living = (tmp_path / each.stdout.readline().strip() for each in processes)
    try:
        processes[0].kill()
        processes[0].communicate()
        files.remove_partial(tmp_path)
        assert not dead.exists()
        assert living.read_text() == "half"
    finally:
        processes[1].kill()
        processes[1].communicate()


def test_a_full_disk_is_named_and_not_the_source_of_a_copy(tmp_path):
    def copy():
        with files.atomic_path(tmp_path / "to"):
            raise OSError(errno.ENOSPC, "No space left on device", "/elsewhere/from", None, "x")

    with pytest.raises(OSError, match="No space left") as caught:
        copy()
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "to"), None)
    assert not list(tmp_path.iterdir())
