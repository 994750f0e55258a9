import numpy as np
import pytest

from residual_ensembles.data import preparation


@pytest.fixture
def folder_of(tmp_path, monkeypatch):
    """Returns the folder in which a source's data is looked for and, where it is not, prepared."""

    def prepare(source, folder, **options):
        folder.mkdir(parents=True)
        return folder

    monkeypatch.setattr(preparation, "prepare", prepare)
    monkeypatch.setattr(preparation.prepared, "load", lambda folder: folder)

    def prepared(source, validation_fraction=0.1):
        return preparation.prepared_once(str(source), tmp_path / "data", validation_fraction)

    return prepared


def test_the_same_data_is_prepared_once(folder_of, make_tree):
    source = f"folder:{make_tree()}"
    assert folder_of(source) == folder_of(source)
    assert folder_of("digits") == folder_of("digits")
    assert folder_of("digits") != folder_of("digits", 0.2)


def test_different_trees_have_different_folders(folder_of, make_tree):
    one, other = make_tree(name="a/b"), make_tree(name="a-b")
    assert folder_of(f"folder:{one}") != folder_of(f"folder:{other}")


@pytest.mark.parametrize("change", ["one more", "another"])
def test_changed_images_are_prepared_again(folder_of, make_tree, change):
    tree = make_tree()
    before = folder_of(f"folder:{tree}")
    first = next((tree / "train/cat").iterdir())
    if change == "one more":
        (tree / "train/cat/new.jpg").write_bytes(first.read_bytes())
    else:
        first.write_bytes(first.read_bytes() + b"\0")
    assert folder_of(f"folder:{tree}") != before


def test_damaged_data_is_prepared_again(tmp_path, make_tree, capsys):
    source = f"folder:{make_tree(size=(12, 12))}"
    first = preparation.prepared_once(source, tmp_path / "data", 0.25)
    (first.folder / "train_labels.npy").write_bytes(b"")
    second = preparation.prepared_once(source, tmp_path / "data", 0.25)
    assert second.folder == first.folder
    assert second.checksum == first.checksum
    np.testing.assert_array_equal(second.split("train").labels, first.split("train").labels)
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].endswith("prepare the data again. This is done now.")
    assert "train_labels.npy has 0 bytes" in printed[-1]


def test_long_paths_and_odd_names_have_a_folder(folder_of, make_tree):
    tree = make_tree(name="/".join(["long" * 30] * 4))
    assert len(folder_of(f"folder:{tree}").name) < 100
    with pytest.raises(ValueError, match=r"folder:.*-not"):
        folder_of(f"folder:{tree}-not")
