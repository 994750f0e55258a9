import numpy as np
import pandas as pd
import pytest

from residual_ensembles.lesions import Lesion, PlannedLesion, intact, lesion_table
from residual_ensembles.lesions.table import COLUMNS
from residual_ensembles.storage.columns import UNKNOWN

PLAN = [*intact(), PlannedLesion("reorder", 3, Lesion(swaps=[(1, 2)]))]
LABELS = np.array([0, 1, 2, 0])
PREDICTIONS = np.array([[0, 1, 2, 0], [0, 1, 1, 1]])


def test_a_row_says_what_was_done_and_what_came_of_it():
    table = lesion_table("resnet", 4, PLAN, 3, PREDICTIONS, LABELS)
    assert tuple(table.columns) == COLUMNS
    row = table.iloc[1].to_dict()
    low, high = row.pop("error_low"), row.pop("error_high")
    assert row == {
        "network": "resnet",
        "seed": 4,
        "sweep": "reorder",
        "draw": 3,
        "lesion": "swap 1-2",
        "n_operations": 1,
        "kendall_tau": pytest.approx(1 / 3),
        "n_images": 4,
        "n_wrong": 2,
        "error_fraction": 0.5,
        "error_on_images_low": 0.5,
        "error_on_images_high": 0.5,
    }
    # Wilson by hand for 2 of 4: center ½, half-width z √(n/4 + z²/4) / (n + z²)
    z = 1.959964
    half = z * np.sqrt(1 + z * z / 4) / (4 + z * z)
    assert (low, high) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))


def test_the_intact_row_reads_back_as_text(tmp_path):
    lesion_table("vgg", 0, PLAN, 3, PREDICTIONS, LABELS).to_csv(tmp_path / "t.csv", index=False)
    read = pd.read_csv(tmp_path / "t.csv")
    assert [Lesion.parse(text) for text in read["lesion"]] == [row.lesion for row in PLAN]


def test_a_sample_has_an_interval_on_the_given_images():
    labels = np.zeros(1000, int)
    predictions = np.full((2, 1000), UNKNOWN)
    predictions[0], predictions[1, :400] = 0, 0
    predictions[1, :20] = 1
    table = lesion_table("resnet", 0, PLAN, 3, predictions, labels, intact=np.zeros(1000, int))
    known, part = table.iloc[0], table.iloc[1]
    limits = known["error_on_images_low"], known["error_on_images_high"]
    assert (known["n_images"], *limits) == (1000, 0.0, 0.0)
    assert known["error_high"] > 0.0  # of the population
    assert (part["n_images"], part["n_wrong"], part["error_fraction"]) == (400, 20, 0.05)
    population = part["error_high"] - part["error_low"]
    assert 0 < part["error_on_images_high"] - part["error_on_images_low"] < population


def test_a_sample_without_the_intact_predictions_is_refused():
    with pytest.raises(ValueError, match="intact"):
        lesion_table("resnet", 0, PLAN, 3, np.full((2, 4), UNKNOWN), LABELS)


def test_predictions_of_another_plan_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 4\)"):
        lesion_table("resnet", 0, PLAN, 3, PREDICTIONS[:1], LABELS)
