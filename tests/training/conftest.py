import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

from residual_ensembles import data
from residual_ensembles.storage import files


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory):
    """Digits in the prepared format: 200 training, 24 validation and 60 test pictures.

    Written without TensorFlow, so that these tests run on JAX alone as well.
    """
    folder = tmp_path_factory.mktemp("prepared")
    digits = load_digits()
    pictures = (digits.images[..., None] / 16 * 255).round().astype("uint8")
    ends = {"train": (0, 200), "validation": (200, 224), "test": (224, 284)}
    for part, (first, last) in ends.items():
        np.save(folder / f"{part}_pictures.npy", pictures[first:last])
        np.save(folder / f"{part}_labels.npy", digits.target[first:last].astype("int32"))
    meta = {
        "format": 1,
        "name": "digits",
        "title": "Digits (scikit-learn)",
        "class_names": [str(i) for i in range(10)],
        "picture_shape": [8, 8, 1],
        "shorter_side": None,
        "storage": "arrays",
        "mean": [float(pictures[:200].mean())],
        "std": [float(pictures[:200].std())],
        "checksum": "0" * 64,
        "augmentation": {"kind": "pad_crop", "padding": 1, "flip": False},
        "description": {},
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    files.write_manifest(folder, [path.name for path in folder.iterdir()])
    return folder


@pytest.fixture(scope="session")
def prepared(prepared_folder):
    return data.load(prepared_folder)
