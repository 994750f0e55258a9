from pathlib import Path

import pytest

from pipelines.explorer import offers
from residual_ensembles import models
from residual_ensembles.report import explorer
from tests.helpers.untrained import N_IMAGES


@pytest.fixture
def choice(tmp_path):
    def make(chain, title):
        path = tmp_path / title / "model.keras"
        models.save(chain, path)
        return explorer.Choice("name", 0, title, path, 0.01, N_IMAGES)

    return make


def test_networks_are_offered_or_it_is_said_why_not(build, choice, monkeypatch):
    small = choice(build("resnet", depth=8), "ResNet-8")
    other = choice(build("highway", depth=8), "Highway-8")
    missing = explorer.Choice("name", 0, "VGG-15", Path("nowhere.keras"), 0.01, N_IMAGES)
    offered, left_out = offers([small, other, missing])
    assert [network.choice.title for network in offered] == ["ResNet-8"]
    assert left_out[0].startswith("Highway-8 is not in this page. Received module 1")
    assert left_out[1].startswith("VGG-15 is not in this page. Received the network nowhere.keras")

    monkeypatch.setattr("residual_ensembles.report.explorer.explorer_page.MAX_BYTES", 0)
    offered, (sentence,) = offers([small])
    assert offered == []
    assert sentence == "ResNet-8 is not in this page: it would take 0 MB."


def test_without_any_it_is_said():
    assert offers([]) == (
        [],
        ["This study has no ResNet and no VGG, the networks that this page runs."],
    )
