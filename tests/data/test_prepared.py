import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import residual_ensembles
from residual_ensembles import data
from residual_ensembles.data import records
from residual_ensembles.storage import files
from tests.helpers.sources import ListSource, random_rows


@pytest.fixture(params=["arrays", "records"])
def prepared(request, write):
    return write(ListSource(random_rows(30, 8, 8), random_rows(6, 8, 8)), storage=request.param)


def test_attributes_describe_the_data(prepared):
    assert (prepared.name, prepared.title) == ("list", "A list")
    assert prepared.class_names == ["class 0", "class 1", "class 2"]
    assert prepared.n_classes == 3
    assert prepared.image_shape == (8, 8, 3)
    assert prepared.augmentation == data.Augmentation("pad_crop", padding=1, flip=True)
    assert prepared.description["counts"] == {"train": 27, "validation": 3, "test": 6}
    assert len(prepared.checksum) == 64


def test_labels_are_integers(prepared):
    for name in ("train", "validation", "test"):
        assert prepared.split(name).labels.dtype == np.int32


def test_an_unknown_split_is_refused(prepared):
    with pytest.raises(ValueError, match="name='dev', expected one of train, validation, test"):
        prepared.split("dev")


def test_a_folder_without_prepared_data_is_refused(tmp_path):
    with pytest.raises(ValueError, match="missing"):
        data.load(tmp_path / "missing")
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(ValueError, match=str(tmp_path)):
        data.load(tmp_path)


def test_a_newer_format_is_refused(prepared):
    path = prepared.folder / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))
    with pytest.raises(ValueError, match="format 2"):
        data.load(prepared.folder)


@pytest.mark.parametrize("meta", [{"format": 2}, {"format": 2, "name": "a", "augmentation": 3}])
def test_damaged_metadata_are_refused(tmp_path, meta):
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    files.write_manifest(tmp_path, ["meta.json"])
    with pytest.raises(ValueError, match=r"meta\.json"):
        data.load(tmp_path)


DAMAGES = {
    "truncated": lambda content: content[:-2000],
    "empty": lambda content: b"",
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
}


@pytest.mark.parametrize("damage", [*DAMAGES, "missing", "other"])
@pytest.mark.parametrize("name", ["train_images", "train_labels", "meta"])
def test_changed_files_are_refused(prepared, name, damage):
    (path,) = prepared.folder.glob(f"{name}.*")
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        path.write_bytes(next(prepared.folder.glob("test_images.*")).read_bytes())
    else:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(ValueError, match=f"{path.name}|{prepared.folder}"):
        data.load(prepared.folder)


def test_unfinished_data_are_refused(prepared):
    (prepared.folder / files.MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"manifest\.json"):
        data.load(prepared.folder)


@pytest.mark.parametrize(
    ("split", "labels", "message"),
    [
        ("train", [0, 1, 3], "train label 3"),
        ("test", [0, -1], "test label -1"),
        ("train", [0.0, 1.0, 2.0], "train labels of float64"),
        ("test", [True, False], "test labels of bool"),
        ("test", np.empty(0, np.int32), "test"),
    ],
)
def test_invalid_labels_are_refused(prepared, split, labels, message):
    n = len(labels) and len(prepared.split(split))
    for path in prepared.folder.glob(f"{split}_*.npy"):
        content = np.load(path)
        is_labels = path.name.endswith("labels.npy")
        np.save(path, np.resize(np.array(labels), n) if is_labels else content[:n])
    if not n and not (prepared.folder / f"{split}_images.npy").exists():
        writer = records.RecordWriter(prepared.folder / f"{split}_images.array_record")
        writer.close()
    files.write_manifest(prepared.folder, [path.name for path in prepared.folder.iterdir()])
    with pytest.raises(ValueError, match=message):
        data.load(prepared.folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("std", [0.0, 1.0, 1.0]),
        ("std", [float("nan"), 1.0, 1.0]),
        ("mean", [float("inf"), 1.0, 1.0]),
        ("mean", [-3.0, 1.0, 1.0]),
        ("mean", [100.0]),
    ],
)
def test_invalid_statistics_are_refused(prepared, name, value):
    path = prepared.folder / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    names = json.loads((prepared.folder / files.MANIFEST).read_text())["files"]
    files.write_manifest(prepared.folder, names)
    with pytest.raises(ValueError, match=f"{name}="):
        data.load(prepared.folder)


def test_images_of_another_type_are_refused(write):
    folder = write(ListSource(random_rows(30, 8, 8), random_rows(6, 8, 8)), storage="arrays").folder
    path = folder / "train_images.npy"
    np.save(path, np.load(path).astype("float32"))
    files.write_manifest(folder, json.loads((folder / files.MANIFEST).read_text())["files"])
    with pytest.raises(ValueError, match=r"train .*float32"):
        data.load(folder)


def test_reading_needs_neither_tensorflow_nor_keras(prepared):
    """The package's own imports aside, which register the networks' layers."""
    program = f"""
import sys, types
package = types.ModuleType("residual_ensembles")
package.__path__ = [{str(Path(residual_ensembles.__file__).parent)!r}]
sys.modules["residual_ensembles"] = package
from residual_ensembles import data
train = data.load({str(prepared.folder)!r}).split("train")
assert train.images([0, 5]).shape == train.augmented([0, 5], 0, 1).shape == (2, 8, 8, 3)
data.order(0, 1, 10)
print(*({{"tensorflow", "tensorflow_datasets", "keras", "jax"}} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == ""
