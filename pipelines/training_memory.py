"""What training any network of a study may take in memory."""

from pipelines.study import Study
from residual_ensembles import data, models
from residual_ensembles.training_memory import LEAST_BYTES, training_bytes

NUMBER_BYTES = {"float32": 4, "mixed_bfloat16": 2}
"""By precision."""


def most_bytes(study: Study) -> int:
    """Returns what the largest training takes, beside Python, the libraries and the images.

    Args:
        study: The study.

    Raises:
        ValueError: Its images are not prepared.
    """
    prepared, train = data.load(study.prepared), study.train
    kinds = {(own.model, own.depth) for own in study.trained.values()}
    if study.ensemble.members:
        kinds.add(("resnet", study.ensemble.depth))
    chains = (
        models.build(
            model,
            depth,
            prepared.picture_shape,
            prepared.n_classes,
            prepared.mean,
            prepared.std,
            dtype=train.precision,
        )
        for model, depth in sorted(kinds)
    )
    number = NUMBER_BYTES[train.precision]
    each = (training_bytes(chain, train.batch_size, number) for chain in chains)
    return max(each, default=LEAST_BYTES)
