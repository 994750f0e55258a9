"""A study of a network that is given: the stages, run as DVC runs them, and nothing is trained."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

from pipelines.check import check
from pipelines.study import Study
from residual_ensembles import data, models
from residual_ensembles.parameters import ExternalNetwork, validated
from residual_ensembles.stages import write_external_run
from residual_ensembles.training import Outputs
from residual_ensembles.unraveling.external import build_untrained, load_external
from tests.helpers import programs, small_studies
from tests.helpers import unraveled_networks as networks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    data.prepare("digits", folder / "prepared", limit_train=150, limit_test=50)
    keras.utils.set_random_seed(3)
    networks.digits_net().save(folder / "mine.keras")
    return folder


def test_the_folder_has_the_files_of_a_trained_network(folder):
    prepared, place = data.load(folder / "prepared"), Outputs(folder / "published")
    own = ExternalNetwork(model=f"keras:{folder / 'mine.keras'}")
    run = write_external_run(prepared, own, 0, place, "mine")
    chain, split = models.load(place.model), prepared.split("test")
    outputs = np.asarray(keras.models.load_model(folder / "mine.keras")(split.images(slice(None))))
    np.testing.assert_allclose(chain(split.images(slice(None))), outputs, atol=1e-5)
    assert run["test_error_fraction"] == pytest.approx((outputs.argmax(1) != split.labels).mean())
    assert (run["model"], run["modules"]) == ("unraveled", ["add1", "add2", "add3", "add4"])
    before = place.model.stat().st_mtime_ns
    assert write_external_run(prepared, own, 0, place, "mine") == run
    assert place.model.stat().st_mtime_ns == before  # found finished
    history = pd.read_csv(place.history)
    assert history["epoch"].tolist() == [1]


def test_boundaries_of_the_study_cut_the_network(folder):
    model = f"keras:{folder / 'mine.keras'}"
    own = ExternalNetwork(model=model, boundaries=["add2", "add4"])
    for chain in (load_external(own, (8, 8, 1), 10), build_untrained(own, (8, 8, 1))):
        assert [module.title for module in chain.modules] == ["add2", "add4"]
    prepared, place = data.load(folder / "prepared"), Outputs(folder / "published")
    write_external_run(prepared, ExternalNetwork(model=model), 0, place, "mine")
    assert write_external_run(prepared, own, 0, place, "mine")["modules"] == ["add2", "add4"]


def test_an_application_takes_unscaled_images():
    own = ExternalNetwork(model="application:MobileNetV2", weights="random")
    chain = load_external(own, (32, 32, 3), 7)
    assert chain.modules[0].title == "mobilenetv2_1.00_32/block_2_add"
    assert (len(chain.modules), chain.output_shapes) == (10, [(7,)])
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    inner = chain.network.get_layer("mobilenetv2_1.00_32")
    expected = inner(images / np.float32(127.5) - 1)
    np.testing.assert_allclose(chain(images), expected, rtol=1e-4, atol=1e-6)


def own_study(model, **changes):
    """Returns the parameters of a study of one external network."""
    own = {"networks": ["own"], "network": {"own": {"model": f"keras:{model}"}}}
    own["lesion"] = {"networks": ["own"], **changes.pop("lesion", {})}
    own["paths"] = {"networks": ["own"], **changes.pop("paths", {})}
    return {**own, **changes}


def checked(changes):
    check(validated(Study, small_studies.parameters(**changes)))


@pytest.mark.parametrize(
    ("group", "name", "value", "named"),
    [
        ("lesion", "k", 4, "lesion, for own .*k=4"),
        ("lesion", "duplications", 4, "lesion, for own .*duplications=4"),
        ("lesion", "prune", 5, r"lesion\.prune, for own.*n=5"),
        ("paths", "weights_of_module", 5, r"paths\.weights_of_module=5"),
        ("data", "resize", 16, r"network\.own: .*\(16, 16, 1\)"),
    ],
)
def test_what_does_not_fit_the_network_is_refused_before_anything_runs(
    folder, group, name, value, named
):
    checked(own_study(folder / "mine.keras"))
    with pytest.raises(ValueError, match=named):
        checked(own_study(folder / "mine.keras", **{group: {name: value}}))


def test_a_network_that_cannot_be_cut_is_refused_before_anything_runs(folder, tmp_path):
    networks.sequential_net().save(tmp_path / "plain.keras")
    params = own_study(tmp_path / "plain.keras", data={"source": f"folder:{tmp_path}"})
    with pytest.raises(ValueError, match=r"network\.own: Received vgg"):
        checked(params)


def test_unknown_image_sizes_are_accepted(folder, tmp_path):
    x = keras.Input((None, None, 3), name="image")
    y = keras.layers.Conv2D(4, 3, padding="same", name="stem")(x)
    for i in range(3):
        f = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(y)
        y = keras.layers.Add(name=f"add{i}")([y, f])
    y = keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(y))
    keras.Model(x, y, name="free").save(tmp_path / "free.keras")
    data = {"source": f"folder:{tmp_path}"}
    checked(own_study(tmp_path / "free.keras", data=data))
    with pytest.raises(ValueError, match=r"lesion, for own .*k=3"):
        checked(own_study(tmp_path / "free.keras", data=data, lesion={"k": 3}))


@pytest.mark.slow
def test_the_stages_of_a_study_of_ones_own(folder):
    paths = {"samples": 4, "batches": 2, "batch_size": 4}
    params = own_study(folder / "mine.keras", paths=paths, ensemble={"members": 0})
    results = small_studies.write(folder, folder / "prepared", **params)
    stages = ("check", "train", "lesion_study", "ensemble", "path_gradients", "explorer")
    for stage in (*stages, "figures", "report"):
        programs.succeed(f"pipelines.{stage}", folder=folder)
    assert pd.read_csv(results / "module_importance.csv")["name"].tolist() == [
        "add1",
        "add2",
        "add3",
        "add4",
    ]
    assert pd.read_csv(results / "module_importance_ranks.csv")["n"].tolist() == [4] * 4
    page = (results / "report.html").read_text()
    assert "own" in page
    assert 'data-verdict="not tested"' not in page
    assert "Block influence and a first-order estimate" in page
    assert json.loads((results / "metrics.json").read_text())["own_intact_error_percent"] > 0
    gradients = pd.read_csv(results / "path_gradients.csv")
    assert set(gradients["batch_norm"]) == {"inference"}
