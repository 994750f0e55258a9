"""The wording of refusals, in one table: what was received, what is expected, how to mend it.

Elsewhere tests hold a refusal to its type and to the parameter, value or file that it names.
"""

import functools

import keras
import numpy as np
import pytest

from pipelines.study import Study
from residual_ensembles import cli, data, models, paths
from residual_ensembles.backend import extras
from residual_ensembles.figures.unraveled import draw_unraveled
from residual_ensembles.lesions import (
    Lesion,
    check_lesion,
    evaluate,
    lesion_study,
    plans,
)
from residual_ensembles.models.architectures import n_modules
from residual_ensembles.parameters import validated
from residual_ensembles.paths import sampled_path_gradients
from residual_ensembles.paths.length_profile import effective_range, log_linear
from residual_ensembles.pruning import module_importance, prune
from residual_ensembles.runtime import choose_executor
from residual_ensembles.statistics.intervals import wilson
from residual_ensembles.statistics.paired import difference_interval, equivalence_over_seeds
from residual_ensembles.statistics.randomness import stratified_draw
from residual_ensembles.training import Gating
from residual_ensembles.unraveling import load, unravel
from tests.helpers import unraveled_networks as networks
from tests.helpers.small_studies import parameters

DIGITS = np.zeros((4, 8, 8, 1), "uint8")
RGB = np.zeros((4, 8, 8, 3), "float32")


@functools.cache
def resnet():
    """A ResNet-20 for `DIGITS`."""
    return models.build("resnet", 20, (8, 8, 1), 10, [0.0], [1.0])


@functools.cache
def net():
    """A network of three modules for `RGB`, taken apart."""
    return unravel(networks.residual_net())


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
        "Received lengths of which 3 have finite log10_norms, expected at least 4: sample more "
        "path lengths.",
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
    (
        lambda: plans.random_deletions([2, 3], k=3, draws=1, seed=0),
        "Received k=3, expected 1 to 2, the number of modules that random_deletion may choose "
        "from.",
    ),
    (
        lambda: plans.reorderings([(2, 3)], swaps=0, draws=1, seed=0),
        "Received swaps=0, expected 1 or more.",
    ),
    (
        lambda: plans.reorderings([], swaps=1, draws=1, seed=0),
        "Received no pairs of modules that can change places, expected at least one; take a "
        "deeper network, or, in a study, leave it out of lesion.networks.",
    ),
    (
        lambda: check_lesion(Lesion(deletions=[10]), resnet()),
        "Received the lesion 'delete 10' for 9 modules, expected numbers from 1 to 9, not 10.",
    ),
    (
        lambda: check_lesion(Lesion(swaps=[(2, 5)]), resnet()),
        "Received the lesion 'swap 2-5', but what reaches position 2 has shape (8, 8, 16), and "
        "position 5 (4, 4, 32); expected two positions of one shape.",
    ),
    (
        lambda: check_lesion(Lesion(duplications=[7]), resnet()),
        "Received the lesion 'duplicate 7', but module 7 changes the shape of what passes "
        "through, from (4, 4, 32) to (2, 2, 64): it cannot run twice. Choose from 1, 2, 3, 5, "
        "6, 8, 9.",
    ),
    (
        lambda: evaluate(resnet(), [Lesion()], DIGITS, precision="float16"),
        "Received precision='float16', expected one of float32, bfloat16, cascade.",
    ),
    (
        lambda: evaluate(resnet(), [Lesion()], DIGITS, fully_evaluated=["single"]),
        "Received fully_evaluated=('single',) with 'single', expected kinds of lesions: intact, "
        "single_deletion, random_deletion, random_deletion_sparing, reorder, single_duplication, "
        "random_duplication.",
    ),
    (
        lambda: evaluate(resnet(), [Lesion()], DIGITS, memory_bytes=1000),
        "Received a memory bound of 1000 bytes for activations of 4096 bytes an image, expected "
        "at least 262144.",
    ),
    (
        lambda: evaluate(resnet(), [], DIGITS),
        "Received no lesions in the plan, expected at least one, such as Lesion(), intact.",
    ),
    (
        lambda: lesion_study(net(), RGB, np.zeros(3, int)),
        "Received targets of shape (3,) and type int64 for 4 inputs and outputs of shape "
        "[(4,)], expected one integer for each input and one number for each of two or more "
        "classes. For anything else say metric=..., for instance metric='binary_accuracy' or "
        "'mean_squared_error'.",
    ),
    (
        lambda: lesion_study(net(), RGB, np.zeros((4, 4))),
        "Received targets of shape (4, 4) whose row 0 is not one-hot, expected a single 1 in "
        "each and zeros beside it. For anything else say metric=..., for instance "
        "metric='binary_accuracy' or 'mean_squared_error'.",
    ),
    (
        lambda: lesion_study(net(), RGB, np.full(4, 9)),
        "Received class labels from 9 to 9, expected 0 to 3: the network has 4 classes.",
    ),
    (
        lambda: lesion_study(net(), RGB, ci_half_width=0.1),
        "Received ci_half_width=0.1 without class labels, expected the class of each example, "
        "and no metric: the interval is that of the error.",
    ),
    (
        lambda: lesion_study(net(), DIGITS),
        "Received inputs of shape (4, 8, 8, 1), expected one or more of (8, 8, 3) each: (n, 8, "
        "8, 3).",
    ),
    (
        lambda: lesion_study(net(), np.full((4, 8, 8, 3), np.nan)),
        "Received inputs that are NaN or infinite, the first in example 0 (counted from 0), "
        "expected numbers: leave such examples out, or fill them in.",
    ),
    (
        lambda: prune(net(), 4, (RGB, np.zeros(4, int))),
        "Received n=4, expected 1 to 3.",
    ),
    (
        lambda: prune(resnet(), 1, (DIGITS, np.zeros(4, int))),
        "Received a Chain, expected what unravel(model) returns: only a Keras model can be "
        "rebuilt without modules.",
    ),
    (
        lambda: module_importance(net(), RGB, np.zeros(4, int), loss="none such"),
        "Received loss='none such', expected what keras.losses.get takes: a name such as "
        "'mean_squared_error', a keras.losses.Loss, or a function of (y_true, y_pred). "
        "See docs/tutorials/your-own-network.md#losses-and-metrics.",
    ),
    (
        lambda: paths.draw_paths([True, False], 0, 1, 0, 0),
        "Received length=0, expected 1 to 2: paths take 1 of 2 modules at least.",
    ),
    (
        lambda: paths.Linearization(resnet(), "eval"),
        "Received batch_norm='eval', expected one of inference, training.",
    ),
    (
        lambda: paths.remaining(5, 6),
        "Received 6 deleted of 5 modules, expected 0 to 5.",
    ),
    (
        lambda: paths.expected_length(5, 6),
        "Received modules_per_batch=6 of 5 modules, expected 0 to 5; None for all.",
    ),
    (
        lambda: sampled_path_gradients(net(), RGB, np.zeros(4, int), [4], 2),
        "Received length=4, expected 0 to 3: paths take 0 of 3 modules at least.",
    ),
    (
        lambda: unravel(networks.residual_net(), boundaries=["thirds"]),
        "Received the layer 'thirds', which net does not have, expected for instance "
        "third_relu, pool, out.",
    ),
    (
        lambda: unravel(networks.residual_net(), modules=["second_conv"]),
        "Received second_conv as a module, but it changes the shape of what passes through, (8, "
        "8, 4) to (4, 4, 6); expected a layer that can be left out.",
    ),
    (
        lambda: unravel(networks.sequential_net()),
        "Received vgg, in which no branch is added back; expected a residual network, or "
        "modules=[...] with layers that keep the shape of what passes through: there are 3 "
        "Conv2D. See docs/tutorials/your-own-network.md#when-a-graph-is-not-cut-as-you-like.",
    ),
    (
        lambda: unravel(keras.Sequential([keras.layers.Dense(3)])),
        "Received a Sequential, expected a functional or sequential Keras model whose graph is "
        "known: build it first, for instance with keras.Model(inputs, outputs).",
    ),
    (
        lambda: load("nowhere.keras"),
        "Received the network nowhere.keras, which is not there, expected a file that "
        "keras.Model.save wrote.",
    ),
    (
        lambda: validated(Study, parameters(lesion={"k": 0})),
        "Received lesion.k=0, expected 1 or more.",
    ),
    (
        lambda: validated(Study, parameters(lesion={"k": 7})),
        "Received lesion.k=7 for resnet, of whose modules 6 may be deleted (all but the first "
        "and the downsampling ones), expected 1..6.",
    ),
    (
        lambda: validated(Study, parameters(lesion={"kk": 1})),
        "Received the unknown parameter lesion.kk, expected networks, k, swaps, duplications, "
        "draws, prune, seed, precision, ci_half_width, fully_evaluated, memory_mib, batch_size.",
    ),
    (
        lambda: validated(Study, parameters(train={"learning_rate": "1e-1"})),
        "Received train.learning_rate='1e-1', expected a number (YAML reads 1e-4 as text: write "
        "1.0e-4).",
    ),
    (
        lambda: validated(Study, parameters(networks=["other"])),
        "Received networks=[other], but there is no network 'other', expected some of resnet.",
    ),
    (
        lambda: validated(Study, parameters(lesion={"draws": 10**9})),
        "lesion: Received k=2, draws=1000000000, swaps=2 and duplications=2, in all "
        "8,000,000,000 random lesions of each network, expected at most 1,000,000: draws · (2 k "
        "+ swaps + duplications).",
    ),
]


@pytest.mark.parametrize(("refused", "message"), MESSAGES)
def test_errors_have_these_messages(monkeypatch, refused, message):
    monkeypatch.setenv("RESIDUAL_ENSEMBLES_ENGINE", "spark")
    with pytest.raises((ValueError, ImportError)) as caught:
        refused()
    assert str(caught.value) == message
