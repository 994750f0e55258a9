"""Verdicts of the committed studies, claim by claim, side by side.

A committed study is a folder docs/results/<study> of the repository, with the tables that its
claims are decided by; `python -m pipelines.publish` writes it. Where the package is installed
without the repository there are none.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from residual_ensembles.analysis import CLAIMS, Tables, claims_table, read_tables
from residual_ensembles.analysis.claims import INCONCLUSIVE, NOT_REPRODUCED, NOT_TESTED, REPRODUCED
from residual_ensembles.analysis.tables import read_csv
from residual_ensembles.report.key_results import COUNTED, measured, metrics, tally
from residual_ensembles.report.numbers import duration
from residual_ensembles.report.rows import results_table
from residual_ensembles.storage.columns import CLAIM_COLUMNS
from residual_ensembles.storage.files import write_csv, write_json

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "results"
"""Folder of the committed studies."""
MARKS = {REPRODUCED: "✓", NOT_REPRODUCED: "✗", INCONCLUSIVE: "?", NOT_TESTED: "–"}
"""Sign of each verdict, in addition to its color."""
DECIDED = (REPRODUCED, NOT_REPRODUCED)
READINGS = (
    ("mean norm of a path times number of paths, the paper's reading", "13a", "23a"),
    ("norms of sums", "13b", "23b"),
    ("projections on the full gradient", "13c", "23c"),
)
"""Each reading of Fig. 6 (c), with the claims that are decided under it."""


class StudyVerdicts(NamedTuple):
    """Verdicts of a study."""

    name: str
    title: str
    """Display name of its data set."""
    claims: pd.DataFrame
    """Rows of claims.csv."""


class Verdict(NamedTuple):
    """Verdict of one study on a claim, for one of its networks."""

    verdict: str
    measured: str
    network: str


class ClaimRow(NamedTuple):
    """A claim, and the verdicts of each study."""

    id: str
    statement: str
    cells: list[list[Verdict]]
    """Verdicts by study, in the order of its networks; [] where it does not test the claim."""

    @property
    def is_decided(self) -> bool:
        """Whether any study reproduces or refutes it."""
        return any(each.verdict in DECIDED for cell in self.cells for each in cell)


def folders(committed: Path = COMMITTED) -> list[Path]:
    """Returns the folders of the committed studies, by name; none where there is no repository."""
    return sorted(path.parent for path in Path(committed).glob("*/claims.csv"))


def read(folder: Path) -> StudyVerdicts:
    """Reads the verdicts of a committed study, one of `folders`.

    Raises:
        ValueError: Its claims cannot be read.
    """
    remedy = "Publish the study again (python -m pipelines.publish)."
    claims = read_csv(folder / "claims.csv", CLAIM_COLUMNS, remedy)[CLAIM_COLUMNS]
    claims = claims.astype({"n": "Int64"}).fillna({"network": ""})
    runs = sorted(folder.glob("networks/*/run.json"))
    dataset = json.loads(runs[0].read_text(encoding="utf-8")).get("dataset", {}) if runs else {}
    title = dataset.get("title") or dataset.get("name") or folder.name
    return StudyVerdicts(folder.name, str(title), claims)


def read_all(committed: Path = COMMITTED) -> list[StudyVerdicts]:
    """Reads the verdicts of every committed study."""
    return [read(folder) for folder in folders(committed)]


def decide(folder: Path) -> None:
    """Writes claims.csv and metrics.json of a committed study from its tables."""
    tables = read_tables(folder)
    claims = claims_table(tables)
    write_csv(folder / "claims.csv", claims)
    write_json(folder / "metrics.json", metrics(tables, claims))


def claim_rows(studies: Iterable[StudyVerdicts]) -> list[ClaimRow]:
    """Returns a row for each claim that a study can change, in the order of their numbers."""
    studies = list(studies)
    return [
        ClaimRow(claim.id, claim.statement, [_cell(study.claims, claim.id) for study in studies])
        for claim in CLAIMS
        if not claim.counted
    ]


def _cell(claims: pd.DataFrame, id: str) -> list[Verdict]:
    rows = claims[(claims.id == id) & (claims.verdict != NOT_TESTED)]
    return [Verdict(row.verdict, measured(row), row.network) for row in rows.itertuples()]


def summary(rows: Iterable[ClaimRow]) -> str:
    """Returns sentences on how many claims are decided, and which are not."""
    rows = list(rows)
    rest = [row.id for row in rows if not row.is_decided]
    sentence = f"{len(rows) - len(rest)} of {len(rows)} claims are decided by a study or more."
    return f"{sentence} No study decides {', '.join(rest)}." if rest else sentence


def markdown(studies: Iterable[StudyVerdicts], *, with_intervals: bool = False) -> str:
    """Returns the verdicts of studies as a Markdown table: a column a study, a row a claim.

    Claims that none of them test have no row; without any study, a sentence says so.
    """
    studies = list(studies)
    if not studies:
        return "No study is committed yet."
    rows = claim_rows(studies)
    header = ["", "claim", *map(_named, studies)]
    lines = [header, ["---"] * len(header)]
    for row in (row for row in rows if any(row.cells)):
        cells = [_markdown_cell(cell, with_intervals) for cell in row.cells]
        lines.append([row.id, row.statement, *cells])
    counted = tally(studies[0].claims, counted=True)
    legend = ", ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items())
    return (
        "\n".join(f"| {' | '.join(line)} |" for line in lines)
        + f"\n\n{legend}. {summary(rows)} {', '.join(sorted(COUNTED, key=_number))} follow from "
        f"counting paths: {counted[REPRODUCED]} hold, {counted[NOT_REPRODUCED]} do not."
    )


def _named(study: StudyVerdicts) -> str:
    return f"`{study.name}`: {study.title}"


def _markdown_cell(cell: list[Verdict], with_intervals: bool) -> str:
    """Returns a line for each network of a cell, named where there are several."""
    lines = []
    for each in cell:
        number = each.measured if with_intervals else each.measured.split(" (")[0]
        name = f" `{each.network}`" if len(cell) > 1 else ""
        lines.append(f"{MARKS[each.verdict]} {number}{name}")
    return "<br>".join(lines) or MARKS[NOT_TESTED]


def _number(id: str) -> tuple[int, str]:
    return int(id.rstrip("abc")), id


def short_paths(studies: Iterable[StudyVerdicts]) -> str:
    """Returns, in Markdown, whether gradient comes from short paths, under each reading.

    Networks of photographs come before those of digits; empty where no study measured it.
    """
    lines: list[list[str]] = []
    verdicts: dict[str, list[str]] = {reading: [] for reading, *_ in READINGS}
    for study in sorted(studies, key=lambda study: study.title.startswith("Digits")):
        tested = study.claims[study.claims.verdict != NOT_TESTED]
        longest = tested[tested.id.isin([of_any for *_, of_any in READINGS])]
        for network, rows in longest.groupby("network", sort=False):
            own = tested[tested.network == network]
            answers = (_reading(own, *of) for _, *of in READINGS)
            lines.append([_named(study), f"`{network}`", *answers])
            for reading, _, of_any in READINGS:
                verdicts[reading] += rows.verdict[rows.id == of_any].tolist()
    if not lines:
        return ""
    counts = ", ".join(f"{_counted(verdicts[reading])} by {reading}" for reading, *_ in READINGS)
    head = ["study", "network", *verdicts]
    return (
        f"Networks in which 95 % of the gradient comes from paths shorter than the mean path: "
        f"{counts}.\n\n"
        "The table says how long the longest of these paths is, as a share of the network's "
        "modules; the mean path has half of them. Of networks with 54 modules, the second number "
        "is the share of the gradient that comes from paths of 5 to 17 of them.\n\n"
        + "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))
    )


def _reading(rows: pd.DataFrame, of_54: str, of_any: str) -> str:
    """Returns what a network's claims say under a reading, each in a line of a cell."""
    lines = [
        f"{MARKS[row.verdict]} {measured(row)}"
        for id in (of_any, of_54)
        for row in rows[rows.id == id].itertuples()
    ]
    return "<br>".join(lines) or MARKS[NOT_TESTED]


def _counted(verdicts: list[str]) -> str:
    n_open = verdicts.count(INCONCLUSIVE)
    uncertain = f" ({n_open} inconclusive)" if n_open else ""
    return f"{verdicts.count(REPRODUCED)} of {len(verdicts)}{uncertain}"


def about(committed: Path, differs: Mapping[str, str], commands: Mapping[str, str]) -> str:
    """Returns, in Markdown, how each committed study was made.

    `differs` says by study what differs from the paper's, `commands` what computes it again.
    """
    parts = [_HEAD]
    for folder in folders(committed):
        tables, study = read_tables(folder), read(folder)
        counts = ", ".join(f"{count} {verdict}" for verdict, count in tally(study.claims).items())
        made = {"command": [f"`{commands[study.name]}`"], **_made(tables)}
        lines = [f"| {what} | {'<br>'.join(values)} |" for what, values in made.items()]
        parts += [
            f"## {study.name}",
            f"{study.title}: {counts} (a row for each claim and network).",
            f"What differs from the paper: {differs[study.name]}",
            results_table(tables),
            "\n".join(["| how it was made | |", "|---|---|", *lines]),
        ]
    return "\n\n".join(parts) + "\n"


_HEAD = """# Results

Studies that were computed, one in each folder: tables, claims, and what computed them. Weights,
pages and most predictions are left out; `make docs` draws the pages anew from the tables.
`python -m pipelines.publish --studies=results/STUDY` copies a finished study here, and writes this
file. A test decides all claims again from the tables. The head of `pipelines/conf/study/STUDY.yaml`
says what a study needs before its command: images, or networks.

Of `predictions/`, the intact network and single deletions are kept; in rows of other lesions all
images are −1, unknown. Tables of more than a megabyte are compressed.
A column that is renamed is renamed here, too; no number changes."""


def _made(tables: Tables) -> dict[str, list[str]]:
    """Returns how a study was made, from what its stages wrote: different values of each fact."""
    facts = [run.facts for run in tables.runs] + list(tables.provenance.values())
    hardware = [each["hardware"] for each in facts if each.get("hardware")]
    versions = [each["versions"] for each in facts if each.get("versions")]
    datasets = [run.dataset for run in tables.runs if run.dataset]
    machines = [
        f"{each.get('processor')}, {each.get('cores')} cores, {each.get('memory_gib')} GiB"
        for each in hardware
    ]
    made = {
        "time": [_time(tables)],
        "machine": machines,
        "devices": [", ".join(map(str, each.get("devices") or [])) for each in hardware],
        "revision": [str(each["revision"]) for each in facts if each.get("revision")],
        "versions": [", ".join(f"{n} {v}" for n, v in each.items()) for each in versions],
        "data": [f"{each.get('title')}, {each.get('checksum')}" for each in datasets],
        "seeds": [", ".join(map(str, sorted({run.seed for run in tables.runs})))],
    }
    distinct = {what: list(dict.fromkeys(filter(None, values))) for what, values in made.items()}
    return {what: values for what, values in distinct.items() if values}


def _time(tables: Tables) -> str:
    """Returns how long trainings took in all, and the whole where `make reproduce` measured it."""
    trained = [run for run in tables.runs if not run.is_external]
    seconds = [float(run.facts.get("seconds_training") or 0) for run in trained]
    parts = [f"{duration(sum(seconds))} for {len(trained)} trainings, one after another"]
    if not trained:
        parts = ["nothing was trained by the study"]
    if tables.seconds is not None:
        parts.append(f"{duration(tables.seconds)} for everything, several at a time")
    return "; ".join(parts)
