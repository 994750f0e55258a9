"""Pages of the site that follow from the code: API, command lines, figures, committed studies."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import residual_ensembles
from residual_ensembles.__main__ import PROGRAMS

DOCS = Path(__file__).parent
PAGES = DOCS / "generated"
STUDIES = DOCS / "results"
"""Committed studies: a folder each, with the page, the explorer and the tables."""


def write_pages() -> None:
    """Writes every page; one that says the same already is left alone, and not read anew."""
    pages = {"command-lines": command_lines(), "figures": figures(), "studies": studies()}
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
    """Returns the list of committed studies, with links to their pages."""
    result = sorted(path.parent for path in STUDIES.glob("*/report.html"))
    if not result:
        return "No study is committed yet: `make reproduce` makes the first.\n"
    rows = ["| study | page | explorer | claims |", "|---|---|---|---|"]
    for folder in result:
        cells = [folder.name]
        for name, label in (
            ("report.html", "page"),
            ("explorer.html", "explorer"),
            ("claims.csv", "claims"),
        ):
            link = f'<a href="../results/{folder.name}/{name}">{label}</a>'
            cells.append(link if (folder / name).exists() else "")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def copy_studies(app, error) -> None:
    """Puts the committed studies beside the site's own pages."""
    if error is None and STUDIES.is_dir():
        shutil.copytree(STUDIES, Path(app.outdir) / "results", dirs_exist_ok=True)
