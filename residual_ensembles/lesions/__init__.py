"""Lesions: what they are, plans of them, and what a network predicts after each."""

from residual_ensembles.lesions.batch_norm import reestimate_batch_norm
from residual_ensembles.lesions.bearing import check, deletable, duplicable, spared, swappable
from residual_ensembles.lesions.engine import PRECISIONS, Evaluation, evaluate
from residual_ensembles.lesions.lesion import Lesion, Step
from residual_ensembles.lesions.outputs import outputs_of
from residual_ensembles.lesions.plans import (
    PlannedLesion,
    intact,
    random_deletions,
    random_duplications,
    reorderings,
    single_deletions,
    single_duplications,
    study_plan,
)
from residual_ensembles.lesions.reference import evaluate_reference, reference_logits
from residual_ensembles.lesions.study import lesion_study, n_classes
from residual_ensembles.lesions.summary import summary
from residual_ensembles.lesions.table import lesion_table
from residual_ensembles.pieces import Pieces

__all__ = [
    "PRECISIONS",
    "Evaluation",
    "Lesion",
    "Pieces",
    "PlannedLesion",
    "Step",
    "check",
    "deletable",
    "duplicable",
    "evaluate",
    "evaluate_reference",
    "intact",
    "lesion_study",
    "lesion_table",
    "n_classes",
    "outputs_of",
    "random_deletions",
    "random_duplications",
    "reestimate_batch_norm",
    "reference_logits",
    "reorderings",
    "single_deletions",
    "single_duplications",
    "spared",
    "study_plan",
    "summary",
    "swappable",
]
