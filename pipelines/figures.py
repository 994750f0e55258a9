"""Stage `figures`: draws every figure from the tables of a study."""

from pipelines import study as studies
from residual_ensembles import analysis, cli, figures
from residual_ensembles.storage.files import write_csv


def main() -> None:
    """Draws the figures, and writes the small tables for `dvc plots show`."""
    folder = studies.load().results
    tables = analysis.read_tables(folder)
    cli.require_writable_folder(folder / "figures")
    wanted = [picture for picture in figures.FIGURES if picture.wanted(tables)]
    for picture in wanted:
        figures.save(picture.draw(tables), folder / "figures", picture.name)
    for name, table in figures.plot_tables(tables).items():
        write_csv(folder / "plots" / f"{name}.csv", table)
    print(f"{len(wanted)} figures: {folder / 'figures'}")


if __name__ == "__main__":
    cli.run(main)
