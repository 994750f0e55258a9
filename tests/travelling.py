"""An executor whose tasks travel as they would to another process, and are computed in this one."""

import pickle

from residual_ensembles.executor import Executor, Outcome


class Travelling(Executor):
    """Computes what arrived; `nodes` counts it as of "elsewhere"."""

    def outcome(self, handle):
        task, advance = handle
        content = pickle.dumps((task.function, task.arguments()))
        function, arguments = pickle.loads(content)  # noqa: S301 - written a line above
        return Outcome(function(*arguments, advance), 0, "elsewhere")
