from .feed import EvaluationBatches, Feed
from .gating import Gating
from .optimizer import SCHEDULES, GatedSGD
from .outputs import Outputs
from .run import finished_run, train
from .settings import Settings
from .trainer import Trainer, compile_trainer

__all__ = [
    "SCHEDULES",
    "EvaluationBatches",
    "Feed",
    "GatedSGD",
    "Gating",
    "Outputs",
    "Settings",
    "Trainer",
    "compile_trainer",
    "finished_run",
    "train",
]
