"""The folder of an external network, with the files that training writes."""

import hashlib
import time

import keras
import numpy as np
import pandas as pd

from residual_ensembles import backend, models
from residual_ensembles.backend.threads import process_threads
from residual_ensembles.data import Prepared, Split
from residual_ensembles.models.architectures import UNRAVELED, UNRAVELED_PLAIN
from residual_ensembles.parameters import ExternalNetwork
from residual_ensembles.storage.files import write_csv
from residual_ensembles.storage.fingerprint import digest
from residual_ensembles.storage.provenance import provenance
from residual_ensembles.training.outputs import Outputs
from residual_ensembles.unraveling.external import FILE, load_external

BATCH = 64
TRAIN_IMAGES = 2000
"""Images of the train split that the error in history.csv is measured on, at most."""


def write_external_run(
    prepared: Prepared, parameters: ExternalNetwork, seed: int, outputs: Outputs, network: str
) -> dict:
    """Writes model.keras, history.csv with one row, and run.json of an external network.

    Args:
        prepared: Prepared data.
        parameters: The network, and how to cut it into modules.
        seed: Seed of the study, and of random weights.
        outputs: Folder to write to.
        network: Name of the network in tables.

    Returns:
        The content of run.json.

    Raises:
        ValueError: There is no such network, it cannot be cut, or it takes other images.
    """
    fingerprint = _fingerprint(prepared, parameters, seed)
    run = outputs.finished(fingerprint)
    if run is not None and run["network"] == network:
        return run
    keras.utils.set_random_seed(seed)
    chain, start = load_external(parameters, prepared.image_shape, prepared.n_classes), time.time()
    check_fits(chain, parameters.model, prepared)
    outputs.clear()
    models.save(chain, outputs.model)
    few = {"train": TRAIN_IMAGES}
    errors = {
        name: error_fraction(chain, prepared.split(name), few.get(name))
        for name in ("train", "validation", "test")
    }
    write_csv(outputs.history, pd.DataFrame({"epoch": [1], "error_fraction": [errors["train"]]}))
    has_skips = all(module.has_skip for module in chain.modules)
    run = {
        "network": network,
        "seed": seed,
        "external": parameters.model,
        "model": UNRAVELED if has_skips else UNRAVELED_PLAIN,
        "gating": "none",
        "n_parameters": int(chain.count_params()),
        "n_modules": len(chain.modules),
        "modules": [module.title for module in chain.modules],
        "downsampling": list(chain.downsampling),
        **{f"{name}_error_fraction": errors[name] for name in ("validation", "test")},
        **{f"n_{name}_images": len(prepared.split(name)) for name in ("validation", "test")},
        "dataset": {
            "name": prepared.name,
            "title": prepared.title,
            "checksum": prepared.checksum,
            "n_classes": prepared.n_classes,
        },
        "fingerprint": fingerprint,
        **provenance(),
    }
    seconds = round(time.time() - start, 1)
    outputs.finish(fingerprint, run, {"seconds_training": 0.0, "seconds_evaluation": seconds})
    return run


def check_fits(chain, model: str, prepared: Prepared) -> None:
    """Raises an error unless a network fits the images and classes of the data.

    Raises:
        ValueError: It takes other images, or has fewer classes.
    """
    shapes = chain.output_shapes
    n_classes = shapes[0][0] if len(shapes) == 1 and len(shapes[0]) == 1 else 0
    if tuple(chain.image_shape) != tuple(prepared.image_shape) or n_classes < prepared.n_classes:
        raise ValueError(
            f"Received {model}, which takes {tuple(chain.image_shape)} and outputs {shapes}, "
            f"for {prepared.title} with images of {tuple(prepared.image_shape)} and "
            f"{prepared.n_classes} classes, expected a network of these."
        )


def error_fraction(chain, split: Split, n_images: int | None = None) -> float | None:
    """Returns the error on a split, or on its first `n_images`; None where it is empty."""
    n = len(split) if n_images is None else min(n_images, len(split))
    if not n:
        return None
    run = backend.compile(lambda x: chain(x, training=False))
    wrong = 0
    for first in range(0, n, BATCH):
        some = slice(first, min(first + BATCH, n))
        predicted = np.asarray(run(split.images(some))).argmax(axis=1)
        wrong += int((predicted != split.labels[some]).sum())
    return wrong / n


def _fingerprint(prepared: Prepared, parameters: ExternalNetwork, seed: int) -> str:
    content = ""
    if parameters.model.startswith(FILE):
        with open(parameters.model.removeprefix(FILE), "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    return digest(
        [__name__],
        process_threads(),
        parameters=parameters.model_dump(mode="json"),
        content=content,
        seed=seed,
        data=prepared.checksum,
    )
