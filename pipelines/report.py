"""Stage `report`: decides the claims, and writes the page, its metrics and the authors' points."""

from pipelines import study as studies
from residual_ensembles import analysis, cli, figures, report
from residual_ensembles.storage.files import write_csv, write_json, write_text

COMMAND = "dvc repro --force --single-item figures"
"""What remakes the figures, shown below each."""


def main() -> None:
    """Writes claims.csv, reference.csv, metrics.json and report.html."""
    folder, shown = studies.load().results, studies.read()
    tables = analysis.read_tables(folder)
    cli.require_writable_folder(folder)
    claims = analysis.claims_table(tables)
    write_csv(folder / "claims.csv", claims)
    figures.write_reference(folder)
    write_json(folder / "metrics.json", report.metrics(tables, claims))
    page = folder / "report.html"
    write_text(page, report.render(tables, claims, shown, COMMAND))
    print(f"{len(claims)} claims, and the page: {page}")


if __name__ == "__main__":
    cli.run(main)
