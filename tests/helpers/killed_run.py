"""A training run in a process of its own, to be killed: `DATA OUTPUT CHECKPOINTS`."""

import sys
from pathlib import Path

from residual_ensembles import backend, cli, data
from residual_ensembles.training import Settings, callbacks, train

callbacks.SECONDS_BETWEEN_CHECKPOINTS = 0.0  # after every step: the more places to go on from

SETTINGS = Settings(
    model="resnet",
    depth=8,
    gating="stochastic_depth",
    epochs=3,
    batch_size=20,
    snapshots=(0, 2, 3),
)


def main():
    backend.configure()
    prepared = data.load(arguments[0])
    train(prepared, SETTINGS, Path(arguments[1]), Path(arguments[2]), "resnet")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    del sys.argv[1:]  # they are no flags
    cli.run(main)
