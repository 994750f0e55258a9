import errno
import os
import subprocess
import sys

import pytest

from residual_ensembles import cli
from residual_ensembles.backend import choice

PROGRAM = """
from absl import flags
from residual_ensembles import cli
flags.DEFINE_integer("depth", 110, "layers", 1)
flags.DEFINE_enum("model", "resnet", ["resnet", "vgg"], "kind of network")
flags.DEFINE_string("output_dir", None, "folder")
flags.mark_flag_as_required("output_dir")
def main():
    {main}
cli.run(main)
"""


def run(*arguments, main="print('ran', flags.FLAGS.depth)", **environment):
    program = PROGRAM.format(main=main)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", **environment},
    )


def test_a_program_runs_with_its_flags():
    done = run("--output_dir=x", "--depth=20")
    assert (done.stdout, done.stderr, done.returncode) == ("ran 20\n", "", 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--output_dir is missing."),
        (["--output_dir=x", "--epoch=3"], "Unknown command line flag 'epoch'"),
        (["--output_dir=x", "3"], "Received '3', which is not a flag, expected only --name=value"),
        (["--output_dir=x", "--depth=0"], "--depth=0: 0 is not a positive integer"),
        (["--output_dir=x", "--depth=ten"], "; expected a positive integer: layers"),
        (["--output_dir=x", "--model=lstm"], "--model=lstm: value should be one of <resnet|vgg>"),
    ],
)
def test_wrong_calls_are_one_line_and_status_2(arguments, message):
    done = run(*arguments)
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert (done.stdout, done.returncode) == ("", 2)


@pytest.mark.parametrize(
    ("main", "message"),
    [
        ("raise ValueError('Received 3,\\n expected 4.')", "error: Received 3, expected 4.\n"),
        ("open('/no/such/file')", "error: /no/such/file: No such file or directory\n"),
        ("raise OSError('odd')", "error: odd\n"),
        ("raise ArithmeticError('The parts are off.')", "error: The parts are off.\n"),
    ],
)
def test_errors_are_one_line_and_status_1(main, message):
    done = run("--output_dir=x", main=main)
    assert (done.stdout, done.stderr, done.returncode) == ("", message, 1)


def test_a_full_disk_is_one_line(tmp_path):
    main = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); "
        f"open({str(tmp_path / 'file')!r}, 'wb', buffering=0).write(bytes(10)) "
        f"and open({str(tmp_path / 'file')!r}, 'ab', buffering=0).write(bytes(10))"
    )
    done = run("--output_dir=x", main=main)
    assert done.returncode == 1
    assert done.stderr == (
        "error: The disk is full (File too large), expected room for the results. What was there "
        "before is unchanged; make room and start again.\n"
    )


def test_a_full_disk_names_the_file():
    error = OSError(errno.ENOSPC, "No space left on device", "results/model.keras")
    message = cli._system_message(error)
    assert message.startswith("The disk is full at results/model.keras (No space left on device)")


def test_a_full_disk_names_the_target_of_a_copy():
    error = OSError(errno.ENOSPC, "No space left on device", "/data/from", None, "/results/to")
    assert cli._system_message(error).startswith("The disk is full at /results/to (No space")


def test_an_empty_path_is_not_the_current_folder():
    done = run("--output_dir=")
    assert (
        done.stderr == "error: Received --output_dir= without a path, expected one (see --help)\n"
    )
    assert done.returncode == 2


def test_unexpected_errors_keep_their_traceback():
    done = run("--output_dir=x", main="raise KeyError('bug')")
    assert "Traceback" in done.stderr
    assert done.returncode == 1


def test_verbosity_shows_where_an_error_came_from():
    done = run("--output_dir=x", "--verbosity=1", main="raise ValueError('refused')")
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("error: refused\n")


def test_an_interruption_is_one_line():
    done = run("--output_dir=x", main="raise KeyboardInterrupt")
    assert (done.stderr, done.returncode) == ("error: interrupted\n", 130)


def test_help_succeeds():
    done = run("--help")
    assert "--depth: layers" in done.stdout
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_program_writes_its_cost(tmp_path):
    child = "import os; sum(range(10**7)); print(os.environ.get('RESIDUAL_ENSEMBLES_COST_FILE'))"
    main = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    file = tmp_path / "costs.jsonl"
    done = run("--output_dir=x", main=main, RESIDUAL_ENSEMBLES_COST_FILE=str(file))
    assert done.stdout == "None\n"  # so that nothing is counted twice
    run("--output_dir=x", RESIDUAL_ENSEMBLES_COST_FILE=str(file))
    with_child, alone = cli.read_costs(file)
    assert with_child["processor_seconds"] > alone["processor_seconds"] > 0
    assert alone["seconds"] > 0 < alone["peak_mib"] < 1000


def test_another_backend_is_refused():
    done = run("--output_dir=x", KERAS_BACKEND="torch")
    assert done.stderr.startswith("error: the Keras backend is 'torch', expected")
    assert (done.stderr.count("\n"), done.returncode) == (1, 1)


@pytest.mark.parametrize("name", choice.SUPPORTED)
def test_a_backend_that_is_not_installed_is_refused(monkeypatch, name):
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    told = f"is '{name}', which is not installed here: pip install 'residual-ensembles[{name}]'"
    assert told in choice.problem()
    (other,) = {*choice.SUPPORTED} - {name}
    monkeypatch.setattr("importlib.util.find_spec", lambda module: module == other or None)
    assert f"set the environment variable KERAS_BACKEND={other}, or pip" in choice.problem()
    monkeypatch.setattr("importlib.util.find_spec", lambda module: module)
    assert choice.problem() is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "keras.json cannot be read"),
        ("[]", "keras.json cannot be read (it holds [])"),
        ("\0", "keras.json cannot be read"),
        ('{"floatx": "float16"}', "sets floatx to 'float16', expected 'float32': change it there"),
        ('{"floatx": "float64"}', "sets floatx to 'float64', expected 'float32'"),
        ('{"image_data_format": "channels_first"}', "expected 'channels_last'"),
        ('{"backend": "torch"}', "the Keras backend is 'torch', expected one of"),
    ],
)
def test_settings_of_keras_that_networks_are_not_built_for_are_refused(tmp_path, text, told):
    (tmp_path / "keras.json").write_text(text)
    done = run("--output_dir=x", KERAS_HOME=str(tmp_path), KERAS_BACKEND="")
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert (done.stderr.count("\n"), done.returncode) == (1, 1)


@pytest.mark.parametrize("text", ["", "{}", '{"floatx": "float32", "epsilon": 1e-07}'])
def test_settings_of_keras_that_fit_are_left_alone(tmp_path, monkeypatch, text):
    (tmp_path / "keras.json").write_text(text)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert choice.problem() is None


def test_lists_of_integers():
    assert cli.integers("seeds", ["0", " 12"]) == [0, 12]
    assert cli.integers("seeds", []) == []


@pytest.mark.parametrize("values", [["1", "x"], ["-1"], ["1.5"], [""]])
def test_other_lists_are_refused(values):
    with pytest.raises(ValueError, match=f"--seeds={','.join(values)}"):
        cli.integers("seeds", values)


def test_an_output_folder_is_created(tmp_path):
    cli.require_writable_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ValueError, match=str(tmp_path / name)):
        cli.require_writable_folder(tmp_path / name)


SCHEMA = """
from absl import flags
from residual_ensembles import cli
from residual_ensembles.parameters import LesionParameters, TrainParameters
cli.define_flags(LesionParameters, "k", "precision", "ci_half_width", defaults={"k": 3})
cli.define_flags(TrainParameters, "snapshots", prefix="train_")
def main():
    print(cli.flag_values(LesionParameters, "k", "precision", "ci_half_width"))
    print(cli.flag_values(TrainParameters, "snapshots", prefix="train_"))
cli.run(main)
"""


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        ([], 0, "{'k': 3, 'precision': 'float32', 'ci_half_width': 0.0}\n{'snapshots': (0,)}\n"),
        (["--k=5", "--train_snapshots=0,2"], 0, "{'k': 5, "),
        (["--k=0"], 2, "--k=0: 0 is not a positive integer"),
        (["--precision=int8"], 2, "should be one of <float32|bfloat16|cascade>"),
        (["--train_snapshots=0,x"], 1, "--train_snapshots=0,x, expected integers"),
        (["--help"], 0, "--k: largest number of modules deleted at once\n    (default: '3')"),
    ],
)
def test_flags_come_from_parameters(flags, status, message):
    done = subprocess.run([sys.executable, "-c", SCHEMA, *flags], capture_output=True, text=True)
    assert (done.returncode, message in done.stdout + done.stderr) == (status, True), done
