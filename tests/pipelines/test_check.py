import copy
from pathlib import Path

import pytest
import yaml

from pipelines.check import check

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study():
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def change(study, path, value):
    changed = copy.deepcopy(study)
    *groups, name = path.split(".")
    place = changed
    for group in groups:
        place = place[group]
    place[name] = value
    return changed


def test_the_default_study_can_work(study):
    check(study)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("lesion.k", 0, "lesion.k=0, expected 1 or more"),
        ("lesion.k", 52, r"lesion.k=52 for resnet, .* 51 may be deleted .* expected 1\.\.51"),
        ("lesion.duplications", 52, r"lesion.duplications=52 .* 1\.\.51"),
        ("lesion.k", "20", "lesion.k='20', expected a whole number"),
        ("lesion.kk", 3, "unknown parameter lesion.kk"),
        ("paths.weights_of", 55, r"paths.weights_of=55, expected 0\.\.54"),
        ("lesion.networks", "resnet,other", "'other' is not trained"),
        ("networks", ["resnet", "other"], "network 'other', expected one of resnet"),
        ("networks", [], r"networks=\[\], expected a list"),
        ("networks", ["resnet", "resnet"], "without repetitions"),
        ("seeds", [-1], "seeds=.-1., expected numbers of 0 or more"),
        ("seeds", 0, "seeds=0, expected a list"),
        ("name", "a/b", "name='a/b'"),
        ("networks", ["res net"], "networks='res net', expected letters"),
        ("data.title", "$(touch x)", r"data.title='\$\(touch x\)', expected text without '\$'"),
        ("data.title", "`id`", "without '`', which means something to the shell"),
        ("data.title", 'the "best"', "without '\"'"),
        ("data.title", "two\nlines", r"without '\\n'"),
        ("data.source", "folder:a\\", "data.source=.*expected text without"),
        ("data.source", "mnist", "expected digits, tfds:NAME or folder:PATH"),
        ("data.source", "folder:not-there", "folder:not-there, which is not a folder"),
        ("data.validation_fraction", 1.0, "validation_fraction=1.0, expected below 1"),
        ("data.storage", "disk", "data.storage='disk'"),
        ("train.epochs", 0, "train.epochs=0, expected 1 or more"),
        ("train.learning_rate", "1e-1", "write 1.0e-4"),
        ("train.schedule", "step", "schedule='step', expected one of"),
        ("train.snapshots", "0,99", "snapshot at epoch 99 of 30"),
        ("train.snapshots", "a", "whole numbers"),
        ("train.precision", "float16", "precision='float16'"),
        ("network.resnet.depth", 111, "network.resnet: Received depth=111"),
        ("network.resnet", 5, "network.resnet=5, expected its flags"),
        ("network", 5, "network=5, expected networks by name"),
        ("network.resnet", {"model": "keras:no.keras"}, "network.resnet: .* no file no.keras"),
        (
            "network.resnet",
            {"model": "application:ResNet50V9"},
            "application:ResNet50V9, expected the name of a network in keras.applications",
        ),
        (
            "network.resnet",
            {"model": "application:ResNet50", "weights": "best"},
            "weights='best', expected one of imagenet, random",
        ),
        (
            "network.resnet",
            {"model": "application:ResNet50", "depth": 50},
            "network.resnet.depth for a network that is given, expected model and weights alone",
        ),
        ("network.resnet", {"model": "keras:a b.keras"}, "a name without blanks and quotes"),
        ("data.validation_fraction", float("nan"), "validation_fraction=nan, expected a number"),
        ("lesion.error_margin", 1.0, "error_margin=1.0, expected below 1"),
        ("lesion.precision", "float16", "lesion.precision='float16', expected one of"),
        ("ensemble.members", -1, "ensemble.members=-1, expected 0 or more"),
        ("ensemble.members", 11, r"ensemble.members=11, expected 0\.\.10"),
        ("ensemble.depth", 21, "ensemble: Received depth=21 for model=resnet, expected 6n"),
        ("network.resnet.width", 2, "unknown parameter network.resnet.width"),
        (
            "network.vgg.gating",
            "effective_paths",
            "network.vgg: Received gating=effective_paths for model=vgg, expected none",
        ),
        ("network.resnet_effective_paths.modules_per_batch", 55, r"expected 1\.\.54"),
    ],
)
def test_what_cannot_work_is_refused(study, path, value, message):
    with pytest.raises(ValueError, match=message):
        check(change(study, path, value))


@pytest.mark.parametrize("depth", [8, 14])
def test_a_network_too_shallow_to_be_reordered_is_refused(study, depth):
    study = change(study, "network.resnet.depth", depth)
    study["lesion"] |= {"k": 1, "duplications": 1}
    with pytest.raises(ValueError, match="in which no two modules can change places, expected"):
        check(study)
    check(change(study, "network.resnet.depth", 20))


def test_a_missing_parameter_is_named(study):
    del study["lesion"]["swaps"]
    with pytest.raises(ValueError, match=r"parameter lesion\.swaps is missing"):
        check(study)
