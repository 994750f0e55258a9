import json

import pytest

from residual_ensembles.report.explorer import choose


@pytest.fixture
def folder(tmp_path):
    def train(name, model, gating="none", depth=110):
        run = {"model": model, "gating": gating, "depth": depth}
        run |= {"test_error_fraction": 0.01, "n_test_images": 360}
        (tmp_path / f"{name}-3").mkdir()
        (tmp_path / f"{name}-3" / "run.json").write_text(json.dumps(run))

    train("effective", "resnet", "effective_paths")
    train("highway", "highway")
    train("vgg", "vgg", depth=15)
    train("plain", "resnet")
    return tmp_path


def names(choices):
    return [(choice.name, choice.seed, choice.title) for choice in choices]


def test_the_plain_resnet_and_the_vgg(folder):
    result = choose(folder, ["effective", "highway", "vgg", "plain"], [3, 4])
    assert names(result) == [("plain", 3, "ResNet-110"), ("vgg", 3, "VGG-15")]
    assert result[0].path == folder / "plain-3" / "model.keras"


def test_without_a_plain_resnet_a_gated_one_is_chosen(folder):
    result = choose(folder, ["effective", "highway"], [3])
    assert names(result) == [("effective", 3, "ResNet-110, effective paths")]
    assert choose(folder, ["highway"], [3]) == []


def test_a_network_that_was_not_trained_is_refused(folder):
    with pytest.raises(ValueError, match=r"other-3.*run\.json"):
        choose(folder, ["other"], [3])
