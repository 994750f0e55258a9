"""All networks of a study trained on a cluster, in a project with real DVC."""

import json
import subprocess
import sys
import time

import psutil
import pytest

from tests.helpers.clones import Clone

STUDY = """
networks: [resnet]
seeds: [0, 1]
ensemble: {members: 0}
paths: {samples: 0, batches: 1}
"""


@pytest.fixture(scope="module")
def project(environment, tmp_path_factory):
    made = Clone(tmp_path_factory.mktemp("project"), {"trained": STUDY})
    made.run("dvc", "repro", "prepare")
    return made


def test_networks_are_trained_on_the_cluster(project):
    printed = project.run("dvc", "repro", "train")
    (line,) = (line for line in printed.splitlines() if "tasks by node" in line)
    assert "computed by ray" in line
    assert line.count("(1)") == 2
    assert "resnet-1: 1/1 - " in printed
    run = json.loads((project.folder / "results/trained/networks/resnet-1/run.json").read_text())
    head = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=project.folder,
        capture_output=True,
        text=True,
    )
    assert run["revision"].rstrip("+") == head.stdout.strip()


def test_a_killed_training_goes_on_from_its_checkpoint(project):
    parameters = project.folder / "params.yaml"
    text = parameters.read_text()
    before, after = text.split("\ntrain:\n")
    parameters.write_text(f"{before}\ntrain:\n{after.replace('epochs: 1', 'epochs: 20', 1)}")
    project.run("dvc", "repro", "prepare")
    known = set(project.folder.glob(".checkpoints/*"))
    program = subprocess.Popen(
        [sys.executable, "-m", "pipelines.train"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while n_checkpoints(project, known) < 2 and program.poll() is None:
        time.sleep(0.02)
    killed = trainings(project)
    for training in killed:
        training.kill()
    printed, _ = program.communicate()
    assert program.returncode == 0, printed
    assert killed
    assert printed.count("resuming at step") == len(killed)
    assert len(list(project.folder.glob("results/trained/networks/*/run.json"))) == 2


def n_checkpoints(project, known) -> int:
    folders = set(project.folder.glob(".checkpoints/*")) - known
    return sum((folder / "checkpoint.npz").exists() for folder in folders)


def trainings(project) -> list[psutil.Process]:
    """Returns the workers that train networks of the project."""
    result = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or [""]
        if words[0].startswith("ray::") and process.info["cwd"] == str(project.folder):
            result.append(process)
    return result
