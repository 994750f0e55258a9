import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

from residual_ensembles import data
from residual_ensembles.storage import files


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory):
    """Digits in the prepared format: 200 training, 24 validation and 60 test images.

    Written without TensorFlow, so that these tests run on JAX alone as well.
    """
    folder = tmp_path_factory.mktemp("prepared")
    digits = load_digits()
    images = (digits.images[..., None] / 16 * 255).round().astype("uint8")
    ends = {"train": (0, 200), "validation": (200, 224), "test": (224, 284)}
    for split, (first, last) in ends.items():
        np.save(folder / f"{split}_images.npy", images[first:last])
        np.save(folder / f"{split}_labels.npy", digits.target[first:last].astype("int32"))
    meta = {
        "format": 2,
        "name": "digits",
        "title": "Digits (scikit-learn)",
        "class_names": [str(i) for i in range(10)],
        "image_shape": [8, 8, 1],
        "shorter_side": None,
        "storage": "arrays",
        "mean": [float(images[:200].mean())],
        "std": [float(images[:200].std())],
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
