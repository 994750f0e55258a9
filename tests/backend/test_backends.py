"""Both backends hold to the same logits, order of images and gates; `make test-jax`."""

import os
import subprocess
import sys

import numpy as np
import pytest

from residual_ensembles import data, models
from residual_ensembles.training import Gating

OTHER = """
import sys
import numpy as np
from residual_ensembles import backend, data, models
from residual_ensembles.training import Gating
assert backend.NAME == "jax"
chain = models.load(sys.argv[1])
given = np.load(sys.argv[2])
np.savez(
    sys.argv[3],
    logits=backend.compile(lambda x: chain(x))(given["images"]),
    gated=backend.compile(lambda x, g: chain(x, gates=g))(given["images"], given["gates"]),
    order=data.order(5, 2, 1000),
    gates=Gating("effective_paths", 54, 23).draw(5, 7),
    **data.draw_augmentation(data.Augmentation("pad_crop", 4, True), 5, 2, np.arange(50)),
)
"""


WITHOUT_AVX512 = """
from residual_ensembles import backend
import keras
if backend.bfloat16_problem() is None:
    rows = keras.ops.ones((8, 8), "bfloat16")
    assert keras.ops.matmul(rows, rows)[0, 0] == 8
else:
    assert "ONEDNN_MAX_CPU_ISA" in backend.bfloat16_problem()
"""


@pytest.mark.parametrize("isa", ["DEFAULT", "AVX2"])
def test_bfloat16_is_computed_or_refused(isa):
    limits = {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": isa}
    subprocess.run([sys.executable, "-c", WITHOUT_AVX512], env=os.environ | limits, check=True)


@pytest.mark.jax
@pytest.mark.parametrize(("model", "depth"), [("resnet", 110), ("highway", 20), ("vgg", 15)])
def test_backends_agree(build, images, tmp_path, model, depth):
    chain = build(model, depth)
    for _ in range(3):
        chain(images, training=True)  # moves the statistics
    models.save(chain, tmp_path / "model.keras")
    gates = np.ones(len(chain.modules), "float32")
    gates[1] = 0.0
    np.savez(tmp_path / "given.npz", images=images, gates=gates)
    subprocess.run(
        [
            os.environ["RESIDUAL_ENSEMBLES_JAX_PYTHON"],
            "-c",
            OTHER,
            *(str(tmp_path / name) for name in ("model.keras", "given.npz", "found.npz")),
        ],
        check=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    result = np.load(tmp_path / "found.npz")
    for name, logits in (("logits", chain(images)), ("gated", chain(images, gates=gates))):
        scale = np.abs(logits).max()
        np.testing.assert_allclose(result[name] / scale, np.asarray(logits) / scale, atol=1e-4)
    np.testing.assert_array_equal(result["order"], data.order(5, 2, 1000))
    np.testing.assert_array_equal(result["gates"], Gating("effective_paths", 54, 23).draw(5, 7))
    drawn = data.draw_augmentation(data.Augmentation("pad_crop", 4, True), 5, 2, np.arange(50))
    for name, values in drawn.items():
        np.testing.assert_array_equal(result[name], values)
