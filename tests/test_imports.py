"""Importing costs what is used: who reads tables, or is told how to call, waits for no network."""

import json
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from joblib import Parallel, delayed

import residual_ensembles
from residual_ensembles import models, unravel
from tests.helpers import small_studies
from tests.helpers.synthetic_study import write_study

ROOT = Path(residual_ensembles.__file__).parents[1]
NETWORKS = {"keras", "tensorflow", "jax"}
HEAVY = NETWORKS | {"matplotlib", "pandas", "scipy", "statsmodels"}
RUN = """
import atexit, json, pathlib, runpy, sys
place, module, *flags = sys.argv[1:]
def tell():
    pathlib.Path(place).write_text(json.dumps([name for name in sys.modules if "." not in name]))
atexit.register(tell)
sys.argv = [module, *flags]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
PROGRAMS = ["residual_ensembles.train", "residual_ensembles.lesions"] + [
    f"pipelines.{path.stem}"
    for path in sorted((ROOT / "pipelines").glob("*.py"))
    if "cli.run(main)" in path.read_text()
]
NO_STAGES = {
    f"pipelines.{name}" for name in ("summary", "publish", "clean_checkpoints", "deps", "reference")
}
STAGES = [program for program in PROGRAMS[2:] if program not in NO_STAGES]


@pytest.fixture
def loaded(tmp_path):
    """Runs a program in a fresh process: how it ended, and what it had imported then."""

    def run(module, *flags, expected=0, folder=ROOT):
        place = tmp_path / "loaded.json"
        done = subprocess.run(
            [sys.executable, "-c", RUN, place, module, *flags],
            capture_output=True,
            text=True,
            cwd=folder,
        )
        assert done.returncode == expected, done.stderr
        return set(json.loads(place.read_text()))

    return run


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_loads_nothing_heavy(loaded, program):
    assert not loaded(program, "--help") & HEAVY


@pytest.mark.parametrize(
    ("program", "flags", "status"),
    [
        ("residual_ensembles.train", [], 2),
        ("residual_ensembles.train", ["--output_dir=OUT", "--depht=20"], 2),
        ("residual_ensembles.train", ["--output_dir=OUT", "--schedule=step"], 2),
        ("residual_ensembles.train", ["--output_dir=OUT", "--model=resnext"], 2),
        ("residual_ensembles.train", ["--output_dir=OUT", "--depth=111"], 1),
        ("residual_ensembles.train", ["--output_dir=OUT", "--model=vgg", "--depth=16"], 1),
        ("residual_ensembles.train", ["--output_dir=OUT", "--gating=stochastic_depth"], 1),
        ("residual_ensembles.train", ["--output_dir=OUT", "--snapshots=0,x"], 1),
        ("residual_ensembles.train", ["--output_dir=OUT/file"], 1),
        ("residual_ensembles.lesions", [], 2),
        ("residual_ensembles.lesions", ["--output_dir=OUT", "--network=x", "--kk=1"], 2),
        ("residual_ensembles.lesions", ["--output_dir=OUT", "--network=x", "--precision=int8"], 2),
        ("residual_ensembles.lesions", ["--output_dir=OUT/file", "--network=x"], 1),
        *[(program, ["--no_such_flag=1"], 2) for program in PROGRAMS],
    ],
)
def test_a_wrong_call_loads_nothing_heavy(loaded, tmp_path, program, flags, status):
    (tmp_path / "file").write_text("")
    if "--gating=stochastic_depth" in flags:
        flags = [*flags, "--survival_probability=0"]
    flags = [flag.replace("OUT", str(tmp_path)) for flag in flags]
    assert not loaded(program, *flags, expected=status) & HEAVY


@pytest.mark.parametrize(
    ("program", "section", "change"),
    [
        *((stage, "lesion", {"k": 99}) for stage in STAGES),
        ("pipelines.train", "train", {"schedule": "step"}),
        ("pipelines.train", "ensemble", {"depth": 21}),
    ],
)
def test_a_refused_study_loads_nothing_heavy(loaded, tmp_path, program, section, change):
    small_studies.write(tmp_path, **{section: change})
    assert not loaded(program, expected=1, folder=tmp_path) & HEAVY


def test_the_check_of_a_study_loads_nothing_heavy(loaded, tmp_path):
    small_studies.write(tmp_path)
    assert not loaded("pipelines.check", folder=tmp_path) & HEAVY


def test_reading_tables_loads_no_network(loaded, tmp_path):
    write_study(small_studies.write(tmp_path))
    for program in ("figures", "report"):
        assert not loaded(f"pipelines.{program}", folder=tmp_path) & NETWORKS, program
    assert not loaded("pipelines.summary", "--study=tiny", folder=tmp_path) & NETWORKS


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import residual_ensembles", HEAVY | {"numpy"}),
        ("from residual_ensembles import data, lesions, models, paths, pruning", HEAVY | {"numpy"}),
        ("from residual_ensembles.data import Split, load", NETWORKS),
        ("from residual_ensembles.lesions import Lesion", NETWORKS | {"statsmodels"}),
        ("from residual_ensembles.lesions import study_plan", NETWORKS | {"statsmodels"}),
        ("from residual_ensembles.analysis import claims_table", NETWORKS),
    ],
)
def test_a_statement_loads_what_it_needs(statement, heavy):
    tell = f"{statement}\nimport sys\nprint(*sys.modules)"
    words = [sys.executable, "-c", tell]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    assert not set(done.stdout.split()) & heavy


def test_public_names_are_no_modules_whatever_was_imported_before():
    walk = pkgutil.walk_packages(residual_ensembles.__path__, "residual_ensembles.")
    skipped = ("__main__", "_jax", "_tensorflow")
    names = sorted(m.name for m in walk if m.name.rpartition(".")[2] not in skipped)
    script = """
import importlib, sys, types
names = sys.argv[1:]
for name in names:
    importlib.import_module(name)
for package in [importlib.import_module(n) for n in ("residual_ensembles", *names)]:
    if hasattr(package, "__path__"):
        for name in getattr(package, "__all__", ()):
            value = getattr(package, name)
            if isinstance(value, types.ModuleType) and not hasattr(value, "__path__"):
                print(f"{package.__name__}.{name}")
"""
    for order in (names, names[::-1]):
        words = [sys.executable, "-c", script, *order]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert set(done.stdout.split()) == {
            "residual_ensembles.lesions.sweep",
            "residual_ensembles.report.evidence",
            "residual_ensembles.unraveling.external",
        }


READ = """
import os, pickle, sys
{first}
import numpy as np
results = []
for way in sys.argv[2:]:
    child = os.fork()  # as if each way was the only one
    if child == 0:
        for kind in ("highway", "unraveled"):
            path = f"{{sys.argv[1]}}/{{kind}}.keras"
            exec(way)
            found = np.asarray(chain(np.load(f"{{sys.argv[1]}}/images.npy")))
            np.testing.assert_allclose(found, np.load(f"{{sys.argv[1]}}/{{kind}}.npy"), atol=1e-5)
        os._exit(0)
    results.append(os.waitpid(child, 0)[1])
sys.exit(f"{{results}}" if any(results) else 0)
"""
BY_KERAS = "chain = keras.models.load_model(path)"


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A folder with a network of our layers and one that was unraveled, as files and pickled."""
    folder = tmp_path_factory.mktemp("networks")
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1)).astype("float32")
    np.save(folder / "images.npy", images)
    x = keras.Input((8, 8, 1), name="image")
    y = keras.layers.Conv2D(4, 3, padding="same", name="stem")(x)
    for i in (1, 2):
        y = keras.layers.Add(name=f"add{i}")([y, keras.layers.Conv2D(4, 1, name=f"conv{i}")(y)])
    model = keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(y)), name="mine")
    chains = {
        "highway": models.build("highway", 8, (8, 8, 1), 10, [100.0], [50.0]),
        "unraveled": unravel(model),
    }
    for kind, chain in chains.items():
        models.save(chain, folder / f"{kind}.keras")
        (folder / f"{kind}.pickle").write_bytes(pickle.dumps(chain))
        np.save(folder / f"{kind}.npy", np.asarray(chain(images)))
    return folder


@pytest.mark.parametrize(
    ("first", "ways"),
    [
        ("import keras, residual_ensembles", [BY_KERAS]),
        (
            "import residual_ensembles, keras",
            [
                f"import residual_ensembles.unraveling.keras_registration; {BY_KERAS}",
                "from residual_ensembles import models; chain = models.load(path)",
                "from residual_ensembles import unraveling; chain = unraveling.load(path)",
                "chain = pickle.loads(open(path.replace('.keras', '.pickle'), 'rb').read())",
            ],
        ),
    ],
)
def test_a_fresh_process_reads_a_network(networks, first, ways):
    words = [sys.executable, "-c", READ.format(first=first), networks, *ways]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_process_of_joblib_reads_a_network(networks):
    chain = models.load(networks / "highway.keras")
    images = np.load(networks / "images.npy")
    result, *_ = Parallel(2)(delayed(_outputs)(chain, images) for _ in range(2))
    np.testing.assert_allclose(result, np.load(networks / "highway.npy"), atol=1e-5)


def _outputs(chain, images):
    return np.asarray(chain(images))
