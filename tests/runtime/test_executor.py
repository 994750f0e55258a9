import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from residual_ensembles.backend.threads import THREADS
from residual_ensembles.runtime import Serial, Task, choose, choose_executor
from residual_ensembles.runtime.choose import ENGINE
from residual_ensembles.runtime.local import Local
from tests.helpers import programs


def square(x, advance):
    advance(x)
    return x * x, os.getpid()


def total(numbers, advance):
    return int(numbers.sum()), os.getpid()


def dies(advance):
    os.kill(os.getpid(), signal.SIGKILL)


def grows(n_bytes, advance):
    kept = sys.__dict__.setdefault("kept_by_a_test", [])
    kept.append(b"1" * n_bytes)
    time.sleep(1.1)  # loky's own pool would look at most once a second
    return os.getpid()


def goes_on(n, advance):
    for _ in range(n):
        advance(0.25)
        time.sleep(0.2)


def nap(seconds, advance):
    begun = time.monotonic()
    time.sleep(seconds)
    return begun, time.monotonic()


def fails(what, advance):
    raise ValueError(f"no {what}")


def tasks(function, *arguments):
    return [Task(str(each), function, lambda each=each: each) for each in arguments]


@pytest.fixture(scope="module")
def local():
    """Two processes for most tests: each imports TensorFlow before its first task."""
    with Local(2) as made:
        yield made


@pytest.fixture(scope="module", params=["serial", "local"])
def some(request):
    return Serial() if request.param == "serial" else request.getfixturevalue("local")


def test_results_come_in_the_order_of_the_tasks(some):
    steps, seen = [], {}
    results = some.run(tasks(square, (3,), (1,), (2,)), steps.append, seen.__setitem__)
    assert [value for value, _ in results] == [9, 1, 4]
    assert seen == dict(enumerate(results))
    assert sum(steps) == 6
    assert (os.getpid() in {pid for _, pid in results}) == (type(some) is Serial)
    assert some.nodes.total() >= 3
    assert some.provenance()["tasks_by_node"] == dict(some.nodes)
    assert f"({some.nodes.total()})" in some.summary()


def test_a_value_is_scattered_once_for_many_tasks(some):
    numbers = some.scatter(np.arange(1000))
    results = some.run(tasks(total, (numbers,), (numbers,), (numbers,)))
    assert [value for value, _ in results] == [499500] * 3


def test_progress_is_reported_before_tasks_end(local):
    local.run(tasks(square, (1,)))
    steps = []
    local.run(tasks(goes_on, (12,), (12,)), steps.append)
    assert sum(steps) == 6.0
    assert sum(each > 0 for each in steps) > 3
    assert steps[0] < 3.0


def test_a_process_that_has_grown_stays():
    with Local(1) as one:
        assert len(set(one.run(tasks(grows, (1,), (4 * 10**8,), (1,), (1,))))) == 1


def test_errors_of_a_task_are_raised(some):
    with pytest.raises(ValueError, match="no luck"):
        some.run(tasks(fails, ("luck",), ("luck",)))


def test_arguments_are_made_just_before_the_task(some):
    made, seen = [], []

    def argument(x):
        made.append(x)
        return (x,)

    def finished(index, result):
        seen.append(len(made))

    some.run([Task("", square, lambda x=x: argument(x)) for x in range(6)], finished=finished)
    assert seen[0] <= 3
    assert seen[-1] == 6


def test_a_stored_file_is_removed_with_its_value(local):
    path = local.scatter(np.arange(3)).path
    assert not path.exists()


def test_a_value_is_there_until_the_last_task_that_takes_it_ends(some):
    made = [Task(str(i), total, lambda: (some.scatter(np.arange(100)),)) for i in range(5)]
    assert [value for value, _ in some.run(made)] == [4950] * 5


PROGRAM = """
import os, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where tests run in the background
from residual_ensembles.runtime import Task
from residual_ensembles.runtime.local import Local
def computes(_, advance):
    print("begun\\n", end="", flush=True)  # in one write: there are two of us
    while True:
        pass
def trains(name, advance):
    from residual_ensembles import data, training
    folder = Path(sys.argv[1], name)
    prepared = data.prepare("digits", folder / "data", limit_train=200, limit_test=20)
    settings = training.Settings(depth=8, epochs=9999, batch_size=20)
    training.train(prepared, settings, folder / "out", folder / "kept", name)
with Local(2) as local:  # a script without a guard
    function = {"computes": computes, "trains": trains}[sys.argv[2]]
    local.run([Task(str(i), function, lambda i=i: (str(i),)) for i in range(2)])
"""


@pytest.fixture
def program(tmp_path, request):
    """A program in a group of processes of its own, and the two processes that work for it."""
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, tmp_path / "program.py", tmp_path, request.param],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            sign = {"computes": "begun", "trains": "Epoch 2/"}[request.param]
            for _ in range(2):
                assert any(sign in line for line in running.stdout)
            children = psutil.Process(running.pid).children(recursive=True)
            assert len(children) >= 2
            yield running, [child.pid for child in children]
        finally:
            running.kill()


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("computes", signal.SIGKILL),
        ("computes", signal.SIGTERM),
        ("trains", signal.SIGKILL),
    ],
    indirect=["program"],
)
def test_processes_end_with_their_program(program, how):
    running, workers = program
    running.send_signal(how)
    assert all(programs.has_ended(pid, seconds=10) for pid in workers)
    assert running.wait(10) == -how


@pytest.mark.parametrize("program", ["computes"], indirect=True)
def test_ctrl_c_ends_all_and_only_the_program_speaks_of_it(program):
    running, workers = program
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does, to all of them
    assert all(programs.has_ended(pid, seconds=10) for pid in workers)
    _, errors = running.communicate(timeout=10)
    assert errors.count("Traceback") == 1
    assert errors.splitlines()[-1] == "KeyboardInterrupt"


@pytest.mark.parametrize(("memory_bytes", "n_at_once"), [(0, 2), (2**60, 1)])
def test_memory_limits_the_tasks_at_once(local, memory_bytes, n_at_once):
    spans = local.run(tasks(nap, (0.5,), (0.5,), (0.5,)), memory_bytes=memory_bytes)
    at_once = [sum(begun <= other < ended for other, _ in spans) for begun, ended in spans]
    assert max(at_once) == n_at_once


def test_a_killed_process_is_an_error(local):
    with pytest.raises(OSError, match="killed"):
        local.run(tasks(dies, (), ()))
    assert local.run(tasks(square, (2,)))[0][0] == 4


def test_lambdas_and_local_functions_are_sent(some):
    factor = some.scatter(lambda x: 3 * x)
    (result,) = some.run([Task("a", lambda f, x, advance: f(x), lambda: (factor, 7))])
    assert result == 21


@pytest.mark.parametrize(
    ("processors", "threads", "backend", "kind"),
    [
        (2, "", "tensorflow", Local),
        (4, "2", "tensorflow", Local),
        (3, "2", "tensorflow", Serial),
        (1, "", "tensorflow", Serial),
        (4, "", "jax", Serial),
    ],
)
def test_the_executor_of_one_machine(monkeypatch, processors, threads, backend, kind):
    monkeypatch.setattr(choose, "processors", lambda: processors)
    monkeypatch.setenv(THREADS, threads)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.delenv(ENGINE, raising=False)
    with choose_executor() as made:
        assert type(made) is kind


def test_provenance_has_threads_where_they_are_known(monkeypatch):
    monkeypatch.setenv(THREADS, "3")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert Serial().provenance()["threads_of_a_task"] == 3
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert Serial().provenance()["threads_of_a_task"] is None


def test_an_unknown_engine_is_refused(monkeypatch):
    monkeypatch.setenv(ENGINE, "spark")
    with pytest.raises(ValueError, match="RESIDUAL_ENSEMBLES_ENGINE='spark'"):
        choose_executor()


def test_missing_ray_is_an_error(monkeypatch):
    monkeypatch.setenv(ENGINE, "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'residual-ensembles\[cluster\]'"):
        choose_executor()
