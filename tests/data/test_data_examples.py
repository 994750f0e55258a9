import doctest
import importlib

import pytest

MODULES = [
    "augmentation",
    "centre_crop",
    "draws",
    "pad_crop",
    "preparation",
    "random_resized_crop",
    "stratified",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_docstrings_hold(name, tmp_path):
    module = importlib.import_module(f"residual_ensembles.data.{name}")
    failed, tried = doctest.testmod(module, extraglobs={"folder": tmp_path / "prepared"})
    assert failed == 0
    assert tried > 0
