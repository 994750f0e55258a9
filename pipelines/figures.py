"""Stage `figures`: draws every figure from the tables of a study.

`python -m pipelines.figures --help`
"""

from pathlib import Path

from absl import flags

from residual_ensembles import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("results_dir", "results", "folder with one folder per study")
    flags.DEFINE_string("study", "digits", "name of the study, the folder in --results_dir")


def main() -> None:
    """Draws the figures, and writes the small tables for `dvc plots show`."""
    folder = Path(FLAGS.results_dir) / FLAGS.study

    from residual_ensembles.analysis import read_tables
    from residual_ensembles.figures import FIGURES, plot_tables, save
    from residual_ensembles.files import write_csv

    tables = read_tables(folder)
    cli.require_writable_folder(folder / "figures")
    wanted = [picture for picture in FIGURES if picture.wanted(tables)]
    for picture in wanted:
        save(picture.draw(tables), folder / "figures", picture.name)
    for name, table in plot_tables(tables).items():
        write_csv(folder / "plots" / f"{name}.csv", table)
    print(f"{len(wanted)} figures: {folder / 'figures'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
