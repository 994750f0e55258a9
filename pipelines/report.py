"""Stage `report`: decides the claims, and writes the page, its metrics and the authors' points.

python -m pipelines.report
"""

from pipelines import study as studies
from residual_ensembles import analysis, cli, report

COMMAND = "dvc repro --force --single-item figures"
"""Command that redraws the figures, shown below each."""


def main() -> None:
    folder, shown = studies.load().results, studies.read()
    tables = analysis.read_tables(folder)
    cli.require_writable_folder(folder)
    n_claims = report.write_page(tables, shown, COMMAND, report.evidence.read_all())
    print(f"{n_claims} claims, and the page: {folder / 'report.html'}")


if __name__ == "__main__":
    cli.run(main)
