"""Prints what the committed studies decide as a Markdown table, or the errors of one study.

python -m pipelines.summary --study=digits

Without --study it is the table of the README: a row a claim, a column a study of docs/results.
"""

from pathlib import Path

from absl import flags

from residual_ensembles import analysis, cli, report

FLAGS = flags.FLAGS


def define_flags() -> None:
    flags.DEFINE_string("results_dir", "results", "folder with one folder per study")
    flags.DEFINE_string("study", None, "name of the study, the folder in --results_dir")


def main() -> None:
    if FLAGS.study is None:
        print(report.evidence.markdown(report.evidence.read_all()))
    else:
        print(report.results_table(analysis.read_tables(Path(FLAGS.results_dir) / FLAGS.study)))


if __name__ == "__main__":
    define_flags()
    cli.run(main)
