"""What makes two results the same result, to the byte."""

import hashlib
import json
from collections.abc import Sequence

import keras

from residual_ensembles import backend, executor
from residual_ensembles.code import code_checksum


def digest(code: Sequence[str], **facts) -> str:
    """Returns 16 hexadecimal digits of everything that determines a result.

    Args:
        code: Rooms or files of the package whose code decides what comes out.
        **facts: What else does, as plain values. Threads and versions are added.
    """
    everything = {
        **facts,
        "code": code_checksum(*code),
        "threads": executor.task_threads(),
        "versions": {"keras": keras.__version__, **backend.VERSIONS},
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]
