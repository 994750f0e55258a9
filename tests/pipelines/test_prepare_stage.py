from residual_ensembles import data
from tests.helpers import programs, small_studies


def prepare(folder, **changes):
    small_studies.write(folder, data=changes)
    return programs.run("pipelines.prepare", folder=folder)


def test_digits_are_prepared_by_the_parameters(tmp_path):
    done = prepare(
        tmp_path,
        validation_fraction=0.2,
        seed=1,
        title="Ten digits",
        resize=10,
        limit_train=200,
        limit_test=50,
        storage="records",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "Ten digits: 160 train, 40 validation, 50 test images of 10×10 in data/prepared/tiny\n"
    )
    prepared = data.load(tmp_path / "data/prepared/tiny")
    assert prepared.title == "Ten digits"
    assert prepared.description["counts"] == {"train": 160, "validation": 40, "test": 50}
    assert prepared.description["seed"] == 1
    assert prepared.split("train").array is None


def test_a_missing_folder_is_one_line(tmp_path):
    done = prepare(tmp_path, source="folder:missing")
    assert done.returncode == 1
    assert "folder:missing, which does not exist" in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "data/prepared/tiny").exists()
