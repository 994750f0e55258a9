"""The schema, the studies, params.yaml, dvc.yaml and the flags of programs say the same."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml

from examples import pretrained_resnets
from pipelines import check, reference, study
from pipelines.compose import compose
from residual_ensembles import parameters
from tests.helpers import unraveled_networks as networks
from tests.helpers.clones import Clone

ROOT = Path(__file__).parents[2]
STUDIES = sorted(p.stem for p in (ROOT / "pipelines/conf/study").glob("*.yaml"))
STUDIES = [name for name in STUDIES if name not in ("base", "defaults")]


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def stages():
    return yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def composed(tmp_path, *overrides):
    compose(tmp_path / "params.yaml", list(overrides))
    return study.load(tmp_path / "params.yaml")


def test_generated_files_are_not_stale():
    assert reference.DEFAULTS.read_text() == reference.defaults(), "python -m pipelines.reference"
    assert reference.PAGE.read_text() == reference.page(), "python -m pipelines.reference"


def test_params_yaml_is_the_composition_of_the_default_study(tmp_path):
    assert composed(tmp_path) == study.load()
    assert (tmp_path / "params.yaml").read_text() == Path("params.yaml").read_text()


EXTERNAL = {
    "own": {"own": networks.digits_net},
    "cifar10_pretrained": {
        f"resnet{depth}": partial(pretrained_resnets.resnet, depth) for depth in (20, 32, 44, 56)
    },
}
"""Networks of studies whose files somebody has to bring."""


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_complete_and_valid(tmp_path, name):
    overrides = [f"study={name}"]
    if name.startswith("cifar10_"):
        overrides.append(f"data.source=folder:{tmp_path}")
    for network, build in EXTERNAL.get(name, {}).items():
        build().save(tmp_path / f"{network}.keras")
        overrides.append(f"network.{network}.model=keras:{tmp_path / network}.keras")
    result = composed(tmp_path, *overrides)
    check.check(result)
    assert result.name == name


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_a_header(name):
    header = (ROOT / f"pipelines/conf/study/{name}.yaml").read_text().split("defaults:")[0]
    for word in ("Command:", "Hardware:", "Expected:"):
        assert word in header


def test_the_study_own_has_the_defaults_of_the_program(tmp_path):
    result = composed(tmp_path, "study=own").model_dump()
    for section, values in parameters.EXTERNAL_STUDY.items():
        own = parameters.SECTIONS[section](**values).model_dump()
        assert result[section] | {"networks": ()} == own | {"networks": ()}


def test_a_refused_composition_changes_nothing(tmp_path):
    (tmp_path / "params.yaml").write_text("as it was")
    for overrides, named in (
        (["study=mnist"], "mnist"),
        (["lesion.kk=3"], "kk"),
        (["+lesion.kk=3"], "lesion.kk"),
        (["lesion.k=0"], "lesion.k=0"),
    ):
        with pytest.raises(ValueError, match=named):
            compose(tmp_path / "params.yaml", overrides)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["as it was"]


def test_no_parameter_is_in_a_command():
    for name, stage in stages().items():
        assert stage["cmd"] == f"python -m pipelines.{name}"
        assert f"pipelines/{name}.py" in stage["deps"]
    text = (ROOT / "dvc.yaml").read_text()
    assert set(re.findall(r"\$\{(.*?)\}", text)) == {"name"}


def test_a_stage_declares_the_sections_that_it_reads():
    for name, stage in stages().items():
        source = (ROOT / f"pipelines/{name}.py").read_text()
        for function, file in (("write_lesions", "lesions"), ("write_gradients", "gradients")):
            if f"stages.{function}" in source:
                source += (ROOT / f"residual_ensembles/stages/{file}.py").read_text()
        listed = stage.get("params", [])
        if "study.runs" in source:
            assert {"networks", "seeds"} <= set(listed), name
        for section in parameters.SECTIONS:
            if re.search(rf"study\.{section}\b", source) and name not in ("check", "report"):
                assert section in listed, (name, section)


def test_every_stage_stays_in_the_project_and_depends_on_the_check():
    for name, stage in stages().items():
        assert stage["wdir"] == "results/${name}/../.."
        assert (ROOT / stage["vars"][0]).is_file()
        if name not in ("check", "figures", "report"):  # these two read what others made
            assert "results/${name}/checked.txt" in stage["deps"], name


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("", "without parameters"),
        ("- a", "without parameters"),
        ("a: [", "YAML"),
        ("a: !!python/object/apply:os.system ['touch y']", "YAML"),
        ("name: a", "parameter network"),
        (None, r"params\.yaml"),
    ],
)
def test_files_without_a_study_are_refused(tmp_path, written, named):
    if written is not None:
        (tmp_path / "params.yaml").write_text(written)
    with pytest.raises(ValueError, match=named):
        study.load(tmp_path / "params.yaml")


def test_a_new_parameter_is_one_line_and_its_use(tmp_path):
    clone = Clone(tmp_path, {"tiny": ""})
    schema = clone.folder / "residual_ensembles/parameters.py"
    before = schema.read_text()
    line = '    k: int = parameter(20, "largest'
    new = '    patience: int = parameter(3, "how long to wait", "days", ge=1, le=9)\n'
    schema.write_text(before.replace(line, new + line, 1))

    clone.run("python", "-m", "pipelines.compose")
    assert yaml.safe_load((clone.folder / "params.yaml").read_text())["lesion"]["patience"] == 3
    shown = clone.run("python", "-m", "residual_ensembles.lesions", "--help")
    assert "how long to wait [days]" in shown
    assert "--patience" in shown
    clone.run("python", "-m", "pipelines.compose", "lesion.patience=7")
    use = "from pipelines import study; print(study.load().lesion.patience)"
    assert clone.run("python", "-c", use) == "7\n"
    refused = clone.run("python", "-m", "pipelines.compose", "lesion.patience=10", succeeds=False)
    assert refused == "error: Received lesion.patience=10, expected at most 9.\n"
    clone.run("python", "-m", "pipelines.reference")
    page = (clone.folder / "docs/reference/parameters.md").read_text()
    assert "| `patience` | `3` | 1 or more, at most 9 | days | how long to wait |" in page


def test_the_page_is_printed_without_a_network():
    words = [sys.executable, "-c", "import sys, pipelines.reference; print(*sys.modules)"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert not {"keras", "tensorflow", "jax"} & set(done.stdout.split())
