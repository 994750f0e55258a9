"""Provenance of a study's results, from its run.json files and parameters."""

import json
from collections.abc import Mapping

from residual_ensembles.analysis import Tables


def flattened(parameters: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Returns nested parameters as one level, with dots between the names.

    >>> flattened({"train": {"epochs": 30}, "seeds": [0, 1]})
    {'train.epochs': '30', 'seeds': '0, 1'}
    """
    flat = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            flat[f"{prefix}{name}"] = ", ".join(map(str, value))
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat


def _distinct(tables: Tables, name: str) -> list:
    """Returns the different values of a fact over the runs, in order."""
    values = [run.facts[name] for run in tables.runs if run.facts.get(name)]
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())


def provenance_rows(tables: Tables) -> list[tuple[str, str]]:
    """Returns (what, value) about images, code, versions, hardware and seeds of the networks."""
    rows = [("study", tables.study)]
    for dataset in _distinct(tables, "dataset"):
        rows += [(f"data set, {name}", value) for name, value in flattened(dataset).items()]
    for revision in _distinct(tables, "revision"):
        rows.append(("revision", str(revision)))
    for kind in ("versions", "hardware"):
        for facts in _distinct(tables, kind):
            rows += [(f"{kind}, {name}", value) for name, value in flattened(facts).items()]
    for stage, facts in tables.computed.items():
        own = {name: facts[name] for name in ("engine", "threads_of_a_task", "tasks_by_node")}
        own = {name: value for name, value in own.items() if value is not None}
        what = stage.replace("_", " ")
        rows += [(f"{what}, {name}", value) for name, value in flattened(own).items()]
    seeds = sorted({run.seed for run in tables.runs})
    if seeds:
        rows.append(("seeds", ", ".join(map(str, seeds))))
    return rows
