"""Provenance of a result: revision, versions, hardware."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from residual_ensembles import backend
from residual_ensembles.backend import process
from residual_ensembles.backend.threads import process_threads

CODE = (":(top)", ":(top,exclude)params.yaml", ":(top,exclude)dvc.lock")
REVISION = "RESIDUAL_ENSEMBLES_REVISION"
"""The environment variable that says it where the code was sent without its repository."""
PACKAGES = ("residual-ensembles", "keras", "numpy", "tensorflow", "jax")


def provenance() -> dict:
    """Returns revision, versions and hardware, to be saved with a result."""
    return {"revision": revision(), "versions": versions(), "hardware": hardware()}


def revision() -> str:
    """Returns the git revision of the code, with "+" where files have changed; or "unknown".

    params.yaml and dvc.lock do not count: a study changes them.
    """

    if sent := os.environ.get(REVISION):
        return sent

    def git(*arguments):
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that results depend on."""
    result = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            result[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return result


def hardware() -> dict:
    """Returns processor, cores, threads of an operation, memory, devices and process settings."""
    return {
        "backend": backend.NAME,
        "devices": backend.devices(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": process_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        **process.settings(),
    }


def processor() -> str:
    return process.processor_info("model name") or platform.processor() or platform.machine()
