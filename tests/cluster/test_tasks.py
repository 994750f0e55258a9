"""Tasks on a cluster, and what may happen to them."""

import os
import signal
import sys

import numpy as np
import pytest

from residual_ensembles.backend import process
from residual_ensembles.lesions import Lesion, evaluate
from residual_ensembles.runtime.cluster import Attempts
from residual_ensembles.runtime.executor import Task


def square(x, advance):
    advance(x)
    return x * x


def total(numbers, advance):
    return int(numbers.sum())


def dies_once(marker, advance):
    if not os.path.exists(marker):
        with open(marker, "w"):
            os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def fails(advance):
    raise ValueError("no luck")


def breaks(advance):
    raise FileNotFoundError(2, "No such file", "weights")


def rounding(advance):
    from residual_ensembles import backend
    from residual_ensembles.backend import process

    backend.devices()
    return process.rounding()


@pytest.fixture(scope="module", autouse=True)
def sent_by_value():
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])


def tasks(function, *arguments):
    return [Task(f"task {each}", function, lambda each=each: each) for each in arguments]


def test_order_progress_and_values_put_once(ray_executor):
    steps, seen = [], {}
    numbers = [(i,) for i in range(12)]
    assert ray_executor.run(tasks(square, *numbers), steps.append, seen.__setitem__) == [
        i * i for i in range(12)
    ]
    assert seen == {i: i * i for i in range(12)}
    assert sum(steps) == sum(range(12))
    scattered = ray_executor.scatter(np.arange(10**6))
    assert ray_executor.run(tasks(total, (scattered,), (scattered,))) == [499999500000] * 2
    facts = ray_executor.provenance()
    assert facts["engine"] == "ray"
    assert facts["threads_of_a_task"] == 1
    assert sum(facts["tasks_by_node"].values()) == 14


def test_nodes_round_as_the_driver_does(ray_executor):
    assert ray_executor.run(tasks(rounding, ())) == [process.rounding()]


def test_a_killed_worker_costs_its_task_and_nothing_else(ray_executor, tmp_path):
    finished = []
    results = ray_executor.run(
        [*tasks(square, (1,), (2,)), *tasks(dies_once, (str(tmp_path / "marker"),))],
        finished=lambda index, result: finished.append(index),
    )
    assert results == [1, 4, "done"]
    assert sorted(finished) == [0, 1, 2]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (fails, r"task \(\): failed 3 times, at last with ValueError: no luck\. What was finished"),
        (breaks, r"failed 3 times, at last with FileNotFoundError: .*weights"),
    ],
)
def test_a_task_that_fails_three_times_stops_the_run(ray_executor, function, message):
    finished = []
    with pytest.raises(OSError, match=message):
        ray_executor.run(
            [*tasks(square, (1,), (2,)), *tasks(function, ())],
            finished=lambda index, result: finished.append(index),
        )
    assert sorted(finished) == [0, 1]


def test_nodes_that_die_count_little_and_are_told_as_often_as_they_did(connected):
    exceptions = connected.ray.exceptions
    attempts, died = Attempts(exceptions), exceptions.NodeDiedError("gone")
    for _ in range(11):
        attempts.failed("task", 5, died)
    with pytest.raises(OSError, match=r"task: failed 12 times, at last with NodeDiedError"):
        attempts.failed("task", 5, died)


def test_the_lesions_of_a_failed_task_are_named(ray_executor, chain, prepared):
    class Broken:
        """Images of more channels than the network takes, from the twenty-fourth on."""

        def __len__(self):
            return 48

        def __getitem__(self, some):
            first = some.start if isinstance(some, slice) else 0
            images = prepared.split("test").images(some)
            return images.repeat(3, axis=-1) if first >= 24 else images

    with pytest.raises(OSError, match=r", 8 images: delete 3: failed 3 times"):
        evaluate(chain, [Lesion(deletions=[3])], Broken(), batch_size=8, executor=ray_executor)


def test_more_than_any_node_has_is_refused(ray_executor):
    with pytest.raises(OSError, match="CPU 1"):
        ray_executor.run(tasks(square, (1,)), memory_bytes=2**60)
