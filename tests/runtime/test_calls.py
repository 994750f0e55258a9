"""How a call from Python runs: in this process or in several, with a bar or without."""

import contextlib
import os
import pty
import subprocess
import sys
import termios

import pandas as pd
import pytest

from residual_ensembles import lesion_study, unravel
from residual_ensembles.backend import choice
from residual_ensembles.backend.threads import processors
from residual_ensembles.runtime import Serial, Task
from residual_ensembles.runtime.calls import executor_for, progress_bar
from tests.helpers import unraveled_networks as networks

WHERE = Task("where", lambda advance: os.getpid(), tuple)


@pytest.mark.parametrize("n_jobs", [None, 1, -processors()])
def test_one_job_runs_in_this_process(n_jobs):
    with executor_for(n_jobs) as executor:
        assert executor.run([WHERE]) == [os.getpid()]


@pytest.mark.skipif(choice.chosen() == "jax", reason="which has all threads in one process")
def test_several_jobs_run_in_processes():
    with executor_for(2) as executor:
        assert executor.max_in_flight() == 2
        result = executor.run([WHERE] * 4)
    assert os.getpid() not in result
    assert len(set(result)) <= 2
    with executor_for(-1) as executor:
        assert (
            executor.max_in_flight() == processors()
            if processors() > 1
            else isinstance(executor, Serial)
        )


def test_an_external_executor_stays_open():
    class Counted(Serial):
        closed = 0

        def close(self):
            self.closed += 1

    given = Counted()
    with executor_for(None, given) as executor:
        assert executor is given
    assert given.closed == 0


@pytest.mark.parametrize(
    ("n_jobs", "error"), [(0, ValueError), (1.5, TypeError), ("all", TypeError), (True, TypeError)]
)
def test_invalid_n_jobs_are_refused(n_jobs, error):
    with pytest.raises(error, match="Received n_jobs="), executor_for(n_jobs):
        pass


@pytest.mark.parametrize(("verbose", "shown"), [(1, True), (0, False), ("auto", False)])
def test_verbose_shows_a_progress_bar(verbose, shown, capsys):
    with progress_bar(verbose, 4, "mine: 2 lesions") as advance:
        for _ in range(4):
            advance(1)
    assert ("mine: 2 lesions: 100%" in capsys.readouterr().err) is shown


@pytest.mark.parametrize("verbose", [2, "on", None])
def test_an_invalid_verbose_is_refused(verbose):
    with pytest.raises(ValueError, match="Received verbose="), progress_bar(verbose, 1, ""):
        pass


@pytest.mark.slow
@pytest.mark.skipif(choice.chosen() == "jax", reason="which has all threads in one process")
def test_a_study_in_processes_is_the_same():
    model = networks.residual_net()
    chain, inputs = unravel(model), networks.inputs_for(model, 40)
    pd.testing.assert_frame_equal(
        lesion_study(chain, inputs, n_jobs=2), lesion_study(chain, inputs), rtol=1e-4, atol=1e-6
    )


CALLS = """
import sys
import keras, numpy as np
import residual_ensembles as library

y = x = keras.Input((4,))
for name in ("first", "second", "third"):
    y = keras.layers.Add(name=name)([y, keras.layers.Dense(4, activation="relu")(y)])
chain = library.unravel(keras.Model(x, keras.layers.Dense(3)(y), name="mine"))
x, y = np.random.default_rng(0).normal(size=(20, 4)).astype("float32"), np.arange(20) % 3
for verbose in (0, 1, "auto"):
    for call in (
        lambda: library.lesion_study(chain, x, y, verbose=verbose),
        lambda: library.module_importance(chain, x, y, verbose=verbose),
        lambda: library.prune(chain, 1, (x, y), verbose=verbose),
        lambda: library.gradient_by_length(chain, x, y, verbose=verbose),
        lambda: library.sampled_path_gradients(chain, x, y, [1, 2], 3, verbose=verbose),
    ):
        print("CALL", file=sys.stderr, flush=True)
        call()
"""


def test_each_long_call_shows_a_full_bar_in_a_terminal_or_nothing():
    terminal, its_other_end = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))  # tqdm shows nothing in one without size
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    words = [sys.executable, "-c", CALLS]
    with subprocess.Popen(words, stderr=its_other_end, env=environment) as process:
        os.close(its_other_end)
        text = b""
        with contextlib.suppress(OSError):  # nobody writes any more
            while some := os.read(terminal, 4096):
                text += some
    os.close(terminal)
    assert process.returncode == 0, text
    bars = [heard.replace("\r", "\n").split() for heard in text.decode().split("CALL")[1:]]
    assert bars[:5] == [[]] * 5
    assert [" ".join(bar).count("mine: ") > 0 for bar in bars[5:]] == [True] * 10
    assert ["100%" in " ".join(bar) for bar in bars[5:]] == [True] * 10
