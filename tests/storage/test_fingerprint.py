"""What a fingerprint covers, and what it does not."""

from importlib import metadata

import pytest

from residual_ensembles.backend import process
from residual_ensembles.backend.threads import THREADS
from residual_ensembles.lesions import sweep as of_lesions
from residual_ensembles.paths import GradientStudy
from residual_ensembles.paths.study import measurement
from residual_ensembles.storage import fingerprint, imports
from residual_ensembles.storage.checkpoints import VARIABLE
from residual_ensembles.training import Settings
from residual_ensembles.training import run as of_training

ENTRIES = {
    "training": ["residual_ensembles.training.run"],
    "lesions": of_lesions.ENTRIES,
    "gradients": measurement.ENTRIES,
}


def rooms(kind: str) -> set[str]:
    """The rooms whose files a fingerprint covers."""
    files = imports.reached(*map(imports.file_of, ENTRIES[kind]))
    return {file.relative_to(imports.LIBRARY).parts[0].removesuffix(".py") for file in files}


def test_a_fingerprint_covers_what_its_code_imports_and_nothing_else():
    all_kinds = {"backend", "data", "models", "statistics", "storage"}
    none = {"analysis", "figures", "pruning", "report", "stages"}
    assert rooms("lesions") >= {"lesions", "unraveling", *all_kinds}
    assert not rooms("lesions") & {"paths", "training", *none}
    assert rooms("gradients") >= {"paths", "unraveling", *all_kinds}
    assert not rooms("gradients") & {"lesions", "training", *none}
    assert rooms("training") >= {"training", *all_kinds}
    assert not rooms("training") & {"lesions", "paths", "unraveling", *none}


@pytest.fixture
def names(tmp_path, monkeypatch):
    """Returns the fingerprint of a training, of lesions and path gradients as they are now."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    network = tmp_path / "network.keras"
    network.write_bytes(b"weights")

    def made() -> dict[str, str]:
        return {
            "training": of_training.fingerprint(Settings().as_dict(), "data"),
            "lesions": of_lesions.network_cache("lesions", network, "data").folder.name,
            "gradients": measurement.gradient_cache([], "data", GradientStudy()).folder.name,
        }

    return made


@pytest.mark.parametrize("what", ["threads", "library", "backend", "rounding"])
def test_what_changes_bits_changes_every_fingerprint(names, monkeypatch, what):
    monkeypatch.setenv(THREADS, "1")
    before = names()
    assert names() == before
    if what == "threads":
        monkeypatch.setenv(THREADS, "2")
    elif what == "library":
        versions = {"numpy": "9.9"}
        true = metadata.version
        monkeypatch.setattr(metadata, "version", lambda name: versions.get(name) or true(name))
    elif what == "backend":
        monkeypatch.setattr("residual_ensembles.backend.VERSIONS", {"tensorflow": "9.9"})
    else:
        monkeypatch.setattr(process, "rounding", lambda: {"onednn": None})
    after = names()
    assert not before.items() & after.items()
    assert all(len(name) == 16 for name in after.values())


def test_each_fact_changes_it():
    entries = ["residual_ensembles.statistics.randomness"]
    facts = [{}, {"a": 1}, {"a": 2}, {"b": 1}]
    result = {fingerprint.digest(entries, n, **each) for each in facts for n in (1, 2)}
    assert len(result) == 8


SOURCE = '''"""A sentence."""

from residual_ensembles import below, parameters  # as it is


def double(x: float = 1.0) -> float:
    """Returns the double."""
    return below.one(x) * 2
'''


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("top.py", SOURCE.replace("# as it is", "# as it was"), False),
        ("top.py", SOURCE.replace("A sentence.", "Another one."), False),
        ("top.py", SOURCE.replace("Returns the double.", "What is twice as much."), False),
        ("top.py", SOURCE.replace("(x) * 2", "(\n        x\n    ) * 2"), False),
        ("top.py", SOURCE.replace("* 2", "* 3"), True),
        ("top.py", SOURCE.replace("x: float = 1.0", "x: float = 2.0"), True),
        ("below.py", "def one(x):\n    return 1 * x\n", True),
        ("beside.py", "def one(x):\n    return 1 * x\n", False),
        ("parameters.py", "EPOCHS = 2\n", False),
    ],
)
def test_code_counts_by_what_it_does(tmp_path, monkeypatch, file, text, changes):
    package = tmp_path / "residual_ensembles"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "top.py").write_text(SOURCE)
    (package / "below.py").write_text("def one(x):\n    return x\n")
    (package / "beside.py").write_text("def one(x):\n    return x\n")
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    (package / "parameters.py").write_text("EPOCHS = 1\n")
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    monkeypatch.setattr(fingerprint, "DECLARATIONS", package / "parameters.py")

    def checksum() -> str:
        fingerprint.code_checksum.cache_clear()
        return fingerprint.code_checksum("residual_ensembles.top")

    before = checksum()
    assert checksum() == before
    (package / file).write_text(text)
    assert (checksum() != before) == changes
    fingerprint.code_checksum.cache_clear()
