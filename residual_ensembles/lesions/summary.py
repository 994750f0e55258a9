"""How far an evaluation can be trusted, in one line."""

from residual_ensembles.lesions.engine import Evaluation
from residual_ensembles.lesions.margin import UNKNOWN


def summary(evaluation: Evaluation) -> str:
    """Returns what was measured about the exactness of an evaluation, and its memory."""
    n_known = int((evaluation.predictions != UNKNOWN).sum())
    agreement, check = evaluation.agreement, evaluation.check
    parts = [
        f"{int(evaluation.n_close.sum())} of {n_known} predictions with logits closer than "
        f"{evaluation.rounding:.2g} of the largest",
        f"{agreement.n_different} of {agreement.n} differ from the reference on a sample, logits "
        f"by at most {agreement.largest_relative_difference:.1e}",
    ]
    if check is not None:
        parts.append(f"bfloat16 changes {check.n_changed} of {check.n} on a sample")
    if evaluation.n_redone.any():
        parts.append(
            f"{int(evaluation.n_redone.sum())} made again in float32, of which "
            f"{int(evaluation.n_beyond.sum())} rounded more than allowed for"
        )
    return "; ".join([*parts, f"peak memory {evaluation.peak_bytes / 2**20:.0f} MiB"])
