import numpy as np
import pytest
from keras import ops

from residual_ensembles import backend, models
from residual_ensembles.models import resnet
from tests.helpers import hand_built


def move_statistics(chain, seed=0):
    """Gives batch normalization statistics other than 0 and 1, so that mistakes show."""
    random = np.random.default_rng(seed)
    for variable in chain.non_trainable_variables:
        mean = variable.path.endswith("moving_mean")
        values = (
            random.normal(0.0, 0.2, variable.shape)
            if mean
            else random.uniform(0.1, 0.5, variable.shape)
        )
        variable.assign(values)


def logits(chain, images, **arguments):
    return np.asarray(backend.compile(lambda x: chain(x, **arguments))(images))


def test_resnet110_has_the_54_modules_of_the_paper(build):
    chain = build(depth=110, image_shape=(32, 32, 3))
    assert len(chain.modules) == 54
    assert chain.downsampling == (19, 37)
    assert chain.shapes[0] == chain.shapes[18] == (32, 32, 16)
    assert chain.shapes[19] == chain.shapes[36] == (16, 16, 32)
    assert chain.shapes[37] == chain.shapes[54] == (8, 8, 64)


@pytest.mark.parametrize(
    ("depth", "modules"),
    [(50, (3, 4, 6, 3)), (101, (3, 4, 23, 3)), (152, (3, 8, 36, 3)), (200, (3, 24, 36, 3))],
)
def test_bottleneck_modules_per_stage(depth, modules):
    assert resnet.bottleneck_modules_per_stage(depth) == modules
    assert models.n_modules("resnet_bottleneck", depth) == sum(modules)


def test_resnet50_has_the_published_shapes_and_parameters(build):
    chain = build("resnet_bottleneck", 50, (224, 224, 3), n_classes=1000)
    assert chain.shapes[0] == (56, 56, 64)
    assert [chain.shapes[i] for i in (3, 7, 13, 16)] == [
        (56, 56, 256),
        (28, 28, 512),
        (14, 14, 1024),
        (7, 7, 2048),
    ]
    # Convolutions and logits of ResNet-50 (He et al. 2016a): 23,454,912 + 2,049,000 weights; the
    # batch normalizations of this form stand elsewhere and are counted by hand.
    norms = (
        64
        + 2048
        + sum(
            n * (width + 2 * width // 4) - (width - previous)
            for n, width, previous in zip(
                (3, 4, 6, 3),
                resnet.BOTTLENECK_WIDTHS,
                (64, *resnet.BOTTLENECK_WIDTHS),
                strict=False,
            )
        )
    )
    trainable = sum(int(np.prod(v.shape)) for v in chain.trainable_variables)
    assert trainable == 23_454_912 + 2_049_000 + 2 * norms


def test_number_of_parameters_by_hand(build):
    # n = 1: three modules of two 3×3 convolutions and two batch norms (4 numbers a channel).
    convs = 9 * (1 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64)
    projections = 16 * 32 + 32 * 64
    norms = 4 * ((16 + 16) + (16 + 32) + (32 + 64) + 64)
    assert build(depth=8).count_params() == convs + projections + norms + 64 * 10 + 10


@pytest.mark.parametrize("deleted", [(), (1,), (3,), (6,), (1, 3, 5)])
def test_closed_gates_equal_the_network_built_without_the_modules(build, images, deleted):
    chain = build(depth=14)
    move_statistics(chain)
    gates = np.ones(6, "float32")
    gates[[i - 1 for i in deleted]] = 0.0
    expected = hand_built.resnet(chain, 2, deleted)(images)
    result = np.asarray(backend.compile(lambda x, g: chain(x, gates=g))(images, gates))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
    booleans = logits(chain, images, gates=gates > 0)
    np.testing.assert_allclose(booleans, result, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [False, True])
def test_a_number_between_scales_the_residual_of_its_module(build, training):
    module = build(depth=8, survival=[0.6] * 3).modules[0]
    y = np.random.default_rng(0).normal(size=(4, 8, 8, 16)).astype("float32")
    closed, full, half = (
        np.asarray(module(y, gate=ops.convert_to_tensor(g), training=training))
        for g in (False, True, np.float32(0.5))
    )
    np.testing.assert_array_equal(closed, y)
    np.testing.assert_allclose(half - y, (full - y) / 2, atol=1e-6)


def test_open_gates_change_nothing(build, images):
    chain = build(depth=14)
    move_statistics(chain)
    np.testing.assert_array_equal(
        logits(chain, images, gates=np.ones(6, "float32")), logits(chain, images)
    )


def test_deleting_a_module_changes_the_output(build, images):
    chain = build(depth=14)
    move_statistics(chain)
    full = logits(chain, images)
    for i in range(6):
        gates = np.ones(6, "float32")
        gates[i] = 0.0
        assert np.abs(logits(chain, images, gates=gates) - full).max() > 1e-2


def test_without_gates_residuals_are_scaled_by_the_survival_probability(build, images):
    chain = build(depth=14, survival=[0.4] * 6)
    move_statistics(chain)
    expected = hand_built.resnet(chain, 2, scale=0.4)(images)
    np.testing.assert_allclose(logits(chain, images), expected, rtol=1e-4, atol=1e-4)
    # At test time, open gates are no gates; in training a module that runs is not scaled.
    result = logits(chain, images, gates=np.ones(6, "float32"))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
    unscaled = hand_built.resnet(chain, 2)(images, training=True)
    result = chain(images, gates=np.ones(6, "float32"), training=True)
    np.testing.assert_allclose(result, unscaled, rtol=1e-3, atol=1e-3)


def test_a_module_is_its_skip_plus_its_residual(build, images):
    chain = build(depth=14, survival=[0.7] * 6)
    move_statistics(chain)
    y = chain.stem(images)
    for module in chain.modules:
        z = module(y)
        np.testing.assert_allclose(module.after(module.skip(y) + module.residual(y)), z, rtol=1e-5)
        np.testing.assert_array_equal(module.deleted(y), module.after(module.skip(y)))
        y = z


@pytest.mark.parametrize("depth", [7, 9, 111, 2, 0])
def test_depths_that_are_none_are_refused(build, depth):
    with pytest.raises(ValueError, match=f"depth={depth}"):
        build(depth=depth)


def test_unknown_arguments_are_refused(build):
    with pytest.raises(ValueError, match="'resnext'"):
        build("resnext")
    with pytest.raises(ValueError, match="depth=34"):
        build("resnet_bottleneck", 34)
    with pytest.raises(ValueError, match="'float16'"):
        build(dtype="float16")
    with pytest.raises(ValueError, match="2 survival"):
        build(survival=[1.0, 1.0])
    with pytest.raises(ValueError, match=r"survival_probability=1\.5"):
        build(survival=[1.0, 1.0, 1.5])
