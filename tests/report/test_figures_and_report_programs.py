import json
import shutil

import pandas as pd

from tests.helpers import programs, small_studies


def test_figures_then_report(study, tmp_path):
    folder = small_studies.write(tmp_path)
    shutil.copytree(study, folder, dirs_exist_ok=True)

    programs.succeed("pipelines.figures", folder=tmp_path)
    assert len(list((folder / "figures").glob("fig*.svg"))) == 15
    assert len(pd.read_csv(folder / "plots" / "random_deletion.csv")) == 40

    report = programs.succeed("pipelines.report", folder=tmp_path)
    assert "results/tiny/report.html" in report.stdout
    assert "train.epochs" in (folder / "report.html").read_text()
    assert len(pd.read_csv(folder / "reference.csv")) == 483
    claims = pd.read_csv(folder / "claims.csv", dtype={"id": str})
    assert "8a" in set(claims.id)
    assert json.loads((folder / "metrics.json").read_text())["claims_reproduced"] > 0


def test_a_missing_study_is_one_line(tmp_path):
    small_studies.write(tmp_path).rmdir()
    done = programs.run("pipelines.report", folder=tmp_path)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "there is no study in" in line
    assert "Traceback" not in done.stderr
