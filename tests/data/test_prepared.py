import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import residual_ensembles
from residual_ensembles import data


@pytest.fixture(params=["arrays", "records"])
def prepared(request, write, make_source, make_rows):
    return write(make_source(make_rows(30, 8, 8), make_rows(6, 8, 8)), storage=request.param)


def test_it_says_what_it_is(prepared):
    assert (prepared.name, prepared.title) == ("list", "A list")
    assert prepared.class_names == ["class 0", "class 1", "class 2"]
    assert prepared.n_classes == 3
    assert prepared.picture_shape == (8, 8, 3)
    assert prepared.augmentation == data.Augmentation("pad_crop", padding=1, flip=True)
    assert prepared.description["counts"] == {"train": 27, "validation": 3, "test": 6}
    assert len(prepared.checksum) == 64


def test_labels_are_integers(prepared):
    for name in ("train", "validation", "test"):
        assert prepared.part(name).labels.dtype == np.int32


def test_an_unknown_part_is_refused(prepared):
    with pytest.raises(ValueError, match="part 'dev'; expected one of train, validation, test"):
        prepared.part("dev")


def test_a_folder_without_prepared_data_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no prepared data .*python -m pipelines\.prepare"):
        data.load(tmp_path / "missing")
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(ValueError, match="holds no prepared data"):
        data.load(tmp_path)


def test_a_newer_format_is_refused(prepared):
    path = prepared.folder / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(ValueError, match=r"format 2 in .*this version reads format 1"):
        data.load(prepared.folder)


@pytest.mark.parametrize("meta", [{"format": 1}, {"format": 1, "name": "a", "augmentation": 3}])
def test_damaged_facts_are_refused(tmp_path, meta):
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(ValueError, match=r"a damaged meta\.json .* prepare the data again"):
        data.load(tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "missing", "other"])
def test_damaged_files_are_refused(prepared, damage):
    (path,) = prepared.folder.glob("train_pictures.*")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-2000])
    elif damage == "missing":
        path.unlink()
    else:
        path.write_bytes(next(prepared.folder.glob("test_pictures.*")).read_bytes())
    with pytest.raises(ValueError, match=r"damaged train part .*; prepare the data again"):
        data.load(prepared.folder)


def test_reading_needs_neither_tensorflow_nor_keras(prepared):
    """The package's own imports aside, which register the networks' layers."""
    program = f"""
import sys, types
package = types.ModuleType("residual_ensembles")
package.__path__ = [{str(Path(residual_ensembles.__file__).parent)!r}]
sys.modules["residual_ensembles"] = package
from residual_ensembles import data
train = data.load({str(prepared.folder)!r}).part("train")
assert train.pictures([0, 5]).shape == train.augmented([0, 5], 0, 1).shape == (2, 8, 8, 3)
data.order(0, 1, 10)
print(*({{"tensorflow", "tensorflow_datasets", "keras", "jax"}} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == ""
