"""What makes two results the same result, to the byte."""

import hashlib
import json
from collections.abc import Sequence

import keras

from residual_ensembles import backend
from residual_ensembles.backend import process
from residual_ensembles.backend.threads import task_threads
from residual_ensembles.storage.code import code_checksum


def digest(code: Sequence[str], **facts) -> str:
    """Returns 16 hexadecimal digits of everything that determines a result.

    Args:
        code: Rooms or files of the package whose code decides what comes out.
        **facts: What else does, as plain values. Threads, versions and settings of
            the process are added.
    """
    everything = {
        **facts,
        "code": code_checksum(*code),
        "threads": task_threads(),
        "versions": {"keras": keras.__version__, **backend.VERSIONS},
        "rounding": process.rounding(),
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]
