"""An executor whose tasks travel as they would to another process, and are computed in this one."""

import pickle

from residual_ensembles.runtime import Serial, Task


class Traveling(Serial):
    """Computes what arrived."""

    def run(self, tasks, *how, **more):
        return super().run(
            [Task(task.name, _received, _sent(task)) for task in tasks], *how, **more
        )


def _sent(task: Task):
    return lambda: (pickle.dumps((task.function, task.arguments())),)


def _received(content: bytes, advance):
    function, arguments = pickle.loads(content)  # noqa: S301 - written above
    return function(*arguments, advance)
