"""Copies of the project, in which DVC runs what it is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.helpers import programs

ROOT = Path(__file__).parents[2]
TINY = """# @package _global_
defaults:
  - base
  - _self_

name: {name}
network:
  resnet: {{depth: 20}}
  highway: {{depth: 8}}
train: {{epochs: 1, snapshots: []}}
data: {{limit_train: 200, limit_test: 40}}
lesion: {{k: 2, draws: 2, swaps: 2, duplications: 2}}
"""


class Clone:
    """A copy of the project in a git repository of its own, with tiny studies.

    Each says something besides `TINY`; the first is the one that runs.
    """

    def __init__(self, folder: Path, studies: dict[str, str]):
        self.folder = folder
        git = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
        listed = subprocess.run(git, capture_output=True, check=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            is_read = name.startswith("docs/results/") or not name.startswith(("tests/", "docs/"))
            if (ROOT / name).is_file() and is_read:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
        for name, more in studies.items():
            study = folder / f"pipelines/conf/study/{name}.yaml"
            study.write_text(TINY.format(name=name) + more)
        config = folder / "pipelines/conf/config.yaml"
        config.write_text(
            config.read_text().replace("study: digits", f"study: {next(iter(studies))}")
        )
        (folder / "dvc.lock").unlink(missing_ok=True)
        self.run("python", "-m", "pipelines.compose")
        self.run("git", "init", "--quiet")
        self.commit("start")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that commands in the clone are given."""
        who = {"NAME": "tester", "EMAIL": "tester@example.org"}
        return {
            **os.environ,
            **{f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RESIDUAL_ENSEMBLES_CHECKPOINTS": str(self.folder / ".checkpoints"),
            "DVC_NO_ANALYTICS": "1",
        }

    def run(self, *command: str, succeeds: bool = True) -> str:
        """Runs a command in the clone and returns what it printed."""
        if command[0] == "dvc":  # as a fork: its imports take longer than most of what it is told
            options = {"folder": self.folder, "n_processors": os.cpu_count(), **self.environment}
            done = programs.run(*command, **options)
        else:
            done = subprocess.run(
                command, cwd=self.folder, env=self.environment, capture_output=True, text=True
            )
        printed = done.stdout + done.stderr
        assert (done.returncode == 0) == succeeds, printed
        return printed

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)
