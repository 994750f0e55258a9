"""The stage `ensemble`, run as DVC runs it."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from residual_ensembles import data, models
from residual_ensembles.analysis.voting import average
from residual_ensembles.storage.columns import ENSEMBLE_COLUMNS
from tests.helpers import programs, small_studies


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Prepared digits."""
    folder = tmp_path_factory.mktemp("ensemble")
    data.prepare("digits", folder / "prepared", limit_train=150, limit_test=40)
    return folder


def run(folder, output, **ensemble):
    """Runs the stage in a folder of its own, and returns how it ended and where its results are."""
    place = small_studies.write(
        folder / output,
        folder / "prepared",
        seeds=[3],
        train={"batch_size": 32},
        ensemble={"members": 2, "depth": 8, "epochs": 1, **ensemble},
    )
    return programs.succeed("pipelines.ensemble", folder=folder / output), place


@pytest.fixture(scope="module")
def finished(folder):
    done, place = run(folder, "whole")
    assert "member1-3: 4/4 - " in done.stdout
    assert "6 votes of 2 members" in done.stdout
    return place


def test_every_sub_ensemble_votes(folder, finished):
    table = pd.read_csv(finished / "ensemble.csv", dtype={"members": str})
    assert list(table.columns) == ENSEMBLE_COLUMNS
    assert table.members.tolist() == 2 * ["1", "2", "1,2"]
    assert table.n_modules.tolist() == 2 * [3, 3, 6]
    assert set(table.n_images) == {40}
    split = data.load(folder / "prepared").split("test")
    chains = [models.load(finished / f"ensemble/member{j}-3/model.keras") for j in (1, 2)]
    result = np.stack([softmax(np.asarray(c(split.array), "float64"), axis=-1) for c in chains])
    with np.load(finished / "ensemble/predictions-3.npz") as kept:
        np.testing.assert_array_equal(kept["predictions"][2], average(result))
        wrong = (kept["predictions"] != kept["labels"]).sum(axis=1)
    np.testing.assert_array_equal(table.n_wrong, wrong)
    assert not np.array_equal(result[0], result[1])


def test_members_are_listed(finished):
    members = pd.read_csv(finished / "ensemble/members.csv")
    assert members.member.tolist() == [1, 2]
    assert set(members.n_modules) == {3}
    votes = pd.read_csv(finished / "ensemble.csv")
    alone = votes[(votes["vote"] == "average") & (votes["size"] == 1)].error_fraction
    np.testing.assert_allclose(members.test_error_fraction, alone, atol=1e-6)


@pytest.mark.slow
def test_a_member_trained_alone_is_the_same(folder, finished):
    _, place = run(folder, "alone", members=1)
    member = "ensemble/member1-3/model.keras"
    one, other = (models.load(f / member).get_weights() for f in (finished, place))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)  # other threads


@pytest.mark.slow
def test_without_members_there_are_empty_tables(folder):
    _, place = run(folder, "none", members=0)
    assert list(pd.read_csv(place / "ensemble.csv").columns) == ENSEMBLE_COLUMNS
    assert pd.read_csv(place / "ensemble/members.csv").empty
