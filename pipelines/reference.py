"""Writes defaults and documentation from the schema of parameters.

    python -m pipelines.reference

The command writes pipelines/conf/study/defaults.yaml, which all studies start from, and
docs/reference/parameters.md.
"""

from pathlib import Path

import yaml
from pydantic.fields import FieldInfo

from residual_ensembles import cli
from residual_ensembles.parameters import (
    EXTERNAL_STUDY,
    SECTIONS,
    ExternalNetwork,
    StudyParameters,
    TrainedNetwork,
    choices,
    help_text,
    limits,
    unit,
)
from residual_ensembles.storage.files import write_text

DEFAULTS = Path("pipelines/conf/study/defaults.yaml")
PAGE = Path("docs/reference/parameters.md")
_HEAD = """# Parameters

The parameters in `params.yaml` and `pipelines/conf`. `dvc exp run -S lesion.k=7` sets
one; nothing is converted, and unknown names are refused. Written by `python -m
pipelines.reference` from `residual_ensembles/parameters.py`.

`python -m residual_ensembles.lesions` and the study `own` have defaults of their own, for networks
of few modules: {own}.
"""
_TABLE = "| parameter | default | range | unit | meaning |\n|---|---|---|---|---|"


def defaults() -> str:
    """Returns the defaults that all studies share, as YAML for Hydra."""
    lines = [
        "# @package _global_",
        "# Written by `python -m pipelines.reference` from residual_ensembles/parameters.py.",
    ]
    for name, section in SECTIONS.items():
        lines += ["", f"{name}:  # {section.__doc__}"]
        fields = section.model_fields
        values = {own: f"  {own}: {_value(field)}" for own, field in fields.items()}
        width = max(map(len, values.values()))
        lines += [f"{values[own]:{width}}  # {help_text(field)}" for own, field in fields.items()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Returns the page of reference, in Markdown."""
    models = {
        "The study": StudyParameters,
        "network.NAME, trained": TrainedNetwork,
        "network.NAME, external": ExternalNetwork,
        **SECTIONS,
    }
    own = (f"`{at}.{n}` {v}" for at, some in EXTERNAL_STUDY.items() for n, v in some.items())
    parts = [_HEAD.format(own=", ".join(own))]
    for title, model in models.items():
        fields = {n: field for n, field in model.model_fields.items() if n not in SECTIONS}
        rows = [_row(name, field) for name, field in fields.items()]
        parts.append("\n".join((f"## {title}", "", model.__doc__, "", _TABLE, *rows)) + "\n")
    return "\n".join(parts)


def _row(name: str, field: FieldInfo) -> str:
    default = "" if field.is_required() else f"`{_value(field)}`"
    meaning = field.description.replace("|", "\\|")
    return f"| `{name}` | {default} | {_range(field)} | {unit(field)} | {meaning} |"


def _range(field: FieldInfo) -> str:
    words = {"ge": "{} or more", "gt": "more than {}", "le": "at most {}", "lt": "below {}"}
    texts = (words[name].format(number) for name, number in limits(field).items())
    return ", ".join(choices(field)) or ", ".join(texts)


def _value(field: FieldInfo) -> str:
    """Returns a default as YAML writes it in a line."""
    plain = list(field.default) if isinstance(field.default, tuple) else field.default
    return yaml.safe_dump(plain, default_flow_style=True).removesuffix("...\n").strip()


def write_defaults() -> None:
    """Writes the defaults, if they have changed."""
    if not DEFAULTS.exists() or DEFAULTS.read_text(encoding="utf-8") != defaults():
        write_text(DEFAULTS, defaults())


def main() -> None:
    write_defaults()
    write_text(PAGE, page())


if __name__ == "__main__":
    cli.run(main)
