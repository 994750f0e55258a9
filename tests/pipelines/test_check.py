"""What a study is refused for: by its parameters alone, and by a look at its data."""

import copy
from pathlib import Path

import pytest
import yaml

from pipelines.check import check
from pipelines.study import Study, load
from residual_ensembles.parameters import validated

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


def test_the_default_study_is_valid():
    check(load(ROOT / "params.yaml"))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("lesion.k", 0, "lesion.k=0, expected 1 or more"),
        ("lesion.k", 52, r"lesion.k=52 for resnet, .* 51 may be deleted .* expected 1\.\.51"),
        ("lesion.duplications", 52, r"lesion.duplications=52 .* 1\.\.51"),
        ("lesion.k", "20", "lesion.k='20', expected an integer"),
        ("lesion.k", 1.5, "lesion.k=1.5, expected an integer"),
        ("lesion.k", True, "lesion.k=True, expected an integer"),
        ("lesion.kk", 3, "unknown parameter lesion.kk, expected networks, k, swaps"),
        ("lesion", 3, "lesion=3, expected names with values"),
        ("paths.weights_of", 55, r"paths.weights_of=55, expected 0\.\.54"),
        ("lesion.networks", ["resnet", "other"], r"lesion.networks=\[.*no network 'other'"),
        ("lesion.networks", "resnet", "lesion.networks='resnet', expected a list"),
        ("networks", ["resnet", "other"], "no network 'other', expected some of resnet"),
        ("networks", [], r"networks=\[\], expected a list of at least 1"),
        ("networks", ["resnet", "resnet"], "without repetitions"),
        ("networks", ["res net"], "networks.0='res net', expected letters"),
        ("seeds", [-1], "seeds.0=-1, expected 0 or more"),
        ("seeds", [True], "seeds.0=True, expected an integer"),
        ("seeds", 0, "seeds=0, expected a list"),
        ("name", "a/b", "name='a/b', expected letters, digits, _ and -"),
        ("name", "a" * 101, "name='aaa.*expected at most 100 characters"),
        ("data.title", "two\nlines", "expected one line of printable characters"),
        ("data.source", "mnist", "expected digits, tfds:NAME or folder:PATH"),
        ("data.validation_fraction", 1.0, r"validation_fraction=1.0, expected below 1"),
        ("data.validation_fraction", float("nan"), "validation_fraction=nan, expected a number"),
        ("data.storage", "disk", "data.storage='disk', expected one of auto, arrays, records"),
        ("train.epochs", 0, "train.epochs=0, expected 1 or more"),
        ("train.learning_rate", "1e-1", "write 1.0e-4"),
        ("train.learning_rate", 0.0, "expected more than 0"),
        ("train.schedule", "step", "schedule='step', expected one of paper, cosine, imagenet"),
        ("train.snapshots", [0, 99], "snapshot at epoch 99 of 30"),
        ("train.snapshots", "0,5", "train.snapshots='0,5', expected a list"),
        ("train.precision", "float16", "precision='float16'"),
        ("network.resnet.depth", 111, "network.resnet: Received depth=111"),
        ("network.resnet", 5, "network.resnet=5, expected names with values"),
        ("network", 5, "network=5, expected names with values"),
        (
            "network.resnet",
            {"model": "application:X", "depth": 50},
            "parameter network.resnet.depth",
        ),
        (
            "network.resnet",
            {"model": "application:X", "weights": "best"},
            "one of imagenet, random",
        ),
        ("network.resnet.weights", "random", "unknown parameter network.resnet.weights"),
        ("lesion.ci_half_width", 1.0, "ci_half_width=1.0, expected below 1"),
        ("lesion.precision", "float16", "lesion.precision='float16', expected one of"),
        ("ensemble.members", -1, "ensemble.members=-1, expected 0 or more"),
        ("ensemble.members", 11, "ensemble.members=11, expected at most 10"),
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
def test_invalid_parameters_are_refused_in_one_line(study, path, value, message):
    with pytest.raises(ValueError, match=message) as refused:
        validated(Study, change(study, path, value))
    assert "\n" not in str(refused.value)


def test_each_wrong_parameter_is_named(study):
    study["lesion"] |= {"k": 0, "kk": 1}
    study["train"]["epochs"] = "many"
    with pytest.raises(ValueError, match=r"train\.epochs=.*lesion\.k=0.*lesion\.kk"):
        validated(Study, study)


@pytest.mark.parametrize("depth", [8, 14])
def test_a_network_too_shallow_to_be_reordered_is_refused(study, depth):
    study = change(study, "network.resnet.depth", depth)
    study["lesion"] |= {"k": 1, "duplications": 1}
    with pytest.raises(ValueError, match="in which no two modules can change places, expected"):
        validated(Study, study)
    validated(Study, change(study, "network.resnet.depth", 20))


def test_a_missing_parameter_is_named(study, tmp_path):
    del study["lesion"]["swaps"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(study))
    with pytest.raises(
        ValueError, match=r"parameter lesion\.swaps is missing .*pipelines\.compose"
    ):
        load(tmp_path / "params.yaml")
    del study["seeds"]
    with pytest.raises(ValueError, match="parameter seeds is missing"):
        validated(Study, study)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("data.source", "folder:not-there", "folder:not-there, which is not a folder"),
        (
            "network.resnet",
            {"model": "keras:no.keras"},
            "network.resnet: .* no.keras, which is not there",
        ),
        (
            "network.resnet",
            {"model": "application:ResNet50V9"},
            "application:ResNet50V9, expected the name of a network in keras.applications",
        ),
    ],
)
def test_missing_files_are_refused_by_the_first_stage(study, path, value, message):
    with pytest.raises(ValueError, match=message):
        check(validated(Study, change(study, path, value)))
