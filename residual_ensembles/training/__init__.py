"""How networks are trained: gates, schedules, the train step, checkpoints."""

from residual_ensembles.training.feed import Evaluation, Feed
from residual_ensembles.training.gating import Gating
from residual_ensembles.training.optimizer import GatedSGD
from residual_ensembles.training.outputs import Outputs
from residual_ensembles.training.run import build_network, make_trainer, train
from residual_ensembles.training.schedules import SCHEDULES
from residual_ensembles.training.settings import Settings
from residual_ensembles.training.trainer import Trainer, compile_trainer

__all__ = [
    "SCHEDULES",
    "Evaluation",
    "Feed",
    "GatedSGD",
    "Gating",
    "Outputs",
    "Settings",
    "Trainer",
    "build_network",
    "compile_trainer",
    "make_trainer",
    "train",
]
