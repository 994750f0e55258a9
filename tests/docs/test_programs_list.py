"""`python -m residual_ensembles` lists programs that there are."""

import importlib.util
import subprocess
import sys

from residual_ensembles.__main__ import PROGRAMS, listing


def test_each_program_is_a_module_that_can_be_run():
    assert [name for name in PROGRAMS if importlib.util.find_spec(name) is None] == []


def test_the_list_names_them_and_loads_no_keras():
    code = (
        "import runpy, sys; runpy.run_module('residual_ensembles', run_name='__main__'); "
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == listing() + "\n"
    assert all(f"python -m {name}" in done.stdout for name in PROGRAMS)
