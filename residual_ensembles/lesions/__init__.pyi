from . import sweep
from .constraints import check_lesion, critical_modules, deletable, duplicable, swappable
from .engine.reference import evaluate_reference, reference_logits
from .evaluation import Evaluation, evaluate
from .lesion import Lesion, Step
from .lesioned import LesionedChain
from .outputs import outputs_of
from .plans import (
    PlannedLesion,
    intact,
    random_deletions,
    random_duplications,
    reorderings,
    single_deletions,
    single_duplications,
    study_plan,
)
from .study import lesion_study
from .sweep_settings import SweepSettings
from .table import lesion_table, summary

__all__ = [
    "Evaluation",
    "Lesion",
    "LesionedChain",
    "PlannedLesion",
    "Step",
    "SweepSettings",
    "check_lesion",
    "critical_modules",
    "deletable",
    "duplicable",
    "evaluate",
    "evaluate_reference",
    "intact",
    "lesion_study",
    "lesion_table",
    "outputs_of",
    "random_deletions",
    "random_duplications",
    "reference_logits",
    "reorderings",
    "single_deletions",
    "single_duplications",
    "study_plan",
    "summary",
    "swappable",
    "sweep",
]
