"""What training takes: by hand for a small network, and as large as it should be for others."""

import pytest

from pipelines import training
from pipelines.study import Study
from pipelines.training import training_bytes
from residual_ensembles import data
from tests.helpers import small_studies


def test_feature_maps_and_weights_are_counted(build, monkeypatch):
    monkeypatch.setattr(training, "MIN_BYTES", 0)
    chain = build(depth=8)
    # Two convolutions in each module, and where the shape changes a projection.
    maps = 2 * 64 * 16 + 3 * 16 * 32 + 3 * 4 * 64
    weights = 16 * chain.count_params()
    assert training_bytes(chain, 10) == 6 * maps * 10 * 4 + weights
    assert training_bytes(chain, 10, 2) == 6 * maps * 10 * 2 + weights


def test_a_small_network_takes_the_minimum(build):
    assert training_bytes(build(depth=8), 16) == 2**30


def test_the_largest_of_a_study_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "MIN_BYTES", 0)
    data.prepare("digits", tmp_path / "data/prepared/tiny", limit_train=40, limit_test=10)

    def largest_training_bytes(**changes) -> int:
        kinds = {
            "small": {"model": "resnet", "depth": 8},
            "large": {"model": "resnet", "depth": 110},
            "given": {"model": "application:ResNet50", "weights": "random"},
        }
        usual = {
            "network": kinds,
            "networks": ["small", "given"],
            "ensemble": {"members": 0, "depth": 14},
            "lesion": {"networks": []},
            "paths": {"networks": []},
        }
        return training.largest_training_bytes(
            Study.model_validate(small_studies.parameters(**usual | changes))
        )

    small = largest_training_bytes()
    members = largest_training_bytes(ensemble={"members": 2, "depth": 14})
    large = largest_training_bytes(networks=["small", "large"])
    assert 0 < small < members < large < 2**29
    with pytest.raises(ValueError, match="nowhere"):
        largest_training_bytes(name="nowhere")
