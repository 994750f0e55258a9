"""How a call from Python runs: in this process or in several, with a bar or without."""

import os

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
