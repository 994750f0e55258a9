import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = """# @package _global_
defaults:
  - base
  - _self_

name: {name}
network:
  resnet: {{depth: 20}}
train: {{epochs: 1, snapshots: "0,1"}}
data: {{limit_train: 200, limit_test: 40}}
lesion: {{k: 2, draws: 2, swaps: 2, duplications: 2}}
"""
MORE = """
networks: [resnet, vgg]
ensemble: {members: 2, depth: 8, epochs: 1}
paths: {samples: 3, batches: 2, batch_size: 8}
"""
# What may be left out of a study, here of one that is only switched to and back from.
LESS = """
networks: [resnet]
ensemble: {members: 0}
paths: {samples: 0, batches: 1}
"""


class Clone:
    """A copy of the project in a git repository of its own, with tiny studies."""

    def __init__(self, folder: Path):
        self.folder = folder
        git = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
        listed = subprocess.run(git, capture_output=True, check=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
        for name, more in (("tiny", MORE), ("tiny2", LESS)):
            study = folder / f"pipelines/conf/study/{name}.yaml"
            study.write_text(TINY.format(name=name) + more)
        config = folder / "pipelines/conf/config.yaml"
        config.write_text(config.read_text().replace("study: digits", "study: tiny"))
        (folder / "dvc.lock").unlink(missing_ok=True)
        self.run("python", "-m", "pipelines.compose")
        self.run("git", "init", "--quiet")
        self.commit("start")

    def run(self, *command: str, succeeds: bool = True) -> str:
        """Runs a command in the clone and returns what it printed."""
        who = {"NAME": "tester", "EMAIL": "tester@example.org"}
        env = {
            **os.environ,
            **{f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RESIDUAL_ENSEMBLES_CHECKPOINTS": str(self.folder / ".checkpoints"),
            "DVC_NO_ANALYTICS": "1",
        }
        done = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        printed = done.stdout + done.stderr
        assert (done.returncode == 0) == succeeds, printed
        return printed

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    """The clone after the commands of `make reproduce`."""
    made = Clone(tmp_path_factory.mktemp("clone"))
    made.run("dvc", "repro", "prepare")
    made.trained = made.run("python", "-m", "pipelines.train_all")
    made.first_run = made.run("dvc", "repro")
    made.commit("results")
    return made
