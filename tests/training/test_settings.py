import pytest

from residual_ensembles.training import Settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "resnext"}, "model='resnext', expected one of resnet"),
        ({"depth": 111}, "depth=111 for model=resnet"),
        ({"depth": 110.0}, "depth=110.0, expected an integer"),
        ({"gating": "dropout"}, "gating='dropout'"),
        ({"gating": "effective_paths", "modules_per_batch": 55}, "expected 1..54"),
        ({"survival_probability": 0.0}, "survival_probability=0.0, expected more than 0"),
        ({"epochs": 0}, "epochs=0, expected 1 or more"),
        ({"batch_size": True}, "batch_size=True"),
        ({"learning_rate": 0.0}, "learning_rate=0.0, expected more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan, expected a number"),
        ({"weight_decay": "1e-4"}, "weight_decay='1e-4'.*write 1.0e-4"),
        ({"weight_decay": -1.0}, "expected 0 or more"),
        ({"schedule": "step"}, "schedule='step', expected one of paper, cosine, imagenet"),
        ({"seed": -1}, "seed=-1"),
        ({"precision": "float16"}, "precision='float16'"),
        ({"snapshots": (0, 31)}, "snapshot at epoch 31 of 30"),
        (
            {"model": "vgg", "depth": 15, "gating": "effective_paths", "modules_per_batch": 5},
            "without a skip",
        ),
        ({"model": "highway", "gating": "stochastic_depth"}, "its own gate"),
    ],
)
def test_invalid_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**change)
