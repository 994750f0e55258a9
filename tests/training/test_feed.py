import numpy as np
import pytest

from residual_ensembles import data
from residual_ensembles.training import EvaluationBatches, Feed, Gating


@pytest.fixture
def feed(prepared):
    gating = Gating("effective_paths", 3, 2)
    return Feed(prepared.split("train"), data.Augmentation("pad_crop", 1, False), 48, 0, gating)


def test_an_epoch_shows_every_image_at_most_once_and_drops_the_last_partial_batch(feed):
    assert feed.steps_per_epoch == 4
    for epoch in range(2):
        steps = [feed.batch(4 * epoch + i)[0]["index"] for i in range(4)]
        assert len(np.unique(np.concatenate(steps))) == 4 * 48


def test_each_epoch_has_its_own_order(feed):
    assert np.any(feed.batch(0)[0]["index"] != feed.batch(4)[0]["index"])


def test_a_batch_is_a_function_of_its_step(feed):
    first = list(feed.stream(0, 9))
    for step, (inputs, labels) in zip(range(6, 9), feed.stream(6, 9), strict=True):
        np.testing.assert_array_equal(labels, first[step][1])
        for name, value in inputs.items():
            np.testing.assert_array_equal(value, first[step][0][name])


def test_a_batch_has_its_gates(feed):
    assert feed.batch(0)[0]["gates"].sum() == 2


def test_a_batch_larger_than_the_split_is_refused(prepared):
    with pytest.raises(ValueError, match="batch_size=201"):
        Feed(prepared.split("train"), prepared.augmentation, 201, 0, Gating("none", 3))


def test_evaluation_keeps_the_last_partial_batch(prepared):
    split = prepared.split("test")
    batches = list(map(EvaluationBatches(split, 25).__getitem__, range(3)))
    assert [len(labels) for _, labels in batches] == [25, 25, 10]
    images = np.concatenate([inputs["images"] for inputs, _ in batches])
    np.testing.assert_array_equal(images, split.array)
