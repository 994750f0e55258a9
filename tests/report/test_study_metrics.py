import json

import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.report.key_results import metrics


def test_metrics_are_flat_and_in_percent(study, claims):
    tables = read_tables(study)
    result = metrics(tables, claims)
    rows = tables.sweep("resnet", "random_deletion_sparing")
    mean = rows[rows.n_operations == 10].error_fraction.mean()
    assert result["resnet_10_deleted_spared_error_percent"] == pytest.approx(100 * mean, abs=1e-4)
    assert result["vgg_median_single_deletion_error_percent"] > 80
    assert "vgg_10_deleted_any_error_percent" not in result
    assert result["claims_reproduced"] > 5
    assert all(isinstance(value, int | float) for value in result.values())
    json.dumps(result, allow_nan=False)
