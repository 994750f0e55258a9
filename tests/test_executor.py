import os
import signal

import pytest

from residual_ensembles import executor


def square(x, advance):
    advance(x)
    return x * x, os.getpid()


def dies(advance):
    os.kill(os.getpid(), signal.SIGKILL)


def fails(what, advance):
    raise ValueError(f"no {what}")


@pytest.fixture(params=[1, 2])
def at_once(request, monkeypatch):
    monkeypatch.setattr(executor, "at_once", lambda n_tasks: request.param)
    return request.param


def test_results_come_in_the_order_of_the_tasks(at_once):
    steps = []
    results = executor.side_by_side(square, [(3,), (1,), (2,)], steps.append)
    assert [value for value, _ in results] == [9, 1, 4]
    assert sorted(steps) == [1, 2, 3]
    assert (os.getpid() in {pid for _, pid in results}) == (at_once == 1)


def test_what_a_task_raises_comes_through(at_once):
    with pytest.raises(ValueError, match="no luck"):
        executor.side_by_side(fails, [("luck",), ("luck",)], print)


def test_a_killed_process_is_told(monkeypatch):
    monkeypatch.setattr(executor, "at_once", lambda n_tasks: 2)
    with pytest.raises(OSError, match="was killed, perhaps for want of memory"):
        executor.side_by_side(dies, [(), ()], print)


def test_a_process_for_each_processor_and_one_on_jax(monkeypatch):
    monkeypatch.setattr(executor, "processors", lambda: 4)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert [executor.at_once(n) for n in (0, 1, 3, 9)] == [1, 1, 3, 4]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert executor.at_once(9) == 1
