"""The wording of refusals, in one table: what was received, what is expected, how to mend it.

Elsewhere tests hold a refusal to its type and to the parameter, value or file that it names. Those
of the parameters of a study are in `pipelines/test_check.py`.
"""

import numpy as np
import pytest

from residual_ensembles import cli, data, models
from residual_ensembles.backend import extras
from residual_ensembles.figures.unraveled import draw_unraveled
from residual_ensembles.lesions import Lesion
from residual_ensembles.models.architectures import n_modules
from residual_ensembles.paths.length_profile import effective_range, log_linear
from residual_ensembles.runtime import choose_executor
from residual_ensembles.statistics import equivalence_over_seeds, wilson
from residual_ensembles.statistics.paired import difference_interval
from residual_ensembles.statistics.randomness import stratified_draw
from residual_ensembles.training import Gating

MESSAGES = [
    (
        lambda: cli.integers("seeds", ["1", "x"]),
        "Received --seeds=1,x, expected integers, 0 or larger, with commas between them, such "
        "as --seeds=0,1,2.",
    ),
    (
        lambda: data.Augmentation("mixup"),
        "Received kind='mixup', expected one of none, pad_crop, random_resized_crop.",
    ),
    (
        lambda: data.Augmentation("none", 4),
        "Received padding=4 for kind='none', expected 0, or a positive number of pixels with "
        "'pad_crop'.",
    ),
    (
        lambda: data.prepare("digits", "nowhere", storage="zip"),
        "Received storage='zip', expected one of auto, arrays, records.",
    ),
    (
        lambda: stratified_draw(np.zeros(3), 4, np.random.default_rng(0)),
        "Received 4 images to draw; expected 0 to 3.",
    ),
    (
        lambda: wilson(3, 2),
        "wilson got 3 wrong of 2 images; expected at least one image and no more wrong than "
        "there are. Pass the columns n_wrong and n_images of one lesion.",
    ),
    (
        lambda: equivalence_over_seeds([0.0, 0.1], 1),
        "margin is 1; expected a fraction between 0 and 1, such as 0.01 for one point of error: "
        "the largest difference that would still count as none.",
    ),
    (
        lambda: difference_interval(3, 3, 5),
        "difference_interval got 3 and 3 discordant of 5 images; expected counts of 0 or more "
        "that add up to no more than the images there are.",
    ),
    (
        lambda: log_linear([0, 1, 2], [0, -1, -2]),
        "log_linear got 3 lengths with a finite norm; expected at least 4. Sample more path "
        "lengths.",
    ),
    (
        lambda: effective_range([1.0, 2.0], 2.0),
        "effective_range got a share of 2.0 and amounts that add up to 3.0; expected a share above "
        "0 and up to 1, and finite amounts with a positive sum.",
    ),
    (
        lambda: draw_unraveled(None, 3, [4]),
        "draw_unraveled got n = 3 and deleted = [4]; expected 1 to 6 modules and deleted ones "
        "among them, counted from 1.",
    ),
    (
        lambda: Lesion(deletions=[0]),
        "Received the number 0 in a lesion, expected 1 or larger: modules and positions are "
        "counted from 1.",
    ),
    (
        lambda: Lesion(swaps=[(4, 4)]),
        "Received the swap 4-4, expected two different positions; leave it out.",
    ),
    (
        lambda: Lesion.parse("remove 3"),
        "Received the lesion 'remove 3', expected for instance 'delete 3,7; swap 4-9,5-7; "
        "duplicate 5' (each word once) or 'intact'.",
    ),
    (
        lambda: n_modules("resnext", 50),
        "Received model='resnext', expected one of resnet, resnet_bottleneck, vgg, highway.",
    ),
    (
        lambda: n_modules("resnet", 111),
        "Received depth=111 for model=resnet, expected 6n + 2 (8, 14, 20, …, 110, …), for instance "
        "110 or 116.",
    ),
    (
        lambda: models.build("vgg", 15, (8, 8, 1), 10, [0.0], [1.0], survival=[0.5] * 12),
        "Received survival probabilities below 1 for model=vgg, expected none: a layer without a "
        "skip cannot be left out in training. Use gating=none.",
    ),
    (
        lambda: Gating("effective_paths", 54, 55),
        "Received modules_per_batch=55 for a network of 54 modules, expected 1..54.",
    ),
    (
        choose_executor,
        "Received RESIDUAL_ENSEMBLES_ENGINE='spark', expected one of local, ray.",
    ),
    (
        lambda: extras.require("cluster", "no_such_package"),
        "Received no no_such_package, which is not installed here, expected: pip install "
        "'residual-ensembles[cluster]'. See docs/getting-started.md#extras.",
    ),
]


@pytest.mark.parametrize(("refused", "message"), MESSAGES)
def test_errors_have_these_messages(monkeypatch, refused, message):
    monkeypatch.setenv("RESIDUAL_ENSEMBLES_ENGINE", "spark")
    with pytest.raises((ValueError, ImportError)) as caught:
        refused()
    assert str(caught.value) == message
