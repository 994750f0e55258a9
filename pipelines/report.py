"""Stage `report`: decides the claims, and writes the page, its metrics and the authors' points.

`python -m pipelines.report --help`
"""

from pathlib import Path

from absl import flags

from pipelines import study
from residual_ensembles import analysis, cli, figures, report
from residual_ensembles.storage.files import write_csv, write_json, write_text

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("results_dir", "results", "folder with one folder per study")
    flags.DEFINE_string("study", "digits", "name of the study, the folder in --results_dir")
    flags.DEFINE_string(
        "params_file", "", "YAML file of the study's parameters, shown on the page; empty for none"
    )
    flags.DEFINE_string(
        "command",
        "dvc repro --force --single-item figures",
        "command that remakes the figures, shown below each",
    )


def parameters(path: str) -> dict:
    """Returns the parameters to be shown, none without a file."""
    return study.load(Path(path)) if path else {}


def main() -> None:
    """Writes claims.csv, reference.csv, metrics.json and report.html."""
    folder = Path(FLAGS.results_dir) / FLAGS.study
    shown = parameters(FLAGS.params_file)
    tables = analysis.read_tables(folder)
    cli.require_writable_folder(folder)
    claims = analysis.claims_table(tables)
    write_csv(folder / "claims.csv", claims)
    figures.write_reference(folder)
    write_json(folder / "metrics.json", report.metrics(tables, claims))
    page = folder / "report.html"
    write_text(page, report.render(tables, claims, shown, FLAGS.command))
    print(f"{len(claims)} claims, and the page: {page}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
