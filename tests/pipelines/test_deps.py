"""The code that stages depend on, in dvc.yaml."""

from pathlib import Path

import pytest
import yaml

from pipelines import deps

PIPELINE = (Path(deps.__file__).parents[1] / "dvc.yaml").read_text()
STAGE = """\
# From images to page.
stages:
  explorer:
    cmd: python -m {program} --output=page.html  # as a page
    deps:
    - data/prepared/${{name}}
{code}    params:
    - networks
    outs:
    - page.html

plots:
- deps:
"""


def test_dvc_yaml_is_not_stale():
    assert deps.with_code(PIPELINE) == PIPELINE, "to be written anew: python -m pipelines.deps"


@pytest.mark.parametrize("code", ["", "    - pipelines/gone.py\n    - residual_ensembles/gone\n"])
def test_only_code_dependencies_are_rewritten(code):
    result = deps.with_code(STAGE.format(program="residual_ensembles.storage.columns", code=code))
    expected = "    - residual_ensembles/storage/columns.py\n"
    assert result == STAGE.format(program="residual_ensembles.storage.columns", code=expected)


def places(stage: str) -> list[str]:
    """What a stage of the project depends on."""
    return yaml.safe_load(PIPELINE)["stages"][stage]["deps"]


def test_packages_replace_most_of_their_files():
    assert "residual_ensembles/report/explorer" in places("explorer")  # with its pages
    assert not any(
        place.startswith("residual_ensembles/report/explorer/") for place in places("explorer")
    )
    assert "residual_ensembles/pruning" not in places("path_gradients")
    assert "residual_ensembles/parameters.py" not in PIPELINE  # `params` names their values


def test_stages_that_load_networks_depend_on_every_class():
    for stage in ("lesion_study", "path_gradients", "explorer"):
        assert "residual_ensembles/unraveling" in places(stage)
    for stage in ("figures", "report", "prepare"):
        assert not any("unraveling" in place for place in places(stage))


def test_data_files_of_a_package_are_dependencies():
    package = deps.LIBRARY / "figures"
    (table,) = (file for file in deps._data_files(package, True) if file.suffix == ".csv")
    assert table.name == "veit2016.csv"
