import keras
import numpy as np
import pytest
from keras import ops

from residual_ensembles import backend, data
from residual_ensembles.training import Feed, GatedSGD, Gating, Trainer, compile_trainer
from residual_ensembles.training.trainer import gates_of

RATE, DECAY = 0.05, 0.01


@pytest.fixture
def trainer(build):
    made = Trainer(build(depth=8, seed=1))
    compile_trainer(made, RATE, DECAY)
    return made


def batch(gates=None, seed=0):
    random = np.random.default_rng(seed)
    inputs = {"images": random.integers(0, 256, (16, 8, 8, 1)).astype("uint8")}
    if gates is not None:
        inputs["gates"] = np.asarray(gates, "float32")
    return inputs, random.integers(0, 10, 16).astype("int32")


def step(trainer, *batches):
    """One compiled step of `fit` for each batch."""
    trainer.fit((b for b in batches), steps_per_epoch=len(batches), verbose=0, shuffle=False)


def values(variables):
    return [np.array(ops.convert_to_numpy(v.value)) for v in variables]


def gradients(chain, images, labels):
    """The gradient of the mean cross-entropy in training, by the weights."""
    frozen = [(v, ops.convert_to_tensor(v.value)) for v in chain.non_trainable_variables]

    def loss(*weights):
        mapping = [*zip(chain.trainable_variables, weights, strict=True), *frozen]
        with keras.StatelessScope(state_mapping=mapping):
            logits = chain(images, training=True)
        return ops.mean(
            keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        )

    weights = [ops.convert_to_tensor(v.value) for v in chain.trainable_variables]
    value, pullback = backend.vjp(loss, *weights)
    return [np.asarray(g) for g in pullback(ops.ones_like(value))]


def test_a_step_is_momentum_sgd_with_l2_in_the_gradient(trainer):
    (inputs, labels), chain = batch(), trainer.chain
    expected = gradients(chain, inputs["images"], labels)
    before = values(chain.trainable_variables)
    step(trainer, (inputs, labels))
    for v, w, g in zip(values(chain.trainable_variables), before, expected, strict=True):
        np.testing.assert_allclose(v, w - RATE * (g + DECAY * w), atol=2e-5)
    for m, w, g in zip(trainer.optimizer.momentums, before, expected, strict=True):
        np.testing.assert_allclose(m, -RATE * (g + DECAY * w), atol=2e-5)


def test_momentum_accumulates(trainer):
    step(trainer, batch())
    before, velocity = (
        values(trainer.chain.trainable_variables),
        values(trainer.optimizer.momentums),
    )
    step(trainer, batch(seed=1))
    for v, w, m, n in zip(
        values(trainer.chain.trainable_variables),
        before,
        velocity,
        values(trainer.optimizer.momentums),
        strict=True,
    ):
        np.testing.assert_allclose(v - w, n, atol=1e-6)
        assert np.any(np.abs(n - 0.9 * m) > 0)


def test_a_closed_module_keeps_its_weights_and_the_others_learn(trainer):
    step(trainer, batch([1, 1, 1]), batch([1, 1, 1], seed=1))  # so that there is momentum
    optimizer, module = trainer.optimizer, trainer.chain.modules[1]
    closed = [id(v) for v in module.gated_variables]
    variables = [*trainer.chain.variables, *optimizer.momentums]
    momentum_of = {
        id(m): id(v) for m, v in zip(optimizer.momentums, trainer.trainable_variables, strict=True)
    }
    before = values(variables)
    step(trainer, batch([1, 0, 1], seed=2))
    for variable, w, v in zip(variables, before, values(variables), strict=True):
        owner = momentum_of.get(id(variable), id(variable))
        if owner in closed:
            np.testing.assert_array_equal(v, w, err_msg=variable.path)
        elif "normalization" not in variable.path:
            assert np.any(v != w), variable.path


def test_the_projection_of_a_closed_module_learns_on(trainer):
    projection = trainer.chain.modules[1].shortcut.kernel
    before = np.array(projection)
    step(trainer, batch([1, 0, 1]))
    assert np.any(np.asarray(projection) != before)


def test_a_closed_module_is_not_computed(trainer):
    """Weights that are no numbers spoil whatever they are multiplied by, zero included."""
    for variable in trainer.chain.modules[0].gated_variables:
        variable.assign(np.full(variable.shape, np.nan, "float32"))
    step(trainer, batch([0, 1, 1]))
    others = [v for v in trainer.chain.variables if "stage1" not in v.path]
    assert all(np.isfinite(v).all() for v in values(others))


def test_open_gates_train_as_no_gates_do(build):
    results = []
    for gates in (None, [1, 1, 1]):
        made = Trainer(build(depth=8, seed=1))
        compile_trainer(made, RATE, DECAY)
        step(made, batch(gates), batch(gates, seed=1))
        results.append(values(made.chain.variables))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_gates_of_names_residuals_only(build):
    chain = build(depth=8)
    names = {
        v.path.split("/")[-2]: position
        for v, position in zip(chain.trainable_variables, gates_of(chain), strict=True)
    }
    assert names["stage1_block1_conv1"] == names["stage1_block1_norm2"] == 0
    assert names["stage3_block1_conv2"] == 2
    assert names["stage2_block1_projection"] is names["stem_conv"] is names["logits"] is None


def test_loss_and_error_are_means_over_the_epoch(trainer):
    trainer.optimizer.learning_rate = 0.0
    batches = [batch(seed=i) for i in range(3)]
    logs = trainer.fit((b for b in batches), steps_per_epoch=3, verbose=0, shuffle=False).history
    losses, errors = [], []
    for inputs, labels in batches:
        logits = np.asarray(trainer.chain(inputs["images"], training=True))
        logits = logits - logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        losses.append(-log_p[np.arange(16), labels].mean())
        errors.append(np.mean(logits.argmax(axis=1) != labels))
    assert logs["loss"][0] == pytest.approx(np.mean(losses), rel=1e-3)
    assert logs["error_fraction"][0] == pytest.approx(np.mean(errors))


def test_crops_on_the_device_equal_those_on_the_host(prepared, build):
    split = prepared.split("train")
    feed = Feed(split, prepared.augmentation, 50, 3, Gating("none", 3))
    trainer = Trainer(build(depth=8), feed, prepared.mean)
    inputs, labels = feed.batch(5)  # epoch 2, second batch
    order = data.order(3, 2, len(split))[50:100]
    np.testing.assert_array_equal(labels, split.labels[order])
    device = np.asarray(trainer._cropped({k: ops.convert_to_tensor(v) for k, v in inputs.items()}))
    np.testing.assert_allclose(device, split.augmented(order, 3, 2), atol=0.5)


def test_the_images_are_no_part_of_the_state(prepared, build):
    feed = Feed(prepared.split("train"), prepared.augmentation, 50, 3, Gating("none", 3))
    trainer = Trainer(build(depth=8), feed, prepared.mean)
    compile_trainer(trainer, RATE, DECAY)
    assert all(v is not trainer.device_images for v in trainer.state_variables)
    ids = {id(v) for v in trainer.state_variables}
    for v in [*trainer.chain.variables, *trainer.optimizer.variables, *trainer.metrics_variables]:
        assert id(v) in ids


def test_the_optimizer_forgets_the_gates_after_an_error():
    optimizer = GatedSGD(0.1, 0.0, [])
    with pytest.raises(RuntimeError), optimizer.gated("gates"):
        raise RuntimeError
    assert optimizer._gates is None
