"""params.yaml, the studies, dvc.yaml and the programs' flags are held together here."""

import re
from pathlib import Path

import pytest
import unravelled_networks as networks
import yaml

from pipelines import check, study
from pipelines.compose import compose

ROOT = Path(__file__).parents[2]
STUDIES = sorted(p.stem for p in (ROOT / "pipelines/conf/study").glob("*.yaml") if p.stem != "base")


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def stages():
    return yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def leaves(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_params_yaml_is_the_composition_of_the_default_study(tmp_path):
    compose(tmp_path / "params.yaml", [])
    assert study.load(tmp_path / "params.yaml") == study.load()


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_complete_and_can_work(tmp_path, name):
    overrides = [f"study={name}"]
    if name == "cifar10_jpeg":
        overrides.append(f"data.source=folder:{tmp_path}")
    if name == "own":
        networks.digits_net().save(tmp_path / "mine.keras")
        overrides.append(f"network.own.model=keras:{tmp_path / 'mine.keras'}")
    compose(tmp_path / "params.yaml", overrides)
    composed = study.load(tmp_path / "params.yaml")
    check.check(composed)
    assert composed["name"] == name


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_says_what_it_is(name):
    header = (ROOT / f"pipelines/conf/study/{name}.yaml").read_text().split("defaults:")[0]
    for word in ("Command:", "Hardware:", "Expected:"):
        assert word in header


def test_no_parameter_is_dead():
    used = set(re.findall(r"\$\{([a-z_.]+)\}", (ROOT / "dvc.yaml").read_text()))
    read = {"networks", "seeds"}  # by `pipelines.study`, and named under params
    for leaf in leaves(study.load()):
        assert leaf in used | read or leaf.startswith("network."), leaf


def test_each_parameter_is_a_flag_of_its_own():
    for name, stage in stages().items():
        for flag, value in re.findall(r'--([a-z_]+)="?\$\{([a-z_.]+)\}', stage["cmd"]):
            assert flag == value.split(".")[-1] or (flag, value) in {
                ("lesion_networks", "lesion.networks"),
                ("sampled_networks", "paths.networks"),
                ("network", "item.network"),
                ("seed", "item.seed"),
                ("study", "name"),
            }, (name, flag, value)


def test_a_stage_depends_on_the_code_it_runs():
    for name, stage in stages().items():
        for program in re.findall(r"python -m ([a-z_.]+)", stage["cmd"]):
            assert program.replace(".", "/") + ".py" in stage["deps"], name


def test_only_check_and_report_depend_on_everything():
    whole = [
        n for n, s in stages().items() if any(isinstance(p, dict) for p in s.get("params", []))
    ]
    assert whole == ["check", "report"]


def test_every_stage_waits_for_the_check():
    for name, stage in stages().items():
        if name not in ("check", "figures", "report"):  # these two read what others made
            assert "results/${name}/checked.txt" in stage["deps"], name


def test_flags_of_a_network():
    assert study.main(["flags", "vgg"]) == "--model=vgg --depth=15 --gating=none"
    assert study.main(["networks"]).startswith("resnet,")
    with pytest.raises(ValueError, match="network 'other'"):
        study.main(["flags", "other"])
    with pytest.raises(ValueError, match="expected networks, seeds or flags"):
        study.main([])


@pytest.mark.parametrize(
    ("written", "arguments", "message"),
    [
        ("seeds: 5", ["seeds"], "seeds=5, expected a list"),
        ("name: a", ["networks"], "networks=None, expected a list"),
        ("network: {5: {}}", ["flags", "other"], "network 'other', expected one of 5"),
        ("network: 5", ["flags", "other"], "network=5, expected networks by name"),
    ],
)
def test_parameters_of_another_kind_are_refused(tmp_path, monkeypatch, written, arguments, message):
    (tmp_path / "params.yaml").write_text(written)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        study.main(arguments)


def test_an_unknown_study_or_parameter_is_refused(tmp_path):
    with pytest.raises(ValueError, match="mnist"):
        compose(tmp_path / "params.yaml", ["study=mnist"])
    with pytest.raises(ValueError, match="kk"):
        compose(tmp_path / "params.yaml", ["lesion.kk=3"])
