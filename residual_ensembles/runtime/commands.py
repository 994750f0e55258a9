"""Commands of the shell: each line of what they print behind a name, and none outlives us."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from residual_ensembles.backend.threads import THREADS

ENDED_WITH_US = "exec 3<&0; (read -r _ <&3; kill -TERM 0) > /dev/null 2>&1 & "
"""Before a command: ends all that the shell started when this process is no more, even killed."""


def run_command(
    name: str, command: str, folder: str, threads: int, advance: Callable[[float], object]
) -> None:
    """Runs a command to its end, on whichever node has room, in a folder that all nodes reach.

    Args:
        name: What people call it.
        command: For the shell.
        folder: Where it runs.
        threads: Of each operation.
        advance: Called with 1 at the end.

    Raises:
        FileNotFoundError: The folder is not there.
        ChildProcessError: The command did not end well.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"The node {platform.node()} does not reach {folder}, expected a folder on storage "
            "that all nodes have under that name."
        )
    process = started(command, folder, threads)
    last = tell(name, process)
    if process.returncode:
        raise ChildProcessError(f"it ended with {process.returncode}; its last line: {last}")
    advance(1)


def started(command: str, folder: str, threads: int) -> subprocess.Popen:
    """Starts a command in a group of processes of its own, with this Python before others.

    Args:
        command: For the shell.
        folder: Where it runs.
        threads: Of each operation.
    """
    python = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{python}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        THREADS: str(threads),
    }
    return subprocess.Popen(  # noqa: S602 - the command of dvc.yaml, run as DVC runs it
        ENDED_WITH_US + command,
        shell=True,
        cwd=folder,
        env=environment,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def tell(name: str, process: subprocess.Popen) -> str:
    """Prints what a command prints behind its name, to its end, and returns the last line."""
    last = ""
    with process:
        for line in process.stdout:
            last = line.strip() or last
            print(f"{name}: {line.rstrip()}", flush=True)
    return last
