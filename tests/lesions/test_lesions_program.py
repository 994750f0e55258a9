"""`python -m residual_ensembles.lesions`: from the file of a network to its page."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from residual_ensembles import data, models
from residual_ensembles.stages.external import check_fits
from residual_ensembles.unraveling import load, unravel
from tests.helpers import programs


def small_net(shape=(8, 8, 1), classes=10):
    """Three modules for digits, one of which downsamples."""
    x = keras.Input(shape, name="image")
    y = layers.Conv2D(8, 3, padding="same", name="stem")(layers.Rescaling(1 / 255)(x))
    for i, (width, strides) in enumerate([(8, 1), (12, 2), (12, 1)], start=1):
        f = layers.Conv2D(width, 3, strides, padding="same", activation="relu", name=f"conv{i}")(y)
        f = layers.BatchNormalization(name=f"norm{i}")(f)
        y = y if strides == 1 else layers.Conv2D(width, 1, strides, name=f"skip{i}")(y)
        y = layers.Add(name=f"add{i}")([y, f])
    y = layers.GlobalAveragePooling2D(name="pool")(y)
    return keras.Model(x, layers.Dense(classes, activation="softmax", name="out")(y), name="mine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    data.prepare("digits", folder / "digits", limit_train=200, limit_test=60)
    small_net().save(folder / "my net.keras")
    small_net(shape=(6, 6, 1)).save(folder / "other.keras")
    small_net(shape=(None, None, 1)).save(folder / "free.keras")
    (folder / "broken.keras").write_text("no network")
    (folder / "saved").mkdir()
    (folder / "saved" / "saved_model.pb").touch()
    return folder


def run(folder, *flags):
    flags = (f"--dataset={folder / 'digits'}", f"--output_dir={folder / 'out'}", *flags)
    return programs.run("residual_ensembles.lesions", *flags, folder=folder)


@pytest.mark.slow
def test_from_a_network_to_its_page(folder):
    flags = ["--k=2", "--draws=2", "--swaps=2", "--path_samples=4", "--path_batches=2", "--prune=1"]
    done = run(folder, f"--network={folder / 'my net.keras'}", *flags)
    assert done.returncode == 0, done.stderr
    out = folder / "out"
    assert "mine: 3 modules" in done.stdout
    assert done.stdout.splitlines()[-1] == f"the page: {out / 'report.html'}"
    lesions = pd.read_csv(out / "lesions.csv")
    assert set(lesions["network"]) == {"my_net"}
    assert (lesions["sweep"] == "single_deletion").sum() == 3
    run_facts = json.loads((out / "networks" / "my_net-0" / "run.json").read_text())
    assert run_facts["modules"] == ["add1", "add2", "add3"]
    assert run_facts["downsampling"] == [2]
    module_importance = pd.read_csv(out / "module_importance.csv")
    assert module_importance["name"].tolist() == ["add1", "add2", "add3"]
    assert len(pd.read_csv(out / "module_importance_ranks.csv")) == 4
    gradients = pd.read_csv(out / "path_gradients.csv")
    assert set(gradients["estimator"]) == {"exact", "sampled"}
    shares = gradients[(gradients["estimator"] == "exact") & (gradients["target"] == "y0")]
    assert shares["share_projected"].sum() == pytest.approx(1, abs=1e-5)
    page = (out / "report.html").read_text()
    assert "my_net" in page
    assert "Block influence" in page
    smaller = keras.models.load_model(out / "pruned.keras")
    pruned = pd.read_csv(out / "pruned.csv").set_index("version")
    assert smaller.count_params() == pruned.loc["pruned", "parameters"]
    part = data.load(folder / "digits").split("test")
    assert json.loads((out / "lesions_run.json").read_text())["tasks_by_node"]
    again = run(folder, f"--network={folder / 'my net.keras'}", *flags, f"--output_dir={out}2")
    assert again.returncode == 0, again.stderr
    for name in (
        "lesions",
        "exactness",
        "module_importance",
        "module_importance_ranks",
        "path_gradients",
        "pruned",
    ):
        assert (folder / "out2" / f"{name}.csv").read_bytes() == (out / f"{name}.csv").read_bytes()
    assert json.loads((folder / "out2" / "lesions_run.json").read_text())["tasks_by_node"] == {}
    wrong = (np.asarray(smaller(part.images(slice(None)))).argmax(1) != part.labels).mean()
    assert pruned.loc["pruned", "error_fraction"] == pytest.approx(wrong)


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("nowhere.keras", {}, r"nowhere\.keras"),
        (".", {}, "folder"),
        ("saved", {}, "SavedModel"),
        ("broken.keras", {}, r"broken\.keras"),
        ("my net.keras", {"boundaries": ["add9"]}, "add9"),
    ],
)
def test_a_file_that_cannot_be_taken_apart_is_refused(folder, name, options, named):
    with pytest.raises(ValueError, match=named):
        load(folder / name, **options)


def test_a_network_of_other_images_is_refused(folder):
    path, prepared = folder / "other.keras", data.load(folder / "digits")
    with pytest.raises(ValueError, match=r"other\.keras.*\(6, 6, 1\)"):
        check_fits(load(path), str(path), prepared)


def test_a_chain_is_loaded_as_it_is(folder):
    chain = unravel(small_net())
    models.save(chain, folder / "chain.keras")
    assert [m.title for m in load(folder / "chain.keras").modules] == ["add1", "add2", "add3"]


def test_a_missing_network_is_an_error_in_one_line(folder):
    done = run(folder, f"--network={folder / 'nowhere.keras'}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Received the network")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_sizes_that_are_free_are_those_of_the_data(folder):
    assert load(folder / "free.keras", image_shape=(8, 8, 1)).image_shape == (8, 8, 1)
    # What is not free stays, to be refused with both shapes.
    assert load(folder / "other.keras", image_shape=(8, 8, 1)).image_shape == (6, 6, 1)
    with pytest.raises(ValueError, match="input 'image'"):
        load(folder / "free.keras")


def test_too_many_modules_to_prune_are_refused_before_the_sweep(folder):
    done = run(folder, f"--network={folder / 'free.keras'}", "--prune=99")
    assert done.returncode == 1
    assert done.stderr == "error: Received n=99, expected 1 to 3.\n"
    assert not (folder / "out" / "lesions.csv").exists()
