"""report.html: the study on one page without other files."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from residual_ensembles.analysis import Tables, claims_table
from residual_ensembles.analysis.claims import VERDICTS
from residual_ensembles.figures import FIGURES, FigureSpec, authors, style
from residual_ensembles.report import evidence
from residual_ensembles.report.assets import asset, content_security_policy, templates
from residual_ensembles.report.key_results import (
    CLAIMS_BY_ID,
    COUNTED,
    answers,
    how_sure,
    measured,
    metrics,
    tally,
)
from residual_ensembles.report.numbers import integer, quantity
from residual_ensembles.report.rows import (
    Row,
    exactness_rows,
    flattened,
    gate_rows,
    gradient_sums,
    half_gate_rows,
    network_rows,
    provenance_rows,
)
from residual_ensembles.storage.columns import TABLES
from residual_ensembles.storage.files import require_file, write_csv, write_json, write_text

PAGE_COLORS = {
    style.INK: "currentColor",
    style.PAPER: "var(--card)",
    style.GRID: "var(--line)",
}
"""Replacements for ink, paper and grid, so that the page can be dark."""
_FILES = ("claims.csv", *TABLES, "reference.csv", "metrics.json")
_DROPPED = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)


def inline_svg(svg: str, prefix: str, title: str) -> str:
    """Returns the <svg> element of a figure, ready to stand in an HTML page.

    The prefix is put before every id, since a page holds many figures.
    """
    svg = _DROPPED.sub("", svg[svg.index("<svg") :]).strip()
    for color, replacement in PAGE_COLORS.items():
        svg = svg.replace(color, replacement)
    svg = _with_own_ids(svg, prefix)
    opening, rest = svg.split(">", 1)
    opening = re.sub(r'\s(width|height|version|xmlns(:xlink)?)="[^"]*"', "", opening)
    name = f"{prefix}-title"
    labeled = f'{opening} role="img" aria-labelledby="{name}">'
    return f'{labeled}<title id="{name}">{escape(title)}</title>{rest}'


def _with_own_ids(svg: str, prefix: str) -> str:
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))

    def own(match: re.Match) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r'\sid="([^"]*)"', own, svg)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", svg)


class ShownFigure(NamedTuple):
    """A figure of the page, with the text around it."""

    spec: FigureSpec
    svg: Markup
    rests_on: str
    finding: str
    claims: list[Row]
    files: list[tuple[str, str]]


def about_its_networks(tables: Tables, claims: pd.DataFrame) -> pd.DataFrame:
    """Returns the claims that the page shows: all, unless every network is external.

    Then what the paper says of its own networks is left to claims.csv.
    """
    external = bool(tables.runs) and all(run.is_external for run in tables.runs)
    theirs = (claims.network != "") & ~claims.id.isin(COUNTED)
    return claims[theirs] if external else claims


def claim_rows(claims: pd.DataFrame) -> list[Row]:
    """Returns the rows of claims.csv as the page shows them."""
    return [
        Row(
            id=row.id,
            claim=row.claim,
            source=row.source,
            network=row.network,
            figure=CLAIMS_BY_ID[row.id].figure,
            paper=quantity(row.paper_value, CLAIMS_BY_ID[row.id].unit),
            measured=measured(row),
            keys={  # what these columns are sorted by
                name: "" if pd.isna(value) else repr(float(value))
                for name, value in (
                    ("paper", row.paper_value),
                    ("measured", row.measured),
                    ("n", row.n),
                )
            },
            n=integer(row.n),
            rule=row.rule,
            note=row.note,
            verdict=row.verdict,
        )
        for row in claims.itertuples()
    ]


def _shown(tables: Tables, spec: FigureSpec, rows: list[Row]) -> ShownFigure | None:
    svg = tables.folder / "figures" / f"{spec.name}.svg"
    if not svg.exists():
        return None
    result = [(ending.upper(), f"figures/{spec.name}.{ending}") for ending in ("svg", "png")]
    result += [(name, name) for name in spec.drawn_from(tables)]
    return ShownFigure(
        spec,
        # Text in the file was escaped when it was written.
        Markup(inline_svg(_read_svg(svg), spec.number, spec.title)),  # noqa: S704
        spec.rests_on(tables),
        spec.finding(tables),
        [row for row in rows if row.figure == spec.number],
        [(name, file) for name, file in result if (tables.folder / file).exists()],
    )


def _read_svg(path: Path) -> str:
    try:
        require_file(path)
        svg = path.read_text(encoding="utf-8")
        if "<svg" not in svg or not svg.rstrip().endswith("</svg>"):
            raise ValueError("it holds no <svg> that is closed")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}). Draw the figures again (python -m "
            "pipelines.figures)."
        ) from None
    return svg


def breakable(name: str) -> Markup:
    """Returns a name, escaped, that may break after each underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def render(
    tables: Tables,
    claims: pd.DataFrame,
    parameters: Mapping[str, object],
    command: str,
    committed: Iterable[evidence.StudyVerdicts] = (),
) -> str:
    """Returns the page.

    Args:
        tables: The study; its figures are in the folder `figures` beside the tables.
        claims: Rows of claims.csv.
        parameters: Parameters of the study, nested as in params.yaml; `differs` is a sentence
            on what differs from the paper's study.
        command: The command that draws the figures again.
        committed: Studies to compare it with; one of the same name is left out.
    """
    parameters = dict(parameters)
    differs = parameters.pop("differs", "")
    own = evidence.StudyVerdicts(tables.study, tables.dataset_title, claims)
    others = [study for study in committed if study.name != own.name]
    beside = evidence.claim_rows([own, *others]) if others else []
    about = about_its_networks(tables, claims)
    rows = claim_rows(about)
    shown = [result for spec in FIGURES if (result := _shown(tables, spec, rows))]
    script = asset("report/page.js")
    environment = templates("residual_ensembles.report")
    environment.filters["breakable"] = breakable
    return environment.get_template("page.html").render(
        marks=evidence.MARKS,
        tables=tables,
        style=Markup(asset("report/look.css") + asset("report/page.css")),  # noqa: S704 (own files)
        script=Markup(script),  # noqa: S704 (a file of this package)
        policy=content_security_policy(script),
        verdicts=VERDICTS,
        tally=tally(about),
        tally_counted=tally(about, counted=True),
        answers=answers(about),
        n_left_out=len(claims) - len(about),
        how_sure=how_sure(tables),
        differs=differs,
        others=others,
        beside=beside,
        beside_summary=evidence.summary(beside),
        claims=rows,
        networks=network_rows(tables),
        gates=gate_rows(tables),
        exactness=exactness_rows(tables),
        gradient_sums=gradient_sums(tables),
        half_gates=half_gate_rows(tables),
        figures=shown,
        provenance=provenance_rows(tables),
        parameters=flattened(parameters),
        command=command,
        # It cannot run external networks: without others it is empty.
        has_explorer=not all(run.is_external for run in tables.runs)
        and (tables.folder / "explorer.html").exists(),
        files=[name for name in _FILES if (tables.folder / name).exists()],
    )


def write_page(
    tables: Tables,
    parameters: Mapping[str, object],
    command: str,
    committed: Iterable[evidence.StudyVerdicts] = (),
) -> int:
    """Writes claims.csv, reference.csv, metrics.json and report.html into a study's folder.

    The arguments are those of `render`; the study's figures are drawn already.

    Returns:
        How many claims were decided.
    """
    claims = claims_table(tables)
    write_csv(tables.folder / "claims.csv", claims)
    authors.write_reference(tables.folder)
    write_json(tables.folder / "metrics.json", metrics(tables, claims))
    page = render(tables, claims, parameters, command, committed)
    write_text(tables.folder / "report.html", page)
    return len(claims)
