import programs
import pytest

from residual_ensembles import data


def prepare(*flags):
    return programs.run("pipelines.prepare", *flags)


def test_digits_are_prepared_as_the_flags_say(tmp_path):
    folder = tmp_path / "prepared"
    done = prepare(
        "--source=digits",
        f"--output_dir={folder}",
        "--validation_fraction=0.2",
        "--seed=1",
        "--title=Ten digits",
        "--resize=10",
        "--limit_train=200",
        "--limit_test=50",
        "--storage=records",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"Ten digits: 160 train, 40 validation, 50 test pictures of 10×10 in {folder}\n"
    )
    prepared = data.load(folder)
    assert prepared.title == "Ten digits"
    assert prepared.description["counts"] == {"train": 160, "validation": 40, "test": 50}
    assert prepared.description["seed"] == 1
    assert prepared.part("train").array is None


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (["--source=digits"], 2, "--output_dir is missing."),
        (["--source=folder:missing", "--output_dir={}"], 1, "folder:missing, which does not exist"),
    ],
)
def test_bad_input_is_one_line(tmp_path, flags, status, message):
    done = prepare(*(flag.format(tmp_path / "prepared") for flag in flags))
    assert done.returncode == status
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
