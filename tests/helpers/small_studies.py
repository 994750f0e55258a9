"""Folders in which stages can run: parameters, and data and networks that others have made."""

from pathlib import Path

import yaml

from residual_ensembles.parameters import SECTIONS
from residual_ensembles.storage import files

NAME = "tiny"


def parameters(**changes) -> dict:
    """Returns all parameters of a study of one ResNet-20.

    Changes are those of a section, or a parameter outside of the sections.
    """
    values = {name: section().model_dump(mode="json") for name, section in SECTIONS.items()}
    values |= {"name": NAME, "network": {"resnet": {"depth": 20}}}
    values |= {"networks": ["resnet"], "seeds": [0]}
    values["lesion"] |= {"k": 2, "draws": 2, "swaps": 2, "duplications": 2}
    for name, value in changes.items():
        values[name] = {**values[name], **value} if name in SECTIONS else value
    return values


def write(
    folder: Path, prepared: Path | None = None, trained: Path | None = None, /, **changes
) -> Path:
    """Makes the folder of a project, and returns that of its results.

    It links the folders of prepared data and of trained networks; what of these was not trained is
    called finished. Changes are those of `parameters`.
    """
    results = folder / "results" / NAME
    results.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters(**changes), sort_keys=False))
    links = {folder / "data/prepared" / NAME: prepared, results / "networks": trained}
    for place, target in links.items():
        if target is not None and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
    for network in trained.iterdir() if trained else ():
        if not (network / files.MANIFEST).exists():
            names = [path.relative_to(network).as_posix() for path in network.rglob("*.*")]
            files.write_manifest(network, names)
    return results
