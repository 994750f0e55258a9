"""What a process has set before TensorFlow is imported, asked of fresh processes."""

import json
import os
import platform
import subprocess
import sys

import pytest

from residual_ensembles.backend import process
from residual_ensembles.backend.threads import processors

OURS = (process.ONEDNN, process.ALLOCATOR, process.MAX_CPU_ISA, "GLIBC_TUNABLES", "LD_PRELOAD")
SETTINGS = """
import json, os
from residual_ensembles import backend
from residual_ensembles.backend import process
backend.devices()
print(json.dumps(process.settings()))
"""


def fresh(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs a program in a process whose environment says nothing but this."""
    others = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith(("MALLOC_", "TF_CPP_"))
    }
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**others, "KERAS_BACKEND": "tensorflow", **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture(scope="module")
def plain():
    """A process that was told nothing."""
    return fresh(SETTINGS)


def test_onednn_is_on_and_tensorflow_prints_nothing(plain):
    settings = json.loads(plain.stdout)
    assert settings["onednn"]
    assert settings["onednn_max_cpu_isa"] is None
    assert settings["instruction_sets"] == process.instruction_sets()
    assert plain.stderr == ""


def test_variables_of_the_environment_are_left_alone():
    settings = json.loads(
        fresh(
            SETTINGS,
            TF_ENABLE_ONEDNN_OPTS="0",
            ONEDNN_MAX_CPU_ISA="AVX2",
            RESIDUAL_ENSEMBLES_ALLOCATOR="system",
        ).stdout
    )
    assert settings["onednn"] is False
    assert settings["onednn_max_cpu_isa"] == "AVX2"
    assert settings["allocator"] == "system"


def test_tensorflow_is_imported_where_stderr_is_closed():
    command = f"{sys.executable} -c 'import residual_ensembles, tensorflow; print(1)' 2>&-"
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S602
    assert done.stdout == "1\n"


def test_other_finders_can_find_tensorflow():
    program = """
import importlib.util, sys
import residual_ensembles
class Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        asked.append(name)
asked = []
sys.meta_path.insert(0, Finder)
importlib.util.find_spec("tensorflow")
sys.meta_path.insert(1, sys.meta_path.pop(0))
importlib.util.find_spec("tensorflow")
print(asked.count("tensorflow"))
"""
    assert int(fresh(program).stdout) >= 2


def test_a_process_that_has_imported_tensorflow_is_left_alone():
    done = fresh(
        "import os, tensorflow\nbefore = dict(os.environ)\nimport residual_ensembles\n"
        "from residual_ensembles.backend import process\n"
        "print(os.environ == before, process.settings()['allocator'])"
    )
    assert done.stdout.split() == ["True", "system"]


KEPT = """
import ctypes
from pathlib import Path
import residual_ensembles
from residual_ensembles.backend import process
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
before = resident()
block = libc.malloc(100 * 2**20)  # MiB; more than glibc keeps by itself
ctypes.memset(block, 1, 100 * 2**20)
libc.free(block)
print(process.settings()["allocator"], resident() - before)
"""


@pytest.mark.parametrize(
    ("environment", "kept"),
    [
        ({}, True),
        ({"RESIDUAL_ENSEMBLES_ALLOCATOR": "keep"}, True),
        ({"RESIDUAL_ENSEMBLES_ALLOCATOR": "system"}, False),
        ({"MALLOC_TOP_PAD_": "131072"}, False),
        ({"GLIBC_TUNABLES": "glibc.malloc.mmap_max=65536"}, False),
        ({"LD_PRELOAD": "libtcmalloc_of_no_such_name.so"}, False),
    ],
)
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other systems allocate otherwise")
def test_freed_memory_is_kept_unless_the_environment_chose(environment, kept):
    allocator, mib = fresh(KEPT, **environment).stdout.split()
    assert allocator == ("keep" if kept else "system")
    assert float(mib) > 90 if kept else float(mib) < 10


def test_an_unknown_allocator_is_refused_in_one_line():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        fresh(SETTINGS, RESIDUAL_ENSEMBLES_ALLOCATOR="jemalloc")
    last = caught.value.stderr.splitlines()[-1]
    assert "RESIDUAL_ENSEMBLES_ALLOCATOR='jemalloc', expected one of keep, system" in last


WORKERS = """
import json
from residual_ensembles import backend
from residual_ensembles.backend import process
from residual_ensembles.runtime.local import Local
from residual_ensembles.runtime.executor import Task
def settings(advance):
    backend.devices()
    return process.settings()
if __name__ == "__main__":
    with Local() as executor:
        for found in executor.run([Task("a", settings, tuple), Task("b", settings, tuple)]):
            print(json.dumps(found))
"""


def test_workers_have_the_settings_of_the_program(plain, tmp_path):
    (tmp_path / "asks_workers.py").write_text(WORKERS)
    program = "import asks_workers, runpy; runpy.run_module('asks_workers', run_name='__main__')"
    done = fresh(program, PYTHONPATH=f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert len(done.stdout.splitlines()) == 2
    for line in done.stdout.splitlines():
        assert json.loads(line)["onednn"]
        assert json.loads(line)["allocator"] == json.loads(plain.stdout)["allocator"]


PINNED = """
import os, sys
from residual_ensembles import backend
backend.configure(int(sys.argv[1]))
backend.devices()
print(sum(len(os.sched_getaffinity(int(thread))) == 1 for thread in os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(processors() < 2, reason="on one processor there is nothing to choose")
@pytest.mark.parametrize(("threads", "pinned"), [(processors(), processors()), (1, 0)])
def test_threads_are_pinned_where_each_has_a_processor(threads, pinned):
    assert int(fresh(PINNED, str(threads)).stdout) == pinned
