"""Whoever writes params.yaml gets a line of explanation, and nothing else happens."""

import hashlib

import pytest
import yaml

from tests.helpers import programs, small_studies
from tests.helpers.clones import Clone

TOUCH = "touch touched"
NAMES = [
    f"x; {TOUCH}",
    f"$({TOUCH})",
    f"`{TOUCH}`",
    f"x\n{TOUCH}",
    f"x && {TOUCH} #",
    "../../outside",
    "../outside",
    "..",
    "a/b",
    "/OUTSIDE",
    "",
    "${train.schedule}",
    ["x"],
]
CHANGES = [
    *({"name": name} for name in NAMES),
    {"train": {"schedule": f"x; {TOUCH}"}},
    {"train": {"snapshots": f"0; {TOUCH}"}},
    {"train": {"snapshots": [0, f"$({TOUCH})"]}},
    {"lesion": {"k": f"1; {TOUCH}"}},
    {"seeds": [f"0; {TOUCH}"]},
    {"network": {f"x; {TOUCH}": {"depth": 20}}, "networks": [f"x; {TOUCH}"]},
    {"network": {"../../../../outside": {"depth": 20}}, "networks": ["../../../../outside"]},
    {"network": {"resnet": {"model": f"keras:'; {TOUCH}; '\".keras"}}},
    {"data": {"source": f'folder:"; {TOUCH}; "'}},
    {"cmd": TOUCH},
]
WRITTEN = [
    f"name: !!python/object/apply:os.system ['{TOUCH}']\n",
    f"name: !!python/object/new:subprocess.Popen [['sh', '-c', '{TOUCH}']]\n",
    "name: [\n",
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    made = Clone(tmp_path_factory.mktemp("malicious") / "project", {"tiny": ""})
    outside = made.folder.parent / "outside"
    for name in ("checked.txt", "lesions.csv", "networks/resnet-0/model.keras"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_text("precious")
    return made


def files(clone) -> dict[str, str]:
    """Returns the checksum of every file of the project, and of what lies beside it."""
    result = (path for path in clone.folder.parent.rglob("*") if path.is_file())
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in result
        if not {".dvc", ".git", "__pycache__"} & set(path.relative_to(clone.folder.parent).parts)
    }


def written(clone, change) -> str:
    if isinstance(change, str):
        return change
    text = yaml.safe_dump(small_studies.parameters(**change))
    return text.replace("/OUTSIDE", str(clone.folder.parent / "outside"))


@pytest.mark.parametrize("change", [*CHANGES, *WRITTEN], ids=str)
def test_one_line_and_no_effect(clone, change):
    (clone.folder / "params.yaml").write_text(written(clone, change))
    before = files(clone)
    commands = [["dvc", "repro"]]
    if "name" in change:  # which stands in the paths of every stage
        commands.append(["dvc", "repro", "--single-item", "train"])
    for command in commands:
        printed = clone.run(*command, succeeds=False)
        errors = [line for line in printed.splitlines() if line.startswith("error: ")]
        by_dvc = [line for line in printed.splitlines() if line.startswith("ERROR: ")]
        assert len(errors) <= 1 == len(by_dvc), printed
        assert "Traceback" not in printed
    for program in ("check", "train", "lesion_study"):
        done = programs.run(f"pipelines.{program}", folder=clone.folder)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert done.stderr.startswith("error: ")
    assert files(clone) == before


def test_an_experiment_is_refused_too(clone):
    (clone.folder / "params.yaml").write_text(written(clone, {}))
    clone.run("git", "checkout", "--quiet", "--", "params.yaml")
    before = files(clone)
    for override in ("name=../../outside", "name='x; touch touched'", "+lesion.kk=1"):
        clone.run("dvc", "exp", "run", "-S", override, succeeds=False)
        clone.run("git", "checkout", "--quiet", "--", "params.yaml")
    assert files(clone) == before


def test_a_title_may_have_any_characters(tmp_path):
    title = f'"; {TOUCH}; $({TOUCH}) `{TOUCH}` "'
    small_studies.write(tmp_path, data={"title": title, "limit_train": 20, "limit_test": 10})
    done = programs.succeed("pipelines.prepare", folder=tmp_path)
    assert done.stdout.startswith(title)
    assert not (tmp_path / "touched").exists()
