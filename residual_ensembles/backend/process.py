"""Settings of a process that count only before TensorFlow is imported.

`prepare` is called when the package is imported, so that programs, workers and users' processes
have the same settings. Variables that the environment already sets are left alone, and so is a
process that has imported TensorFlow.
"""

import contextlib
import ctypes
import importlib.abc
import os
import platform
import sys
import tempfile
from pathlib import Path

from residual_ensembles.backend import choice, extras

ALLOCATOR = "RESIDUAL_ENSEMBLES_ALLOCATOR"
"""The environment variable that chooses how glibc treats freed memory."""
ALLOCATORS = ("keep", "system")
"""`keep` (the default) for the next step; `system` as glibc does by default."""
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""TensorFlow's variable: whether its operations are those of oneDNN."""
MAX_CPU_ISA = "ONEDNN_MAX_CPU_ISA"
"""oneDNN's variable: the largest instruction set that it may use."""

# Of mallopt(3). Without them glibc maps large blocks again and gives them back after each step, and
# the kernel clears every page again, which on some machines takes as long as the computation.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEEP = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 64 * 2**20}
_OF_GLIBC = ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")

# Those that matter to numerical libraries, as /proc/cpuinfo names them.
_INSTRUCTION_SETS = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
)

_allocator = "system"


def prepare() -> None:
    """Makes the settings, unless TensorFlow has been imported."""
    global _allocator
    sys.meta_path.insert(0, _KerasWithoutBackend())
    if "tensorflow" in sys.modules:
        return
    # TensorFlow leaves it off on processors without AVX-512-VNNI, where it is twice as fast too.
    os.environ.setdefault(ONEDNN, "1")
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
        sys.meta_path.insert(0, _QuietTensorFlow())
    if os.environ.get(ALLOCATOR) != "system" and not _user_chose_allocator() and _keep_memory():
        _allocator = "keep"


def problem() -> str | None:
    """Returns in one sentence why nothing can be computed in this environment, or None."""
    if choice.problem() is not None:
        return choice.problem()
    allocator = os.environ.get(ALLOCATOR) or ALLOCATORS[0]
    if allocator not in ALLOCATORS:
        return f"Received {ALLOCATOR}={allocator!r}, expected one of {', '.join(ALLOCATORS)}."
    return None


def settings() -> dict:
    """Returns the settings in force, to be saved with a result."""
    return {"allocator": _allocator, "instruction_sets": instruction_sets(), **rounding()}


def rounding() -> dict:
    """Returns the settings in force that change how results are rounded."""
    port = sys.modules.get("tensorflow.python.util._pywrap_util_port")
    if choice.chosen() != "tensorflow":
        port = None
    return {
        "onednn": None if port is None else bool(port.IsMklEnabled()),
        "onednn_max_cpu_isa": os.environ.get(MAX_CPU_ISA) or None,
    }


def instruction_sets() -> list[str]:
    """Returns the relevant instruction sets of the processor; none where they are not known."""
    flags = processor_info("flags").split()
    return [name for name in _INSTRUCTION_SETS if name in flags]


def processor_info(field: str) -> str:
    """Returns what /proc/cpuinfo says of the first processor; "" where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def _user_chose_allocator() -> bool:
    return (
        any(name in os.environ for name in _OF_GLIBC)
        or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
        or "malloc" in os.environ.get("LD_PRELOAD", "")  # tcmalloc, jemalloc
    )


def _keep_memory() -> bool:
    """Makes glibc keep freed memory; returns False for another C library."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(name, value) for name, value in _KEEP.items()])


class _KerasWithoutBackend(importlib.abc.MetaPathFinder):
    """Says what to install, where Keras is imported and would fail on a backend that is missing."""

    def find_spec(self, fullname, path, target=None):
        if fullname == "keras" and choice.is_missing():
            raise extras.MissingExtraError(choice.problem(), name=choice.chosen())
        return None


class _QuietTensorFlow(importlib.abc.MetaPathFinder):
    """Suppresses the messages that TensorFlow prints while it is imported.

    They list its instruction sets and the absence of a GPU, before its own log level counts, and
    would hide a program's one line of explanation.
    """

    def find_spec(self, fullname, path, target=None):
        if fullname != "tensorflow":
            return None
        others = [finder for finder in sys.meta_path if not isinstance(finder, _QuietTensorFlow)]
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module):
                with _suppressed_stderr():
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign] # this one alone
        return spec


@contextlib.contextmanager
def _suppressed_stderr():
    """Suppresses what native libraries write to stderr, unless the block fails."""
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed, and nothing is shown anyway
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
