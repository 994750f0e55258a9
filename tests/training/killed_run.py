"""A training run in a process of its own, to be killed: `killed_run.py DATA OUTPUT CHECKPOINTS`."""

import sys
from pathlib import Path

from residual_ensembles import backend, data
from residual_ensembles.training import Settings, callbacks, train

callbacks.SECONDS_BETWEEN_CHECKPOINTS = 0.0  # after every step: the more places to go on from

SETTINGS = Settings(
    model="resnet",
    depth=20,
    gating="stochastic_depth",
    epochs=3,
    batch_size=20,
    snapshots=(0, 2, 3),
)

if __name__ == "__main__":
    backend.configure()
    prepared = data.load(sys.argv[1])
    train(prepared, SETTINGS, Path(sys.argv[2]), Path(sys.argv[3]), "resnet")
