"""The digits of scikit-learn as a TensorFlow dataset, which needs no download."""

import numpy as np
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from residual_ensembles.statistics.randomness import generator, stratified_draw

TEST_IMAGES = 360  # a fifth of the 1,797
SPLIT_SEED = 2016  # of the split into train and test, which is the same in every study
GRAY_LEVELS = 16  # the images count ink from 0 to 16; 255 / 16 a step, as other images have


class Digits(tfds.core.GeneratorBasedBuilder):
    """1,797 handwritten digits, 8×8, gray (Alpaydin & Kaynak 1998, in scikit-learn)."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="The test half of the UCI optical digits, as scikit-learn ships it.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
        )

    def _split_generators(self, dl_manager):
        labels = load_digits().target
        test = stratified_draw(labels, TEST_IMAGES, generator(SPLIT_SEED, "digits", "test"))
        train = np.setdiff1d(np.arange(len(labels)), test)
        return {"train": self._generate_examples(train), "test": self._generate_examples(test)}

    def _generate_examples(self, positions):
        digits = load_digits()
        images = np.rint(digits.images * (255 / GRAY_LEVELS)).astype(np.uint8)
        for position in positions.tolist():
            yield (
                position,
                {
                    "image": images[position, ..., np.newaxis],
                    "label": int(digits.target[position]),
                },
            )
