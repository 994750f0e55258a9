"""Pages of the site that follow from the code: API, command lines, figures, committed studies."""

import gzip
import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import yaml

import residual_ensembles
from residual_ensembles.__main__ import PROGRAMS

DOCS = Path(__file__).parent
PAGES = DOCS / "generated"
STUDIES = DOCS / "results"
"""Committed studies: a folder each, with the tables."""


def write_pages() -> None:
    """Writes every page; one that says the same already is left alone, and not read anew."""
    pages = {"command-lines": command_lines(), "figures": figures()}
    pages |= {name: write() for name, write in PARTS.items()}
    pages |= api_pages()
    PAGES.mkdir(exist_ok=True)
    for path in PAGES.glob("*.md"):
        if path.stem not in pages:
            path.unlink()
    for name, text in pages.items():
        path = PAGES / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def api_pages() -> dict[str, str]:
    """Returns the pages of the API: what the package offers by itself, and one for each package."""
    public = {name: getattr(residual_ensembles, name) for name in residual_ensembles.__all__}
    packages = [name for name, value in public.items() if isinstance(value, ModuleType)]
    entries = "\n\n".join(
        f".. {'autoclass' if isinstance(value, type) else 'autofunction'}:: {name}"
        + ("\n   :members:\n   :no-index:" if isinstance(value, type) else "")
        for name, value in public.items()
        if callable(value)
    )
    listed = "\n".join(f"   api-{name}" for name in packages)
    pages = {
        "api": f"""# API

What is needed to take a network apart is in `residual_ensembles` itself. Everything else is
imported by the name of its package, `from residual_ensembles import lesions`. Only what is listed
here is public.

```{{eval-rst}}
.. currentmodule:: residual_ensembles

{entries}

.. toctree::
   :caption: Packages

{listed}
```
"""
    }
    for name in packages:
        pages[f"api-{name}"] = f"""# residual_ensembles.{name}

```{{eval-rst}}
.. automodule:: residual_ensembles.{name}
   :members:
```
"""
    return pages


def command_lines() -> str:
    """Returns what `--help` says of each program."""
    parts = [
        "# Command lines\n\nWhat each program says of itself. `python -m residual_ensembles` "
        "lists the programs. Parameters of a study are explained in "
        "[Parameters](../reference/parameters.md)."
    ]
    for name, purpose in PROGRAMS.items():
        parts.append(f"## {name}\n\n`python -m {name}` {purpose}.\n\n```text\n{_help(name)}\n```")
    return "\n\n".join(parts) + "\n"


def _help(program: str) -> str:
    """Returns what a program says of itself and its flags."""
    command = [sys.executable, "-m", program, "--help"]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return done.stdout.strip().replace(str(DOCS.parent), ".")


def figures() -> str:
    """Returns the gallery: every figure, drawn from the study on digits."""
    gallery = importlib.import_module("residual_ensembles.figures").FIGURES
    parts = [
        "# Gallery\n\nEvery figure that a study draws, here of the study on digits "
        "(`make reproduce`). Figures 1 to 8 are the paper's; gray points are the measurements of "
        "its authors on CIFAR-10."
    ]
    for figure in gallery:
        path = DOCS / "figures" / f"{figure.name}.svg"
        if path.exists():
            source = f"{figure.source} of the paper. " if figure.source else ""
            table = f" Drawn from `{figure.table}`." if figure.table else ""
            parts.append(
                f"## {figure.title}\n\n![{figure.title}](../figures/{path.name})\n\n"
                f"{source}{figure.paper}{table}"
            )
    return "\n\n".join(parts) + "\n"


def studies() -> str:
    """Returns what the committed studies decide, with links to their pages."""
    evidence = importlib.import_module("residual_ensembles.report.evidence")
    key_results = importlib.import_module("residual_ensembles.report.key_results")
    all_studies = evidence.read_all(STUDIES)
    if not all_studies:
        return "No study is committed yet: `python -m pipelines.publish` puts one there.\n"
    rows = ["| study | images | page | explorer | claims | verdicts |", "|---|---|---|---|---|---|"]
    for study in all_studies:
        counts = key_results.tally(study.claims)
        cells = [
            f"`{study.name}`",
            study.title,
            *(_link(study.name, file) for file in ("report.html", "explorer.html", "claims.csv")),
            ", ".join(f"{count} {verdict}" for verdict, count in counts.items()),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    listed = "\n".join(rows)
    return f"{listed}\n\n{evidence.markdown(all_studies, with_intervals=True)}\n"


def _link(study: str, file: str) -> str:
    """Returns a link to a file of a committed study; a dash where an explorer is not committed."""
    if file == "explorer.html" and not list((STUDIES / study).glob(f"{file}*")):
        return "–"
    return f'<a href="results/{study}/{file}">{file}</a>'


def short_paths() -> str:
    """Returns what the committed studies say of the paper's central claim."""
    evidence = importlib.import_module("residual_ensembles.report.evidence")
    told = evidence.short_paths(evidence.read_all(STUDIES))
    return f"{told or 'No committed study has measured it yet.'}\n"


def errors() -> str:
    """Returns the errors of the networks of each committed study."""
    analysis = importlib.import_module("residual_ensembles.analysis")
    report = importlib.import_module("residual_ensembles.report")
    parts = [
        f"### {folder.name}\n\n{report.results_table(analysis.read_tables(folder))}"
        for folder in report.evidence.folders(STUDIES)
    ]
    return "\n\n".join(parts or ["No study is committed yet."]) + "\n"


PARTS = {"studies": studies, "short-paths": short_paths, "errors": errors}
"""Parts of the page of results."""


def write_studies(app, error) -> None:
    """Draws the page of each committed study from its tables, beside the site's own pages."""
    if error is not None:
        return
    analysis = importlib.import_module("residual_ensembles.analysis")
    figures_of = importlib.import_module("residual_ensembles.figures")
    report = importlib.import_module("residual_ensembles.report")
    committed = report.evidence.read_all(STUDIES)
    for folder in report.evidence.folders(STUDIES):
        target = Path(app.outdir) / "results" / folder.name
        shutil.copytree(folder, target, dirs_exist_ok=True)
        for packed in target.rglob("*.gz"):
            packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
            packed.unlink()
        tables = analysis.read_tables(target)
        parameters = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
        figures_of.draw_figures(tables)
        report.write_page(tables, parameters, "make docs", committed)
