"""Plans of more than five hundred lesions of the paper's networks, against the reference."""

import numpy as np
import pytest

from residual_ensembles import models
from residual_ensembles.lesions import evaluate, reestimate_batch_norm, reference_logits, study_plan
from residual_ensembles.lesions.agreement import agreement
from residual_ensembles.lesions.closeness import ROUNDING
from residual_ensembles.lesions.evaluator import Evaluator

SHAPE = (32, 32, 3)
NUMBERS = {"k": 6, "draws": 19, "swaps": 6, "duplications": 5, "seed": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "depth", "options"),
    [("resnet", 110, {}), ("vgg", 15, {}), ("highway", 110, {"gate_bias": -1.0})],
)
def test_predictions_are_exact(model, depth, options):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (24, *SHAPE)).astype(np.uint8)
    chain = models.build(model, depth, SHAPE, 10, [125.0] * 3, [60.0] * 3, **options)
    reestimate_batch_norm(chain, pictures)
    plan = [row.lesion for row in study_plan(chain, random=True, **NUMBERS)]
    assert len(plan) >= 500
    reference = np.stack(list(reference_logits(chain, plan, pictures, batch_size=24)))
    found = agreement(Evaluator(chain, plan, len(pictures)).logits(pictures), reference)
    print(model, found)
    assert found.n_unexplained == 0
    assert found.n_close < 0.002 * found.n
    assert found.largest_relative_difference < ROUNDING / 2
    assert (reference.argmax(-1) != reference.argmax(-1)[0]).mean() > 0.02  # lesions matter
    cascaded = evaluate(chain, plan, pictures, precision="cascade")
    wrong = (cascaded.predictions != reference.argmax(-1)).sum()
    assert wrong <= found.n_close
