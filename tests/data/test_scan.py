import numpy as np
import pytest

from residual_ensembles.data.scan import scan
from tests.helpers.sources import ListSource, encoded, random_rows


def test_labels_and_sizes_are_found():
    train = random_rows(20, 8, 8) + random_rows(3, 6, 9)
    result = scan(ListSource(train, random_rows(3, 8, 8)), "train")
    np.testing.assert_array_equal(result.labels, [label for _, label in train])
    assert result.labels.dtype == np.int32
    assert result.sizes == {(8, 8): "train 0", (6, 9): "train 20"}


@pytest.mark.parametrize("verified", [True, False])
def test_files_that_are_no_images_are_named(verified):
    source = ListSource([*random_rows(9, 8, 8), (b"no image", 0)], random_rows(3, 8, 8))
    source.verified = verified
    with pytest.raises(ValueError, match="train 9"):
        scan(source, "train")


def test_truncated_images_of_unverified_sources_are_named():
    (array, _), *rows = random_rows(9, 32, 32)
    half = encoded(array)[:1000]
    source = ListSource([*rows, (half, 0), (half, 1)], rows)
    source.verified = False
    with pytest.raises(ValueError, match=r"train 8.* 1 more"):
        scan(source, "train")


def test_images_without_label_are_refused():
    rows = random_rows(5, 8, 8)
    source = ListSource([*rows, (rows[0][0], -1)], rows)
    with pytest.raises(ValueError, match=r"list with 1 of 6 .*train"):
        scan(source, "train")


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="0 of 0"):
        scan(ListSource(random_rows(3, 8, 8), []), "test")
