"""Bad inputs of every kind: refused in one line that names what is wrong, or right all the same."""

import datetime
import functools
import inspect
import json
import random
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_digits

from pipelines import study as studies
from residual_ensembles import (
    analysis,
    data,
    figures,
    lesions,
    models,
    paths,
    pruning,
    report,
    runtime,
    training,
    unraveling,
)
from residual_ensembles.backend import choice
from residual_ensembles.data import folder as image_folder
from residual_ensembles.data import records
from residual_ensembles.runtime.result_cache import ResultCache
from residual_ensembles.stages.gradients import networks_by_epoch
from residual_ensembles.storage.checkpoints import finished_network
from residual_ensembles.training import checkpoint
from tests.faults import campaign
from tests.helpers import programs, small_studies
from tests.helpers.synthetic_study import write_study

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]  # each case has its own limit
NOT_CALLED = (
    "runtime.Executor",  # an abstract class
    "data.crop_and_flip",  # stands in graphs of TensorFlow, whose tensors have no values yet
    "paths.Linearization",  # takes anything with stem, modules and head
    *("figures.draw_figures", "figures.FigureSpec"),  # the first takes its time, with good tables
)
PROGRAMS = ("residual_ensembles.train", "residual_ensembles.lesions")
BEGUN = (".checkpoints", "networks", "*_run.json")
"""What a stage may have begun to write when it comes to what is bad."""
STAGES = ("check", "prepare", "train", "lesion_study", "path_gradients", "explorer")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with parameters, prepared digits, and a network that was trained for an epoch."""
    folder = tmp_path_factory.mktemp("faults") / "project"
    small_studies.write(
        folder,
        data={"limit_train": 100, "limit_test": 20},
        network={"resnet": {"depth": 8}},
        train={"epochs": 1, "batch_size": 32, "snapshots": [0]},
        ensemble={"members": 0},
        lesion={"networks": []},
        paths={"networks": [], "batches": 1, "batch_size": 4, "samples": 0},
    )
    for stage in STAGES[:3]:
        done = programs.run(f"pipelines.{stage}", folder=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder of its own, for what a case may write."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_parameters(elsewhere):
    """Of params.yaml, each with each hostile value, and without it."""
    values = small_studies.parameters()
    hostile = (*campaign.HOSTILE, campaign.MISSING)
    cases = [(place, value) for place in campaign.places() for value in hostile]

    def attempt(case):
        place, value = case
        Path("params.yaml").write_text(yaml.safe_dump(campaign.with_value(values, place, value)))
        name = [name for name in place if isinstance(name, str)][-1]

        def is_right(found):
            for name in place if value is not campaign.MISSING else ():
                is_container = isinstance(found, dict | tuple)
                found = found[name] if is_container else getattr(found, name)
            found = list(found) if isinstance(found, tuple) else found
            if isinstance(found, float) and type(value) is int:
                return found == float(value)
            same = found == value and isinstance(found, bool) == isinstance(value, bool)
            return same or value is campaign.MISSING

        return campaign.judged(studies.load, [name], is_right)

    campaign.run("parameters", cases, 800, attempt)


def flags_of(program: str) -> list[str]:
    """Returns the flags that a program has defined itself."""
    printed = programs.run(program, "--helpxml").stdout
    root = ElementTree.fromstring(printed[printed.index("<?xml") :])  # noqa: S314 - our own
    own = (flag for flag in root.iter("flag") if "absl" not in flag.findtext("file"))
    return [flag.findtext("name") for flag in own if flag.findtext("key") == "yes"]


def one_line(done, folder: Path, before: dict, left_out=()) -> str | None:
    """Returns what falls short in how a program ended that had been given something bad."""
    said = done.stderr.strip()
    if done.returncode == 0:
        return None
    if "Traceback" in done.stdout + done.stderr:
        return f"traceback: {said[-300:]}"
    if done.returncode not in (1, 2) or not said.splitlines()[-1:]:
        return f"status {done.returncode}: {said[-200:]}"
    if not said.splitlines()[-1].startswith("error: "):
        return f"no error in a line: {said[-200:]}"
    if campaign.tree(folder, left_out) != before:
        return f"files are not what they were: {said[-200:]}"
    return None


def test_flags(project, tmp_path):
    """Of both programs, with texts; what is taken stops where a folder cannot be made, or is none.

    Where that is the flag that is tried, at data or a network that is not there.
    """
    (tmp_path / "file").touch()
    texts = [str(value) for value in (*campaign.NUMBERS, *campaign.TEXTS, "x" * 5000, "-")]
    cases = [
        (program, flag, text)
        for program in PROGRAMS
        for flag in [*flags_of(program), "no_such_flag"]
        for text in texts
    ]
    before = campaign.tree(tmp_path)

    def attempt(case):
        program, flag, text = case
        words = [f"--output_dir={tmp_path / 'file' / 'x'}", "--dataset=nowhere"]
        if program == PROGRAMS[1]:
            words.append(f"--network={tmp_path / 'nowhere.keras'}")
        done = programs.run(program, *words, f"--{flag}={text}", folder=tmp_path)
        if done.returncode == 0 or done.stderr.count("\n") != 1:
            return f"status {done.returncode}: {done.stderr[-300:]}"
        ends = (flag, "which cannot be written", "no prepared data", "which is not there")
        if not any(name in done.stderr for name in ends):
            return f"does not name the flag: {done.stderr[-300:]}"
        return one_line(done, tmp_path, before)

    campaign.run("flags", cases, 400, attempt)


def readers(project: Path, folder: Path) -> list[tuple]:
    """Returns, for each file that the project reads, what reads it.

    Returns:
        `(kind, path, function, has_checksum)`: where there is a checksum, what is read has to be
        what was written.
    """
    prepared, network = project / "data/prepared/tiny", project / "results/tiny/networks/resnet-0"
    found = [("parameters", project / "params.yaml", lambda: study_of(project), False)]

    def images():
        opened = data.load(prepared)
        return [opened.split(name).images(slice(None)).tobytes() for name in ("train", "test")]

    found += [("prepared", path, images, True) for path in prepared.iterdir()]

    def trained():
        finished = finished_network(project / study_of(project).results, "resnet", 0)
        files = networks_by_epoch(finished)
        return {epoch: weights(models.load(path)) for epoch, path in files.items()}

    own = [path for path in network.rglob("*") if path.is_file() and path.name != "times.json"]
    found += [("network", path, trained, True) for path in own]

    chain = models.load(network / "model.keras")
    state = folder / "state"
    checkpoint.write(state, chain.variables, checkpoint.Progress(step=3), "f")

    def resumed():
        return vars(checkpoint.read(state, chain.variables, "f"))

    found.append(("checkpoint", state / checkpoint.FILE, resumed, False))

    ResultCache(folder / "kept").save("one", {"value": 1})
    kept = folder / "kept/one.result"
    found.append(("result", kept, lambda: ResultCache(folder / "kept").find("one"), False))

    outside = folder / "outside.keras"
    outside.write_bytes((network / "model.keras").read_bytes())
    found.append(("external", outside, lambda: weights(unraveling.load(outside)), False))

    (folder / "keras.json").write_text('{"floatx": "float32", "backend": "tensorflow"}')
    found.append(("Keras' own", folder / "keras.json", lambda: refused(choice.problem()), False))

    for suffix in ("jpg", "png"):
        image = folder / f"tree/train/a/0.{suffix}"
        for split in ("train/a", "train/b", "test/a", "test/b"):
            (folder / "tree" / split).mkdir(parents=True, exist_ok=True)
            array = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
            Image.fromarray(array).save(folder / "tree" / split / f"0.{suffix}")
        found.append(("image", image, lambda image=image: decoded(image), False))

    tables = write_study(folder / "tables", networks=("resnet", "highway"), k=2, draws=2, swaps=2)
    for path in sorted(path for path in tables.rglob("*") if path.is_file()):
        found.append(("table", path, lambda: all_tables(tables), False))
    for path in of_page(tables):
        found.append(("page", path, lambda: page(tables), False))
    return found


def study_of(project: Path):
    return studies.load(project / "params.yaml")


def weights(chain) -> list[bytes]:
    return [np.asarray(each).tobytes() for each in chain.variables]


def refused(problem: str | None):
    if problem is not None:
        raise ValueError(problem)


def decoded(image: Path) -> bytes:
    image_folder.check_tree(image.parents[2])
    try:
        return np.asarray(records.open_image(image.read_bytes(), 3)).tobytes()
    except ValueError as error:  # as `scan` says it, which knows the name
        raise ValueError(f"Received {image}, {error}") from None


def all_tables(folder: Path) -> int:
    tables = analysis.read_tables(folder)
    for run in tables.runs:
        tables.wrong(run.network, run.seed)
        tables.history(run)
        tables.downsampling(run.network)
        tables.n_classes(run.network)
    tables.sub_ensembles_wrong(0)
    return len(analysis.claims_table(tables))


def of_page(folder: Path) -> list[Path]:
    """Writes what a page is made of beside tables; returns that, and what else it alone reads."""
    tables = analysis.read_tables(folder)
    report.write_page(tables, {}, "dvc repro")
    figures.style.save(figures.FIGURES[0].draw(tables), folder / "figures", figures.FIGURES[0].name)
    (folder / "cost.csv").write_text("program,seconds\ntrain,2.5\ntotal,3.5\n")
    names = ("cost.csv", "claims.csv", f"figures/{figures.FIGURES[0].name}.svg")
    return [*(folder / name for name in names), *folder.rglob("run.json")]


def page(folder: Path) -> int:
    tables, name = analysis.read_tables(folder), folder.name
    claims = analysis.claims_table(tables)
    own = report.render(tables, claims, {}, "dvc repro")
    return len(own) + len(report.evidence.about(folder.parent, {name: ""}, {name: ""}))


def test_facts(elsewhere):
    """What a network's run.json says, each with each hostile value."""
    folder = write_study(elsewhere / "tables", networks=("resnet",), k=2, draws=2, swaps=2)
    of_page(folder)
    path = folder / "networks/resnet-0/run.json"
    facts = json.loads(path.read_text())
    facts["dataset"]["n_classes"] = 10
    places = [(name,) for name in facts] + [("dataset", name) for name in facts["dataset"]]
    values = [v for v in campaign.HOSTILE if not isinstance(v, bytes | datetime.date)]
    cases = [(place, value) for place in places for value in values]

    def attempt(case):
        path.write_text(json.dumps(campaign.with_value(facts, *case)))
        return campaign.judged(lambda: page(folder), (path.name,), seconds=30)

    campaign.run("facts", cases, 100, attempt)


def test_files(project, elsewhere, monkeypatch):
    """Each that is read, damaged in each way."""
    monkeypatch.setenv("KERAS_HOME", str(elsewhere))
    monkeypatch.setenv("KERAS_BACKEND", "")
    found = readers(project, elsewhere)
    monkeypatch.chdir(project)
    right = {path: call() for _, path, call, _ in found}
    cases = [(kind, path, how) for kind, path, *_ in found for how in campaign.DAMAGES]
    known = {path: (call, has_checksum) for _, path, call, has_checksum in found}

    def attempt(case):
        _, path, how = case
        call, has_checksum = known[path]
        with campaign.damaged(path, how):
            return campaign.judged(
                call,
                (path.name, path.parent.name, "Keras backend"),
                lambda result: not has_checksum or result == right[path],
                seconds=30,
            )

    campaign.run("files", cases, 400, attempt)


@pytest.fixture(scope="module")
def good(project):
    """Arguments that are right, by name, and those of single functions."""
    prepared = data.load(project / "data/prepared/tiny")
    split = prepared.split("test")
    chain = models.load(project / "results/tiny/networks/resnet-0/model.keras")
    labels = load_digits().target[:8].astype("int32")
    x = split.images(slice(0, 8))
    known = {name: x for name in ("inputs", "images", "x", "batch")}
    known |= {name: labels for name in ("targets", "labels", "y")}
    known |= {"validation": (x, labels)}
    known |= {"chain": chain, "model": "resnet", "depth": 8, "image_shape": (8, 8, 1)}
    known |= {"n_classes": 10, "mean": [100.0], "std": [50.0], "path": "made.keras"}
    known |= {"plan": ["delete 2"], "modules": [2, 3], "lesion": lesions.Lesion(deletions=[2])}
    known |= {"k": 1, "draws": 1, "swaps": 1, "duplications": 1, "seed": 0, "random": True}
    known |= {"pairs": [(2, 3)], "split": split, "prepared": prepared, "folder": "prepared"}
    known |= {"source": "digits", "data_dir": "data", "validation_fraction": 0.1, "epoch": 1}
    known |= {"indices": np.arange(4), "augmentation": prepared.augmentation, "n": 2}
    known |= {"top": [0] * 8, "left": [0] * 8, "flip": [False] * 8, "padding": 1, "fill": [9.0]}
    known |= {"scheme": "none", "n_modules": 3, "gating": training.Gating("none", 3)}
    known |= {"batch_size": 8, "output_dir": "out", "checkpoints": "kept", "network": "mine"}
    known |= {"settings": training.Settings(depth=8, epochs=1, batch_size=32)}
    known |= {"low": 0, "high": 2, "deleted": 1, "length": 1, "lengths": [0, 1], "samples": 4}
    known |= {"learning_rate": 0.1, "l2": 0.0, "gates_of": [], "lesions": ["delete 2"]}
    known |= {"amounts": [1.0, 2.0, 1.0], "log10_norms": [-1.0, -2.0, -3.1], "costs": [0.1, 0.2]}
    known |= {"index": 0, "n_images": 8, "count": 2, "predictions": np.stack([labels] * 2)}
    known |= {"schedule": 0.1, "weight_decay": 1e-4, "confidence": 0.9}
    large = models.build("resnet", 20, (8, 8, 1), 10, [100.0], [50.0])
    image = keras.Input((8, 8, 1))
    y = keras.layers.Add()([image, keras.layers.Conv2D(1, 3, padding="same")(image)])
    y = keras.layers.Dense(10)(keras.layers.Flatten()(keras.layers.Activation("relu")(y)))
    model = keras.Model(image, y)
    cut = unraveling.unravel(model)
    tables = analysis.read_tables(
        write_study(project.parent / "synthetic", ("resnet",), k=2, draws=2)
    )
    columns = paths.gradient_by_length(chain, x, labels)
    known |= {"tables": tables, "number": 1, "skips": [True] * 3, "sweep": "own", "draw": 0}
    known |= {"stem": large.stem, "head": large.head, "input_shape": (8, 8, 1)}
    known |= {name: keras.layers.Dense(1) for name in ("transform", "transform_gate")}
    known |= {"content": models.to_bytes(chain), "table": columns, "name": "one"}
    network = {"path": project / "results/tiny/networks/resnet-0/model.keras"}
    lesion, batch = lesions.Lesion(deletions=[2]), paths.Linearization(large).linearize(x, labels)
    ranks = pruning.module_importance(chain, x, labels)
    of_function = {
        "data.Augmentation": {"kind": "pad_crop", "flip": True},
        "data.load": {"folder": project / "data/prepared/tiny"},
        "training.Outputs": {"folder": Path("out")},
        "training.Settings": {"gating": "none", "schedule": "cosine"},
        "unraveling.unravel": {"model": model, "modules": None},
        "unraveling.load": {**network, "modules": None},
        "models.Chain": {"modules": large.modules},
        "pruning.rank_correlations": {"table": ranks},
        "analysis.read_tables": {"folder": tables.folder},
        "analysis.predicted_and_real": {"network": "resnet"},
        "analysis.single_costs": {"network": "resnet"},
        "models.load": network,
        "models.reestimate_batch_norm": {"network": large},
        "models.load_weights": network,
        "lesions.Lesion": {"swaps": [(1, 2)], "duplications": [3]},
        "lesions.LesionedChain": {"lesion": lesion},
        "lesions.evaluate": {"plan": lesions.intact()},
        "lesions.evaluate_reference": {"lesions": [lesion]},
        "lesions.reference_logits": {"lesions": [lesion]},
        "lesions.outputs_of": {"lesions": [lesion]},
        "lesions.lesion_table": {"plan": lesions.single_deletions([2, 3])},
        "lesions.study_plan": {"chain": large},
        "paths.batch_gradient_by_length": {"batch": batch},
        "paths.share_by_module": {"batch": batch},
        "paths.weight_gradient": {"batch": batch},
        "paths.log_linear": {"lengths": [0, 1, 2, 3], "log10_norms": [-1.0, -2.0, -3.1, -3.9]},
        "pruning.check_prunable": {"chain": cut, "n": 1},
        "pruning.prune": {"chain": cut, "n": 1},
        "analysis.additive_prediction": {"costs": {1: 0.1}, "deleted": [1]},
    }
    return known, of_function


def test_arguments(good, elsewhere):
    """Of public functions, by their signatures: each with each hostile value."""
    functions = campaign.public(
        *(data, training, models, unraveling, lesions, paths, pruning),
        *(analysis, figures, runtime),
    )
    known, of_function = good
    cases, without = [], []
    for name, function in functions.items():
        needed = [
            each
            for each, how in inspect.signature(function).parameters.items()
            if how.default is how.empty and how.kind not in (how.VAR_POSITIONAL, how.VAR_KEYWORD)
        ]
        if not set(needed) <= set(known) or name in NOT_CALLED:
            without.append(f"{name}({', '.join(sorted(set(needed) - set(known)))})")
            continue
        for argument in campaign.arguments(function):
            cases += [(name, argument, i) for i in range(len(campaign.HOSTILE))]
    print(f"without an example of an argument, and not tried: {', '.join(without) or 'none'}")

    @functools.cache
    def arguments_of(name):
        parameters = inspect.signature(functions[name]).parameters
        own = {each: known[each] for each in parameters if each in known}
        own |= of_function.get(name, {})
        functions[name](**own)  # is right as it is
        return own

    def attempt(case):
        name, argument, i = case
        function, value = functions[name], campaign.HOSTILE[i]
        parameters, own = inspect.signature(function).parameters, arguments_of(name)
        whole = parameters[argument].annotation is int
        found = campaign.judged(
            lambda: function(**{**own, argument: value}),
            (
                argument,
                repr(value),
                *([value] if isinstance(value, str) and not value.strip(" 0[").isascii() else []),
                *([value] if isinstance(value, str) and len(value) > 2 else []),
                *(map(repr, value) if value == ["0", "1"] else []),  # says which of them
            ),
            lambda _: not (whole and (isinstance(value, bool | float | str) or value is None)),
            seconds=60,
        )
        return found and f"{argument}={repr(value)[:40]}: {found}"

    campaign.run("arguments", cases, 400, attempt)


def test_programs(project, elsewhere):
    """Stages as they are started, with a damaged file or a hostile parameter before them."""
    files = [
        path
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.name != "times.json" and ".checkpoints" not in path.parts
    ]
    cases = [(stage, path, how) for stage in STAGES for path in files for how in campaign.DAMAGES]
    places = list(campaign.places())
    cases += [
        (stage, place, value) for stage in STAGES for place in places for value in campaign.HOSTILE
    ]
    parameters = project / "params.yaml"
    usual = yaml.safe_load(parameters.read_text())

    def attempt(case):
        stage, what, how = case
        copy = elsewhere / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(project, copy, symlinks=True)
        if isinstance(what, Path):
            campaign.DAMAGES[how](copy / what.relative_to(project), random.Random(0))
        else:
            text = yaml.safe_dump(campaign.with_value(usual, what, how))
            (copy / "params.yaml").write_text(text)
        before = campaign.tree(copy, BEGUN)
        done = programs.run(f"pipelines.{stage}", folder=copy, seconds=150)
        if done.returncode is None:
            return "no end within 150 s"
        return one_line(done, copy, before, BEGUN)

    campaign.run("programs", cases, 60, attempt)
