"""Arguments of the wrong kind are a TypeError, those out of range a ValueError, each by name."""

import inspect
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest

from residual_ensembles import arguments, lesions, models, unravel
from residual_ensembles.paths import GradientStudy, draw_batch, gradient_by_length, share_within

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("value", [0, 3, np.int64(3), np.uint8(3)])
def test_integers_are_returned(value):
    result = arguments.require_integer("n", value, 0, 3)
    assert (result, type(result)) == (value, int)


@pytest.mark.parametrize("value", [1.0, 1.5, NAN, True, np.True_, "1", None, [1], np.array([1])])
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(TypeError, match=r"Received n=.*, expected an integer\."):
        arguments.require_integer("n", value)


@pytest.mark.parametrize(
    ("value", "most", "message"),
    [(-1, None, "n=-1, expected 0 or more"), (4, 3, "n=4, expected 0 to 3")],
)
def test_an_integer_out_of_range_is_refused(value, most, message):
    with pytest.raises(ValueError, match=message):
        arguments.require_integer("n", value, 0, most)


def test_numbers():
    assert arguments.require_number("p", 0.5) == 0.5
    assert arguments.require_number("p", np.float32(0.5)) == 0.5
    for value in (True, "0.5", None, 1j):
        with pytest.raises(TypeError, match=r"Received p=.*, expected a number\."):
            arguments.require_number("p", value)
    for value in (NAN, INF, -INF):
        with pytest.raises(ValueError, match=r"Received p=-?(nan|inf), expected a finite number"):
            arguments.require_number("p", value)


def test_choices():
    assert arguments.require_choice("kind", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match=r"Received kind='c', expected one of a, b\."):
        arguments.require_choice("kind", "c", ("a", "b"))
    with pytest.raises(TypeError, match=r"Received kind=\['a'\], expected one of a, b\."):
        arguments.require_choice("kind", ["a"], ("a", "b"))


def test_paths():
    for value in ("x", Path("x")):
        arguments.require_path("folder", value)
    for value in (b"x", 3, None, True):
        with pytest.raises(TypeError, match=r"Received folder=.*, expected a path\."):
            arguments.require_path("folder", value)
    for value in ("", " ", "a\0b", "x" * 5000):
        with pytest.raises(ValueError, match=r"Received folder=.*, expected a path\."):
            arguments.require_path("folder", value)


def test_a_long_value_is_shortened():
    with pytest.raises(TypeError) as caught:
        arguments.require_number("p", "x" * 1000)
    assert len(str(caught.value)) < 150


@arguments.checked
def mixed(
    n: int = 0,
    share: float = 0.5,
    names: Sequence[str] = (),
    pairs: Sequence[tuple[int, int]] = (),
    folder: Path | None = None,
    rows: np.ndarray | None = None,
    anything=None,
) -> tuple:
    return n, share, names, pairs, folder, rows, anything


@pytest.mark.parametrize(
    "right",
    [
        {"n": np.int64(3), "share": 1},
        {"share": np.float32(0.5), "anything": object()},
        {"names": ["a"], "pairs": [(1, 2)]},
        {"names": np.array(["a"]), "folder": "x"},
        {"folder": None, "rows": np.eye(2)},
    ],
)
def test_arguments_of_the_annotated_kinds_are_taken(right):
    result = dict(zip(inspect.signature(mixed).parameters, mixed(**right), strict=True))
    assert all(result[name] is value for name, value in right.items())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("n", True),
        ("n", 1.5),
        ("n", None),
        ("share", NAN),
        ("share", "1"),
        ("names", "ab"),
        ("names", ["a", 1]),
        ("names", {"a": 1}),
        ("pairs", [(1, 2, 3)]),
        ("pairs", 5),
        ("folder", b"x"),
        ("rows", "x"),
    ],
)
def test_arguments_of_other_kinds_are_refused_by_name(name, wrong):
    with pytest.raises(TypeError, match=f"^Received {name}.*, expected "):
        mixed(**{name: wrong})


def test_the_making_of_a_class_is_checked():
    with pytest.raises(TypeError, match=r"Received batches=1\.5, expected an integer"):
        GradientStudy(batches=1.5)


def resnet(n_classes=2):
    return models.build("resnet", 8, (8, 8, 1), n_classes, [0.0], [1.0])


IMAGES, LONG, LAYER = np.zeros((2, 8, 8, 1), "uint8"), "x" * 1000, keras.layers.Identity()


@pytest.mark.parametrize(
    ("call", "error", "name"),
    [
        (lambda: resnet(10**9), ValueError, "n_classes"),
        (lambda: models.reestimate_batch_norm("a", IMAGES), TypeError, "network"),
        (lambda: models.Chain("a", [1], None, (8,)), TypeError, "stem"),
        (
            lambda: models.Chain(*[keras.layers.Identity(), [1], keras.layers.Identity()], (8,)),
            TypeError,
            r"modules\[0\]",
        ),
        (lambda: models.Chain(LAYER, [LAYER], LAYER, "8"), TypeError, "input_shape"),
        (lambda: models.BatchNormalization(epsilon="a"), TypeError, "epsilon"),
        (lambda: models.Module(LAYER, survival_probability="a"), TypeError, "survival_probability"),
        (lambda: models.n_modules("resnet", 2**31), ValueError, "depth"),
        (lambda: unravel(keras.Sequential([keras.Input((2,)), LAYER]), 3), TypeError, "modules"),
        (
            lambda: unravel(keras.Sequential([keras.Input((2,)), LAYER]), example_inputs={}),
            ValueError,
            "example_inputs",
        ),
        (lambda: share_within(10**18, 0, 1), ValueError, "n="),
        (lambda: lesions.evaluate(resnet(), "delete 2", IMAGES), TypeError, "plan"),
        (lambda: lesions.PlannedLesion("own", True, lesions.Lesion()), TypeError, "draw"),
        (lambda: lesions.random_deletions([2], 1, 10**30, 0), ValueError, "k=1, draws="),
        (lambda: lesions.Lesion.parse(LONG), ValueError, "the lesion"),
        (lambda: draw_batch(2**63, 4, 0, 0), ValueError, "n_images"),
        (lambda: lesions.evaluate(resnet(), ["delete 2"], "a b"), TypeError, "inputs"),
        (lambda: lesions.evaluate(resnet(), ["delete 2"], [1.5]), TypeError, "inputs"),
        (
            lambda: gradient_by_length(resnet(), IMAGES, [0, 1], batch_norm=LONG),
            ValueError,
            "batch_norm",
        ),
        (lambda: gradient_by_length(resnet(), IMAGES, [0, 1], loss=LONG), ValueError, "loss"),
    ],
)
def test_what_cannot_be_is_refused_by_name_in_few_words(call, error, name):
    with pytest.raises(error, match=f"^Received {name}") as caught:
        call()
    assert len(str(caught.value)) < 500
