"""Training is repeatable bit for bit: what that needs, and what it does not."""

import os
import subprocess
import sys

import pytest

from residual_ensembles.backend.threads import processors

pytest.importorskip("tensorflow")  # JAX takes the threads that it finds

TRAINED = """
import hashlib, sys
import keras
import numpy as np
import residual_ensembles
import tensorflow as tf
from residual_ensembles import backend, models
from residual_ensembles.training import Trainer, compile_trainer

backend.configure(int(sys.argv[1]))
if int(sys.argv[2]):
    tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[2]))
chain = models.build("resnet", 14, (8, 8, 1), 10, mean=[128.0], std=[64.0])
trainer = Trainer(chain)
compile_trainer(trainer, 0.02, 1e-4)
draw = np.random.default_rng(0)
for step in range(int(sys.argv[3])):
    images = draw.integers(0, 256, (32, 8, 8, 1)).astype("uint8")
    gates = (draw.random(len(chain.modules)) < (1.0, 0.5)[step % 2]).astype("float32")
    trainer.train_on_batch({"images": images, "gates": gates}, draw.integers(0, 10, 32))
digest = hashlib.sha256()
for variable in trainer.state_variables:
    digest.update(np.asarray(variable).tobytes())
print(digest.hexdigest())
"""


def trained(threads: int, between: int, steps: int, **environment: str) -> str:
    """Returns a checksum of weights, statistics and momenta after some steps.

    Args:
        threads: Within an operation; as many as there are processors are pinned, which starts
            TensorFlow with what `configure` has set.
        between: Operations at once; 0 for what `configure` sets.
        steps: Half of them with gates drawn.
        **environment: Variables of the process.
    """
    done = subprocess.run(
        [sys.executable, "-c", TRAINED, str(threads), str(between), str(steps)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_number_of_parallel_operations_changes_no_bit():
    threads = processors() + 1
    assert len({trained(threads, between, steps=20) for between in (1, 4)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("onednn", ["0", "1"])
def test_several_hundred_steps_are_repeated_bit_for_bit(onednn):
    threads = processors() + 1
    runs = {
        trained(threads, between, steps=300, TF_ENABLE_ONEDNN_OPTS=onednn)
        for between in (1, 2, 4, 2)
    }
    assert len(runs) == 1


@pytest.mark.slow
def test_the_default_is_repeated_bit_for_bit():
    assert len({trained(processors(), 0, steps=300) for _ in range(3)}) == 1
