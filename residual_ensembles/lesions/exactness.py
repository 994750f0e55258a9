"""How far an evaluation can be trusted: as a row of a table, and in one line."""

from residual_ensembles.lesions.engine import Evaluation
from residual_ensembles.lesions.margin import UNKNOWN


def exactness(evaluation: Evaluation, precision: str) -> dict:
    """Returns what was measured about the exactness of an evaluation, a row of exactness.csv.

    Of all predictions: `n_close` with two best logits closer than `rounding`, a share of the
    largest. Of `n_compared` predictions of a sample: `n_different` from the reference, of these
    `n_unexplained` by rounding, and by how much logits differ. Of `n_rounded`, another sample:
    `n_changed` by bfloat16. Of a cascade's: `n_redone` in float32, and of these `n_beyond`, which
    rounded more than it allows for.
    """
    agreement, check = evaluation.agreement, evaluation.check
    n_lesions, n_images = evaluation.predictions.shape
    return {
        "precision": precision,
        "n_lesions": n_lesions,
        "n_images": n_images,
        "n_predictions": int((evaluation.predictions != UNKNOWN).sum()),
        "n_close": int(evaluation.n_close.sum()),
        "rounding": evaluation.rounding,
        "n_compared": agreement.n,
        "n_different": agreement.n_different,
        "n_unexplained": agreement.n_unexplained,
        "largest_relative_difference": agreement.largest_relative_difference,
        "n_rounded": 0 if check is None else check.n,
        "n_changed": 0 if check is None else check.n_changed,
        "n_redone": int(evaluation.n_redone.sum()),
        "n_beyond": int(evaluation.n_beyond.sum()),
    }


def summary(evaluation: Evaluation, precision: str = "float32") -> str:
    """Returns the same in words, and the memory that it took if anything was computed."""
    found, agreement = exactness(evaluation, precision), evaluation.agreement
    parts = [
        "{n_close} of {n_predictions} predictions with logits closer than {rounding:.2g} of the "
        "largest",
        "{n_different} of {n_compared} differ from the reference on a sample, logits by at most "
        "{largest_relative_difference:.1e}",
    ]
    if agreement.own:
        parts.append(f"the network itself turns rounding into {agreement.own:.1e}")
    if found["n_unexplained"]:
        parts.append("{n_unexplained} of these differ by more than rounding explains")
    if found["n_rounded"]:
        parts.append("bfloat16 changes {n_changed} of {n_rounded} on a sample")
    if found["n_redone"]:
        parts.append(
            "{n_redone} made again in float32, of which {n_beyond} rounded more than allowed for"
        )
    if evaluation.peak_bytes:
        parts.append(f"peak memory {evaluation.peak_bytes / 2**20:.0f} MiB")
    return "; ".join(parts).format(**found)
