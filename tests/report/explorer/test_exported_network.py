import base64

import numpy as np
import pytest

from residual_ensembles.report import explorer


def numbers(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_every_weight_is_there_once(build):
    chain = build("resnet", depth=20)
    exported = explorer.export(chain)
    kernels = [v for v in chain.trainable_variables if v.path.endswith("kernel")]
    half = numbers(exported.half, "<f2")
    assert half.size == sum(int(np.prod(v.shape)) for v in kernels)
    flat = np.concatenate([np.ravel(v) for v in kernels]).astype(np.float16)
    assert sorted(half) == sorted(flat)
    n_vectors = sum(v.shape[0] for v in chain.variables if v.path.endswith(("gamma", "beta")))
    assert numbers(exported.single, "<f4").size == n_vectors + 2 + 10  # of the images, and biases
    assert exported.n_bytes == len(exported.half) + len(exported.single)


def test_what_is_known_of_the_modules(build):
    modules = explorer.export(build("resnet", depth=20, survival=[0.5] * 9)).parts["modules"]
    assert [m["keeps_shape"] for m in modules] == [True] * 3 + [False, True, True] * 2
    assert [m["stage"][0] for m in modules] == [8] * 3 + [4] * 3 + [2] * 3
    assert [m["critical"] for m in modules] == [True, False, False] * 3
    assert {m["survival"] for m in modules} == {0.5}
    assert all(m["deletable"] and m["has_skip"] for m in modules)
    modules = explorer.export(build("vgg", depth=15)).parts["modules"]
    assert [m["stage"][0] for m in modules] == [8, 4, 4] + [2] * 9
    assert not any(m["has_skip"] for m in modules)
    assert all(m["deletable"] for m in modules)


def test_other_networks_are_refused(build):
    with pytest.raises(ValueError, match="module 1, a HighwayModule"):
        explorer.export(build("highway", depth=8))
    with pytest.raises(ValueError, match="stem_pool"):
        explorer.export(build("resnet_bottleneck", depth=50, image_shape=(64, 64, 3)))


def test_room_for_the_papers_networks_and_no_more(chains):
    from tests.helpers.untrained import offered

    resnet = offered(chains["resnet"], "resnet", "ResNet-110")
    assert explorer.fits([], resnet.exported)
    assert explorer.fits([resnet], explorer.export(chains["vgg"]))
    assert not explorer.fits([resnet, resnet], resnet.exported)
