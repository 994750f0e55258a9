"""Studies that are refused: for their parameters alone, and after a look at their data."""

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
    ("path", "value", "named"),
    [
        ("lesion.k", 0, "lesion.k=0"),
        ("lesion.k", 52, "lesion.k=52 for resnet"),
        ("lesion.duplications", 52, "lesion.duplications=52"),
        ("lesion.k", "20", "lesion.k='20'"),
        ("lesion.k", 1.5, "lesion.k=1.5"),
        ("lesion.k", True, "lesion.k=True"),
        ("lesion.kk", 3, "parameter lesion.kk"),
        ("lesion", 3, "lesion=3"),
        ("paths.weights_of_module", 55, "paths.weights_of_module=55"),
        ("lesion.networks", ["resnet", "other"], "lesion.networks=.*'other'"),
        ("lesion.networks", "resnet", "lesion.networks='resnet'"),
        ("networks", ["resnet", "other"], "networks=.*'other'"),
        ("networks", [], r"networks=\[\]"),
        ("networks", ["resnet", "resnet"], "networks=.*repetitions"),
        ("networks", ["res net"], "networks.0='res net'"),
        ("seeds", [-1], "seeds.0=-1"),
        ("seeds", [True], "seeds.0=True"),
        ("seeds", 0, "seeds=0"),
        ("name", "a/b", "name='a/b'"),
        ("name", "a" * 101, "name='aaa"),
        ("data.title", "two\nlines", "data.title="),
        ("data.source", "mnist", "data.source='mnist'"),
        ("data.validation_fraction", 1.0, "data.validation_fraction=1.0"),
        ("data.validation_fraction", float("nan"), "data.validation_fraction=nan"),
        ("data.storage", "disk", "data.storage='disk'"),
        ("train.epochs", 0, "train.epochs=0"),
        ("train.learning_rate", "1e-1", "train.learning_rate='1e-1'"),
        ("train.learning_rate", 0.0, "train.learning_rate=0.0"),
        ("train.schedule", "step", "train.schedule='step'"),
        ("train.snapshots", [0, 99], "epoch 99 of 30"),
        ("train.snapshots", "0,5", "train.snapshots='0,5'"),
        ("train.precision", "float16", "train.precision='float16'"),
        ("network.resnet.depth", 111, "network.resnet: .*depth=111"),
        ("network.resnet", 5, "network.resnet=5"),
        ("network", 5, "network=5"),
        (
            "network.resnet",
            {"model": "application:X", "depth": 50},
            "parameter network.resnet.depth",
        ),
        (
            "network.resnet",
            {"model": "application:X", "weights": "best"},
            "network.resnet.weights='best'",
        ),
        ("network.resnet.weights", "random", "parameter network.resnet.weights"),
        ("lesion.ci_half_width", 1.0, "lesion.ci_half_width=1.0"),
        ("lesion.precision", "float16", "lesion.precision='float16'"),
        ("ensemble.members", -1, "ensemble.members=-1"),
        ("ensemble.members", 11, "ensemble.members=11"),
        ("ensemble.depth", 21, "ensemble: .*depth=21"),
        ("network.resnet.width", 2, "parameter network.resnet.width"),
        ("network.vgg.gating", "effective_paths", "network.vgg: .*gating=effective_paths"),
        ("network.resnet_effective_paths.modules_per_batch", 55, "modules_per_batch=55"),
    ],
)
def test_invalid_parameters_are_refused_in_one_line(study, path, value, named):
    with pytest.raises(ValueError, match=named) as refused:
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
    with pytest.raises(ValueError, match=r"network\.resnet\.depth="):
        validated(Study, study)
    validated(Study, change(study, "network.resnet.depth", 20))


def test_a_missing_parameter_is_named(study, tmp_path):
    del study["lesion"]["swaps"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(study))
    with pytest.raises(ValueError, match=r"parameter lesion\.swaps is missing"):
        load(tmp_path / "params.yaml")
    del study["seeds"]
    with pytest.raises(ValueError, match="parameter seeds"):
        validated(Study, study)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("data.source", "folder:not-there", "folder:not-there"),
        ("network.resnet", {"model": "keras:no.keras"}, "network.resnet: .*no.keras"),
        ("network.resnet", {"model": "application:ResNet50V9"}, "application:ResNet50V9"),
    ],
)
def test_missing_files_are_refused_by_the_first_stage(study, path, value, named):
    with pytest.raises(ValueError, match=named):
        check(validated(Study, change(study, path, value)))
