"""TensorFlow's greeting, kept from the terminal."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def quiet_import():
    """Holds back what native libraries write to stderr while they are imported.

    TensorFlow announces its instruction sets and the absence of a GPU on every start, before its
    own log level counts; a program's one line of explanation would drown in it. If the import
    fails, everything is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
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
