"""What training any network of a study may take in memory."""

from pathlib import Path

from pipelines.given import is_given
from residual_ensembles import data, models
from residual_ensembles.training_memory import LEAST_BYTES, training_bytes

PREPARED = Path("data/prepared")
NUMBER_BYTES = {"float32": 4, "mixed_bfloat16": 2}
"""By precision."""


def most_bytes(study: dict) -> int:
    """Returns what the largest training takes, beside Python, the libraries and the pictures.

    Args:
        study: Its parameters.

    Raises:
        ValueError: Its pictures are not prepared.
    """
    prepared, train = data.load(PREPARED / study["name"]), study["train"]
    chains = (
        models.build(
            model,
            depth,
            prepared.picture_shape,
            prepared.n_classes,
            prepared.mean,
            prepared.std,
            dtype=train["precision"],
        )
        for model, depth in sorted(_kinds(study))
    )
    precision = NUMBER_BYTES[train["precision"]]
    each = (training_bytes(chain, train["batch_size"], precision) for chain in chains)
    return max(each, default=LEAST_BYTES)


def _kinds(study: dict) -> set[tuple[str, int]]:
    """Returns model and depth of each network that is trained."""
    own = [study["network"][network] for network in study["networks"]]
    kinds = {(each["model"], each["depth"]) for each in own if not is_given(each)}
    members = {("resnet", study["ensemble"]["depth"])} if study["ensemble"]["members"] else set()
    return kinds | members
