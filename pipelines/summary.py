"""Prints a study's results as a Markdown table.

python -m pipelines.summary --study=digits
"""

from pathlib import Path

from absl import flags

from residual_ensembles import analysis, cli, report

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("results_dir", "results", "folder with one folder per study")
    flags.DEFINE_string("study", "digits", "name of the study, the folder in --results_dir")


def main() -> None:
    """Prints the table."""
    print(report.results_table(analysis.read_tables(Path(FLAGS.results_dir) / FLAGS.study)))


if __name__ == "__main__":
    define_flags()
    cli.run(main)
