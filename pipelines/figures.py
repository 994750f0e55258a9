"""Stage `figures`: draws every figure from the tables of a study.

python -m pipelines.figures
"""

from pipelines import study as studies
from residual_ensembles import analysis, cli, figures


def main() -> None:
    folder = studies.load().results
    tables = analysis.read_tables(folder)
    cli.require_writable_folder(folder / "figures")
    print(f"{figures.draw_figures(tables)} figures: {folder / 'figures'}")


if __name__ == "__main__":
    cli.run(main)
