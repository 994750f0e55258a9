import json
import shutil

import pandas as pd
import programs


def run(program, *flags):
    return programs.run(f"pipelines.{program}", *flags)


def test_figures_then_report(study, tmp_path):
    shutil.copytree(study, tmp_path / "digits")
    flags = (f"--results_dir={tmp_path}", "--study=digits")
    params = tmp_path / "params.yaml"
    params.write_text("train:\n  epochs: 30\n")

    figures = run("figures", *flags)
    assert figures.returncode == 0, figures.stderr
    folder = tmp_path / "digits"
    assert len(list((folder / "figures").glob("fig*.svg"))) == 15
    assert len(pd.read_csv(folder / "plots" / "random_deletion.csv")) == 40

    report = run("report", *flags, f"--params_file={params}")
    assert report.returncode == 0, report.stderr
    assert str(folder / "report.html") in report.stdout
    assert "train.epochs" in (folder / "report.html").read_text()
    assert len(pd.read_csv(folder / "reference.csv")) == 483
    claims = pd.read_csv(folder / "claims.csv", dtype={"id": str})
    assert "8a" in set(claims.id)
    assert json.loads((folder / "metrics.json").read_text())["claims_reproduced"] > 0


def test_a_missing_study_is_one_line(tmp_path):
    done = run("report", f"--results_dir={tmp_path}", "--study=nothing")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "there is no study in" in line
    assert "Traceback" not in done.stderr
