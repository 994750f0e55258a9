import json

import numpy as np
import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.analysis.tables import Run, deleted
from residual_ensembles.paths.study import gradient_tables
from residual_ensembles.storage.columns import (
    GATE_COLUMNS,
    LESION_COLUMNS,
    MODULE_IMPORTANCE_COLUMNS,
)


@pytest.mark.parametrize(
    ("lesion", "modules"),
    [
        ("delete 3,7", (3, 7)),
        ("delete 12", (12,)),
        ("swap 4-9,5-7", ()),
        ("delete 3; swap 4-9; duplicate 5", (3,)),
        ("intact", ()),
    ],
)
def test_deleted_modules_are_read_off_a_lesion(lesion, modules):
    assert deleted(lesion) == modules


def test_a_study_is_read(study):
    tables = read_tables(study)
    assert tables.study == "digits"
    assert tables.dataset_title == "Digits (scikit-learn)"
    assert tables.plain == ("resnet",)
    assert tables.named(("vgg",)) == ("vgg",)
    assert tables.named(("resnet",), "stochastic_depth") == ("resnet_stochastic_depth",)
    assert tables.n_modules("resnet") == 54
    assert tables.n_modules("vgg") == 12
    assert tables.downsampling("resnet") == (19, 37)
    assert tables.downsampling("vgg") == ()
    assert tables.n_classes("vgg") == 10
    assert not tables.is_imagenet


def test_predictions_agree_with_the_table(study):
    tables = read_tables(study)
    rows = tables.lesions[tables.lesions.network == "vgg"]
    assert list(tables.wrong("vgg", 0).sum(axis=1)) == list(rows.n_wrong)
    assert tables.wrong("vgg", 7) is None


def test_a_run_names_its_own_downsampling_modules_and_classes(tmp_path):
    run = tmp_path / "networks" / "resnet-0" / "run.json"
    run.parent.mkdir(parents=True)
    facts = {"model": "resnet_bottleneck", "n_modules": 66, "downsampling": [4, 28, 64]}
    facts["dataset"] = {"name": "imagenet2012", "n_classes": 1000}
    run.write_text(json.dumps(facts))
    row = dict.fromkeys(LESION_COLUMNS, 0) | {"network": "resnet", "lesion": "intact"}
    pd.DataFrame([row]).to_csv(tmp_path / "lesions.csv", index=False)
    tables = read_tables(tmp_path)
    assert tables.downsampling("resnet") == (4, 28, 64)
    assert tables.n_classes("resnet") == 1000
    assert tables.plain == ("resnet",)
    assert tables.is_imagenet
    assert tables.dataset_title == "imagenet2012"


def test_without_run_files_names_speak():
    run = Run("resnet_stochastic_depth", 0)
    assert (run.model, run.gating) == ("resnet", "stochastic_depth")
    assert (Run("vgg", 0).model, Run("vgg", 0).gating) == ("vgg", "none")


def test_an_empty_folder_is_an_empty_study(tmp_path):
    tables = read_tables(tmp_path)
    assert tables.networks == ()
    assert list(tables.lesions.columns) == LESION_COLUMNS
    assert tables.dataset_title == tmp_path.name


def test_gates_of_single_networks_are_joined(tmp_path, study):
    lesions = pd.read_csv(study / "lesions.csv")
    lesions.to_csv(tmp_path / "lesions.csv", index=False)
    run = tmp_path / "networks" / "highway-0"
    run.mkdir(parents=True)
    gates = pd.read_csv(study / "networks/highway-0/gates.csv")
    gates.to_csv(run / "gates.csv", index=False)
    pd.testing.assert_frame_equal(read_tables(tmp_path).gates, gates)


def test_networks_that_are_not_in_the_table_do_not_count(study, tmp_path):
    lesions = pd.read_csv(study / "lesions.csv")
    lesions[lesions.network == "vgg"].to_csv(tmp_path / "lesions.csv", index=False)
    (tmp_path / "networks" / "resnet-0").mkdir(parents=True)
    assert read_tables(tmp_path).networks == ("vgg",)


def test_a_missing_study_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        read_tables(tmp_path / "nowhere")


def test_a_table_of_another_shape_is_refused(tmp_path):
    pd.DataFrame({"network": ["a"], "seed": [0]}).to_csv(tmp_path / "lesions.csv", index=False)
    with pytest.raises(ValueError, match=r"lesions\.csv .*sweep"):
        read_tables(tmp_path)


@pytest.mark.parametrize("name", ["NA", "nan", "null", "None", "1", "1e3", "007", "True", "-inf"])
def test_a_network_may_be_called_like_a_number_or_nothing(tmp_path, name):
    row = dict.fromkeys(LESION_COLUMNS, 0) | {
        "network": name,
        "lesion": "intact",
        "sweep": "intact",
    }
    pd.DataFrame([row]).to_csv(tmp_path / "lesions.csv", index=False)
    gates = dict.fromkeys(GATE_COLUMNS, 0) | {"network": name}
    run = tmp_path / "networks" / f"{name}-0" / "run.json"
    run.parent.mkdir(parents=True)
    run.write_text('{"model": "resnet", "n_modules": 9}')
    pd.DataFrame([gates]).to_csv(run.with_name("gates.csv"), index=False)
    tables = read_tables(tmp_path)
    assert tables.networks == (name,)
    assert tables.plain == (name,)
    assert tables.n_modules(name) == 9
    assert len(tables.sweep(name, "intact")) == 1
    assert list(tables.gates.network) == [name]


OLDER = {
    "exactness.csv": b"network,seed,n_redone,n_beyond\n",
    "path_gradients.csv": ",".join(gradient_tables.COLUMNS[""]).encode()
    + b"\n"
    + b"a,0,1,exact,picture\n",
    "worth.csv": b"network,seed,module\n",
    "networks/a-0/run.json": b'{"model": "unravelled"}',
}


@pytest.mark.parametrize(("name", "content"), OLDER.items())
def test_results_of_an_older_format_are_refused(tmp_path, name, content):
    row = dict.fromkeys(LESION_COLUMNS, 0) | {"network": "a"}
    pd.DataFrame([row]).to_csv(tmp_path / "lesions.csv", index=False)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"older format.*dvc repro"):
        read_tables(tmp_path)


def test_what_an_older_study_left_beside_new_results_does_not_count(tmp_path, study):
    pd.read_csv(study / "lesions.csv").to_csv(tmp_path / "lesions.csv", index=False)
    (tmp_path / "worth.csv").write_bytes(OLDER["worth.csv"])
    importance = pd.DataFrame(columns=MODULE_IMPORTANCE_COLUMNS)
    importance.to_csv(tmp_path / "module_importance.csv", index=False)
    assert read_tables(tmp_path).module_importance.empty


@pytest.mark.parametrize("cell", ["", "nan"])
def test_missing_numbers(tmp_path, cell):
    row = dict.fromkeys(LESION_COLUMNS, 0) | {"network": "a", "kendall_tau": cell}
    pd.DataFrame([row]).to_csv(tmp_path / "lesions.csv", index=False)
    assert read_tables(tmp_path).lesions.kendall_tau.isna().all()


HEADER = ",".join(LESION_COLUMNS).encode()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"lesions\.csv"),
        (b"\xff\xfe\x00", r"lesions\.csv"),
        (HEADER + b'\n"a', r"lesions\.csv"),
        (HEADER + b"\na,0,s,0,l,1,1,9,1,0.2", r"lesions\.csv"),
        (
            HEADER + b"\na,0,s,0,l,1,1,9,many,0,0,0\n",
            r"'many' .*n_wrong",
        ),
        (HEADER + b"\na,,s,0,l,1,1,9,1,0,0,0\n", "seed"),
        (HEADER + b"\n,0,s,0,l,1,1,9,1,0,0,0\n", "network"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, content, match):
    (tmp_path / "lesions.csv").write_bytes(content)
    with pytest.raises(ValueError, match=match):
        read_tables(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "5", '{"dataset": "digits"}', '{"n_modules": "54"}', '{"depth": 1.5}'),
        *('{"downsampling": 4}', '{"hardware": [1]}', '{"dataset": {"n_classes": "10"}}'),
    ],
)
def test_damaged_facts_are_named(tmp_path, text):
    row = dict.fromkeys(LESION_COLUMNS, 0) | {"network": "a"}
    pd.DataFrame([row]).to_csv(tmp_path / "lesions.csv", index=False)
    (tmp_path / "networks" / "a-0").mkdir(parents=True)
    (tmp_path / "networks" / "a-0" / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json"):
        read_tables(tmp_path)


def test_a_damaged_table_of_costs_is_named(tmp_path):
    (tmp_path / "cost.csv").write_text("program,seconds\ntrain,2.5\ntotal,3.5\n")
    assert read_tables(tmp_path).seconds == 3.5
    (tmp_path / "cost.csv").write_text("")
    with pytest.raises(ValueError, match=r"cost\.csv"):
        _ = read_tables(tmp_path).seconds


def test_damaged_predictions_are_named(tmp_path, study):
    lesions = pd.read_csv(study / "lesions.csv")
    lesions.to_csv(tmp_path / "lesions.csv", index=False)
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "vgg-0.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"vgg-0\.npz"):
        read_tables(tmp_path).wrong("vgg", 0)


def test_seconds_count_where_they_are_of_the_same_training(tmp_path):
    row = dict.fromkeys(LESION_COLUMNS, 0) | {"network": "a"}
    pd.DataFrame([row]).to_csv(tmp_path / "lesions.csv", index=False)
    folder = tmp_path / "networks" / "a-0"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"fingerprint": "f"}')
    for fingerprint, seconds in {"f": 3.5, "another": None}.items():
        times = {"fingerprint": fingerprint, "seconds_training": 3.5}
        (folder / "times.json").write_text(json.dumps(times))
        assert read_tables(tmp_path).runs[0].facts.get("seconds_training") == seconds


def test_wrong_needs_labels(tmp_path, study):
    lesions = pd.read_csv(study / "lesions.csv")
    lesions.to_csv(tmp_path / "lesions.csv", index=False)
    (tmp_path / "predictions").mkdir()
    np.savez(tmp_path / "predictions" / "vgg-0.npz", predictions=np.zeros((13, 4)))
    assert read_tables(tmp_path).wrong("vgg", 0) is None
