import keras
import pytest

from residual_ensembles.lesions import Lesion, constraints
from residual_ensembles.models import Chain, PlainModule, is_reorderable, n_noncritical_modules


def test_modules_that_can_be_deleted_duplicated_and_swapped(resnet, vgg):
    assert constraints.deletable(resnet) == tuple(range(1, 10))
    assert constraints.duplicable(resnet) == (1, 2, 3, 5, 6, 8, 9)
    assert constraints.critical_modules(resnet) == (1, 4, 7)
    assert constraints.swappable(resnet) == ((1, 2), (1, 3), (2, 3), (5, 6), (8, 9))
    assert constraints.swappable(resnet, exclude=(1, 4, 7)) == ((2, 3), (5, 6), (8, 9))
    assert constraints.deletable(vgg) == tuple(range(1, 13))
    assert constraints.duplicable(vgg) == (2, *range(4, 13))
    assert (2, 4) not in constraints.swappable(vgg)  # the image is smaller after module 3


@pytest.mark.parametrize(
    ("lesion", "named"),
    [
        (Lesion(deletions=[10]), "not 10"),
        (Lesion(swaps=[(2, 12)]), "not 12"),
        (Lesion(swaps=[(4, 5)]), "module 4"),
        (Lesion(swaps=[(2, 5)]), "position 2 .* position 5"),
        (Lesion(duplications=[7]), "module 7"),
    ],
)
def test_lesions_that_the_network_does_not_allow_are_refused(resnet, lesion, named):
    with pytest.raises(ValueError, match=named):
        constraints.check_lesion(lesion, resnet)


def test_lesions_that_the_network_allows_are_not(resnet):
    constraints.check_lesion(
        Lesion(deletions=[1, 4], swaps=[(1, 2), (2, 3)], duplications=[9]), resnet
    )


def test_a_layer_without_skip_that_changes_the_shape_cannot_go():
    layers = [PlainModule(keras.layers.Dense(3)), PlainModule(keras.layers.Dense(3))]
    chain = Chain(keras.layers.Dense(2), layers, keras.layers.Dense(2), (4,))
    assert constraints.deletable(chain) == (2,)
    with pytest.raises(ValueError, match="module 1"):
        constraints.check_lesion(Lesion(deletions=[1]), chain)


@pytest.mark.parametrize(
    ("model", "depth"), [("resnet", 8), ("resnet", 14), ("highway", 14), ("highway", 20)]
)
def test_what_can_be_reordered_is_known_without_the_network(build, model, depth):
    chain = build(model, depth)
    pairs = constraints.swappable(chain, constraints.critical_modules(chain))
    assert is_reorderable(model, depth) == bool(pairs)


@pytest.mark.parametrize(
    ("model", "depth", "side"),
    [
        ("resnet", 14, 8),
        ("resnet_bottleneck", 50, 32),
        ("highway", 14, 8),
        *(("vgg", 15, side) for side in (2, 3, 4, 8, 16, 32)),
    ],
)
def test_how_many_can_be_deleted_is_known_without_the_network(build, model, depth, side):
    chain = build(model, depth, (side, side, 1))
    expected = len(set(constraints.deletable(chain)) - set(constraints.critical_modules(chain)))
    assert n_noncritical_modules(model, depth, side) == expected
    assert n_noncritical_modules(model, depth) <= expected
