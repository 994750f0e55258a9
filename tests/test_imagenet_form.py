"""ResNet-200 at 224×224, from ArrayRecord read by index as ImageNet is."""

import numpy as np
import pytest
from PIL import Image

from residual_ensembles import data, lesions, models, training
from residual_ensembles.training import Settings


def image_folder(folder, n_train=12, n_test=4):
    """A tree of JPEG images of unequal size in two classes."""
    random = np.random.default_rng(0)
    for split, n in (("train", n_train), ("test", n_test)):
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            for i in range(n):
                size = random.integers(200, 300, 2)
                pixels = random.integers(0, 256, (*size, 3)).astype("uint8")
                Image.fromarray(pixels).save(folder / split / name / f"{i:02d}.jpg")
    return folder


@pytest.mark.slow
def test_resnet200_trains_a_step_and_has_lesions(tmp_path):
    tree = image_folder(tmp_path / "tree")
    prepared = data.prepare(
        f"folder:{tree}",
        tmp_path / "prepared",
        validation_fraction=0.0,
        resize=224,
        storage="records",
    )
    assert prepared.split("train").array is None
    assert prepared.augmentation.kind == "random_resized_crop"
    settings = Settings(
        model="resnet_bottleneck", depth=200, epochs=1, batch_size=24, schedule="imagenet"
    )
    run = training.train(prepared, settings, tmp_path / "out", tmp_path / "ck", "resnet200")
    assert run["n_modules"] == 66
    assert run["n_test_images"] == 8
    chain = models.load(tmp_path / "out/model.keras")
    images = prepared.split("test").images(slice(0, 4))
    assert images.shape == (4, 224, 224, 3)
    plan = [lesions.Lesion.parse(t) for t in ("intact", "delete 2", "delete 4,28", "swap 10-11")]
    fast = lesions.evaluate(chain, plan, images).predictions
    np.testing.assert_array_equal(fast, lesions.evaluate_reference(chain, plan, images))
