"""Stage `figures`: draws every figure from the tables of a study.

`python -m pipelines.figures --help`
"""

from pathlib import Path

from absl import flags

from residual_ensembles import analysis, cli, figures
from residual_ensembles.storage.files import write_csv

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("results_dir", "results", "folder with one folder per study")
    flags.DEFINE_string("study", "digits", "name of the study, the folder in --results_dir")


def main() -> None:
    """Draws the figures, and writes the small tables for `dvc plots show`."""
    folder = Path(FLAGS.results_dir) / FLAGS.study
    tables = analysis.read_tables(folder)
    cli.require_writable_folder(folder / "figures")
    wanted = [picture for picture in figures.FIGURES if picture.wanted(tables)]
    for picture in wanted:
        figures.save(picture.draw(tables), folder / "figures", picture.name)
    for name, table in figures.plot_tables(tables).items():
        write_csv(folder / "plots" / f"{name}.csv", table)
    print(f"{len(wanted)} figures: {folder / 'figures'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
