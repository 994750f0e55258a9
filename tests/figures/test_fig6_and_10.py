import json
import shutil

import numpy as np
import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures import fig6_path_gradients, fig10_cancellation, fig13_ensemble


def test_cancellation_is_what_the_tables_hold(study):
    ((apart, together),) = fig10_cancellation.both(read_tables(study))
    assert apart - together == pytest.approx(0.12 * np.arange(55), abs=1e-9)


def test_cancellation_has_its_band(study):
    (rows,) = fig10_cancellation.cancelled(read_tables(study))
    assert list(rows.cancelled) == pytest.approx(0.12 * np.arange(55))
    assert (rows.low[1:] < rows.cancelled[1:]).all()
    assert (rows.cancelled[1:] < rows.high[1:]).all()
    right = fig10_cancellation.draw(read_tables(study)).axes[1]
    assert len(right.collections) == len(right.lines) == 1


def test_each_network_is_drawn_with_its_own_number_of_modules(study, tmp_path):
    folder = tmp_path / "digits"
    shutil.copytree(study, folder)
    lesions = pd.read_csv(folder / "lesions.csv")
    short = lesions[lesions.network == "resnet"].assign(network="resnet_short")
    pd.concat([short, lesions]).to_csv(folder / "lesions.csv", index=False)
    facts = json.loads((folder / "networks/resnet-0/run.json").read_text())
    (folder / "networks/resnet_short-0").mkdir()
    (folder / "networks/resnet_short-0/run.json").write_text(json.dumps(facts | {"n_modules": 27}))
    tables = read_tables(folder)
    assert tables.plain == ("resnet_short", "resnet")
    of_one = fig6_path_gradients.draw(tables).axes[1]
    assert max(of_one.lines[-1].get_xdata()) == 54
    assert of_one.get_xlim() == (-0.5, 54.5)
    left = fig13_ensemble.draw(tables).axes[0]
    ends = {min(line.get_xdata()) for line in left.lines if "any module" in line.get_label()}
    assert sorted(ends) == pytest.approx([100 * (1 - 20 / 27), 100 * (1 - 20 / 54)])


def test_the_exact_curve_has_its_band(study):
    of_one = fig6_path_gradients.draw(read_tables(study)).axes[1]
    assert len(of_one.collections) == len(of_one.lines) == 2


def test_without_networks_n_is_the_papers(tmp_path):
    assert fig6_path_gradients.modules_of(read_tables(tmp_path)) == 54
