"""Puts studies into docs/results, to be committed, and shows what all studies there decide.

    python -m pipelines.publish [--studies=results/digits_seeds,...]

copies of each finished study what its claims are decided by: tables, predictions of the intact
network and of single deletions, how each network was trained, and params.yaml; and the explorer,
where it runs a network. No other weights and no page. Then, as without the flag, it decides the
claims of every committed study anew from its tables, and writes docs/results/README.md, the table
of the README, and the figure at its top.
"""

import gzip
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from pipelines import study as studies
from residual_ensembles import analysis, cli, figures, report
from residual_ensembles.storage.columns import TABLES
from residual_ensembles.storage.files import read_npz, write_bytes, write_npz, write_text

FLAGS = flags.FLAGS
COMMITTED = Path("docs/results")
CONF = Path("pipelines/conf/study")
README = Path("README.md")
BEGIN, END = "<!-- results -->\n", "<!-- /results -->"
"""Between these, the README has the table."""
TOP = Path("docs/fig3_single_deletion.png")
OF_TOP = "cifar10_pretrained"
"""The study whose Fig. 3 is at the top of the README, once it is committed."""
LARGE = 2**20
"""Files of more bytes than this are compressed."""
EXPLORER = "explorer.html"
PREDICTED = ("intact", "single_deletion")
"""Lesions whose predictions decide claims: costs on the same images."""
FILES = (
    *(name for name in TABLES if name != "path_gradients_quantiles.csv"),
    "lesions_run.json",
    "path_gradients_run.json",
    "ensemble/predictions-*.npz",
    "networks/*/run.json",
    "networks/*/times.json",
    "networks/*/history.csv",
    "networks/*/gates.csv",
    "cost.csv",
)
"""What is copied, as far as it is there."""


def define_flags() -> None:
    flags.DEFINE_list("studies", [], "folders of finished studies to copy, separated by commas")


def publish(source: Path, committed: Path) -> Path:
    """Copies what belongs to the repository of a finished study.

    Args:
        source: results/<study>; params.yaml two folders above says how it was computed.
        committed: Folder of all committed studies.

    Returns:
        The folder of the study there; what it held before is gone.

    Raises:
        ValueError: The study is not finished, or params.yaml is of another one.
    """
    tables = analysis.read_tables(source)
    if not (source / "report.html").exists():
        raise ValueError(f"Received {source}, which has no page, expected a finished study.")
    params = source.parents[1] / studies.PARAMS
    name = studies.read(params).get("name")
    if name != tables.study:
        raise ValueError(
            f"Received {source} with {params} of the study {name!r}, expected that of "
            f"{tables.study!r}: python -m pipelines.compose study={tables.study}"
        )
    target = committed / tables.study
    if target.exists():
        shutil.rmtree(target)
    for path in sorted(path for pattern in FILES for path in source.glob(pattern)):
        _copy(path, target / path.relative_to(source))
    if (source / EXPLORER).exists() and _explores_a_network(tables):
        _copy(source / EXPLORER, target / EXPLORER)
    _copy(params, target / studies.PARAMS.name)
    for run in tables.runs:
        _copy_predictions(tables, run.network, run.seed, target)
    return target


def _explores_a_network(tables: "analysis.Tables") -> bool:
    """Whether the explorer of a study runs any of its networks."""
    seeds = [run.seed for run in tables.runs]
    return bool(report.explorer.choose(tables.folder / "networks", tables.networks, seeds))


def _copy(source: Path, target: Path) -> None:
    """Copies a file, compressed where it is large."""
    content = source.read_bytes()
    if len(content) > LARGE:
        target = target.with_name(target.name + ".gz")
        content = gzip.compress(content, mtime=0)
    write_bytes(target, content)


def _copy_predictions(tables: "analysis.Tables", network: str, seed: int, target: Path) -> None:
    """Copies the predictions that decide claims; those of other lesions become unknown."""
    name = Path("predictions") / f"{network}-{seed}.npz"
    if not (tables.folder / name).exists():
        return
    saved = read_npz(tables.folder / name)
    rows = tables.lesions[(tables.lesions.network == network) & (tables.lesions.seed == seed)]
    kept = rows.sweep.isin(PREDICTED).to_numpy()[:, None]
    predictions = np.where(kept, saved["predictions"], analysis.UNKNOWN)
    write_npz(target / name, predictions=predictions.astype("int16"), labels=saved["labels"])


def about(committed: Path) -> str:
    """Returns the text of docs/results/README.md: how each study was made."""
    differs, commands = {}, {}
    for folder in report.evidence.folders(committed):
        params = studies.read(folder / studies.PARAMS.name)
        differs[folder.name] = params.get("differs") or "not said."
        commands[folder.name] = f"cp docs/results/{folder.name}/params.yaml . && dvc repro"
        if (CONF / f"{folder.name}.yaml").exists():
            commands[folder.name] = f"python -m pipelines.compose study={folder.name} && dvc repro"
    return report.evidence.about(committed, differs, commands)


def with_table(readme: str, table: str) -> str:
    """Returns the README's text with a table between its marks."""
    between = re.compile(f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})", re.DOTALL)
    return between.sub(lambda _: f"{table}\n", readme)


def show(committed: Path) -> Iterator[Path]:
    """Writes what is made of all committed studies, and yields the path of each file."""
    write_text(committed / README.name, about(committed))
    yield committed / README.name
    table = report.evidence.markdown(report.evidence.read_all(committed))
    write_text(README, with_table(README.read_text(encoding="utf-8"), table))
    yield README
    if (committed / OF_TOP).exists():
        from residual_ensembles.figures import style  # here, so that --help comes fast

        drawn = next(spec for spec in figures.FIGURES if spec.name == TOP.stem)
        tables = analysis.read_tables(committed / OF_TOP)
        style.save(drawn.draw(tables), TOP.parent, TOP.stem)
        TOP.with_suffix(".svg").unlink()
        yield TOP


def main() -> None:
    new = [publish(Path(source).resolve(), COMMITTED) for source in FLAGS.studies]
    for folder in dict.fromkeys([*new, *report.evidence.folders(COMMITTED)]):
        report.evidence.decide(folder)
        print(folder)
    for path in show(COMMITTED):
        print(path)


if __name__ == "__main__":
    define_flags()
    cli.run(main)
