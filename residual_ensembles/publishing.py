"""A given network as the results of a training that there was none of."""

import hashlib
import time

import keras
import numpy as np
import pandas as pd

from residual_ensembles import backend, models
from residual_ensembles.backend.threads import process_threads
from residual_ensembles.data import Part, Prepared
from residual_ensembles.storage.files import write_csv
from residual_ensembles.storage.fingerprint import digest
from residual_ensembles.storage.provenance import provenance
from residual_ensembles.training.outputs import Outputs
from residual_ensembles.unraveling.given import FILE, given

BATCH = 64
TRAIN_PICTURES = 2000
"""Pictures of the train part that the one row of the history is measured on."""


def publish(
    prepared: Prepared, model: str, weights: str, seed: int, place: Outputs, network: str
) -> dict:
    """Writes what a training would have: model.keras, history.csv of one row, run.json.

    Args:
        prepared: The data.
        model: `keras:PATH.keras` or `application:NAME`.
        weights: Of an application.
        seed: Of the study; of random weights.
        place: Where to.
        network: What the network is called in tables.

    Returns:
        What is in run.json.

    Raises:
        ValueError: There is no such network, it cannot be cut, or it takes other pictures.
    """
    fingerprint = _fingerprint(prepared, model, weights, seed)
    run = place.finished(fingerprint)
    if run is not None and run["network"] == network:
        return run
    keras.utils.set_random_seed(seed)
    chain, start = given(model, prepared.picture_shape, prepared.n_classes, weights), time.time()
    check_fits(chain, model, prepared)
    place.clear()
    models.save(chain, place.model)
    few = {"train": TRAIN_PICTURES}
    errors = {
        name: error_fraction(chain, prepared.part(name), few.get(name))
        for name in ("train", "validation", "test")
    }
    write_csv(place.history, pd.DataFrame({"epoch": [1], "error_fraction": [errors["train"]]}))
    run = {
        "network": network,
        "seed": seed,
        "given": model,
        **network_facts(chain),
        **{f"{name}_error_fraction": errors[name] for name in ("validation", "test")},
        **{f"n_{name}_images": len(prepared.part(name)) for name in ("validation", "test")},
        "dataset": dataset_facts(prepared),
        "fingerprint": fingerprint,
        **provenance(),
    }
    seconds = round(time.time() - start, 1)
    place.finish(fingerprint, run, {"seconds_training": 0.0, "seconds_publishing": seconds})
    return run


def check_fits(chain, model: str, prepared: Prepared) -> None:
    """Refuses a network that takes other pictures, or tells fewer classes apart.

    Raises:
        ValueError: It does.
    """
    shapes = chain.output_shapes
    tells = shapes[0][0] if len(shapes) == 1 and len(shapes[0]) == 1 else 0
    if tuple(chain.picture_shape) != tuple(prepared.picture_shape) or tells < prepared.n_classes:
        raise ValueError(
            f"Received {model}, which takes {tuple(chain.picture_shape)} and puts out {shapes}, "
            f"for {prepared.title} with pictures of {tuple(prepared.picture_shape)} and "
            f"{prepared.n_classes} classes, expected a network of these."
        )


def network_facts(chain) -> dict:
    """Returns what run.json says of a network that was not trained here."""
    has_skips = all(module.has_skip for module in chain.modules)
    return {
        "model": "unravelled" if has_skips else "unravelled_plain",
        "gating": "none",
        "n_parameters": int(chain.count_params()),
        "n_modules": len(chain.modules),
        "modules": [module.title for module in chain.modules],
        "downsampling": list(chain.downsampling),
    }


def dataset_facts(prepared: Prepared) -> dict:
    """Returns what run.json says of the data."""
    return {
        "name": prepared.name,
        "title": prepared.title,
        "checksum": prepared.checksum,
        "n_classes": prepared.n_classes,
    }


def error_fraction(chain, part: Part, most: int | None = None) -> float | None:
    """Returns the error on a part, or on its first pictures; None where it is empty.

    Args:
        chain: The network.
        part: The part.
        most: Pictures to look at; None for all.
    """
    n = len(part) if most is None else min(most, len(part))
    if not n:
        return None
    run = backend.compile(lambda x: chain(x, training=False))
    wrong = 0
    for first in range(0, n, BATCH):
        some = slice(first, min(first + BATCH, n))
        predicted = np.asarray(run(part.pictures(some))).argmax(axis=1)
        wrong += int((predicted != part.labels[some]).sum())
    return wrong / n


def _fingerprint(prepared: Prepared, model: str, weights: str, seed: int) -> str:
    content = ""
    if model.startswith(FILE):
        with open(model.removeprefix(FILE), "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    return digest(
        [__name__],
        process_threads(),
        model=model,
        content=content,
        weights=weights,
        seed=seed,
        data=prepared.checksum,
    )
