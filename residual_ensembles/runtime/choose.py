"""Choice of the executor of a program.

RESIDUAL_ENSEMBLES_ENGINE is `local` (the default) or `ray`. It is an environment variable, because
where something runs changes no result.
"""

import os

from residual_ensembles.backend import choice
from residual_ensembles.backend.threads import processors, task_threads
from residual_ensembles.runtime.executor import Executor, Serial

ENGINE = "RESIDUAL_ENSEMBLES_ENGINE"
"""The environment variable that chooses where tasks run."""
ENGINES = ("local", "ray")


def choose_engine() -> str:
    """Returns the engine that the environment asks for.

    Raises:
        ValueError: There is no such engine.

    Example:
        >>> choose_engine()  # unless RESIDUAL_ENSEMBLES_ENGINE says "ray"
        'local'
    """
    engine = os.environ.get(ENGINE) or "local"
    if engine not in ENGINES:
        raise ValueError(f"Received {ENGINE}={engine!r}, expected one of {', '.join(ENGINES)}.")
    return engine


def choose_executor(show: bool = False) -> Executor:
    """Returns the executor that the environment asks for.

    Args:
        show: Whether what tasks print on a cluster is shown here; on this machine it always is.

    Raises:
        ValueError: There is no such engine.
        MissingExtraError: It is not installed.
        OSError: Its cluster cannot be used.

    Example:
        >>> with choose_executor() as executor:
        ...     print(type(executor).__name__)
        Local
    """
    if choose_engine() == "ray":
        from residual_ensembles.runtime.cluster import Ray

        return Ray(show)
    if processors() // task_threads() <= 1 or choice.chosen() == "jax":
        return Serial()
    from residual_ensembles.runtime.local import Local

    return Local()
