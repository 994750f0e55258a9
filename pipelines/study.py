"""A study's parameters, as `params.yaml` has them.

`python -m pipelines.study networks` prints the networks with commas between them, `seeds` the
seeds, and `flags NETWORK` the flags of one network: DVC cannot write lists, or what depends on the
item of a matrix, into a command.
"""

import shlex
import sys
from pathlib import Path

import yaml

PARAMS = Path("params.yaml")


def load(path: Path = PARAMS) -> dict:
    """Returns the parameters of a study.

    Raises:
        ValueError: The file is not there or is not YAML with names and values.
    """
    try:
        study = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"Received {path}, which cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ValueError(
            f"Received {path}, which is not YAML: {' '.join(str(error).split())}."
        ) from error
    if not isinstance(study, dict):
        raise ValueError(f"Received {path} without parameters, expected names and values.")
    return study


def network_flags(study: dict, network: str) -> list[str]:
    """Returns the flags of `python -m residual_ensembles.train` that one network has of its own.

    Raises:
        ValueError: The study has no such network.
    """
    known = study.get("network") or {}
    if not isinstance(known, dict):
        raise ValueError(f"Received network={known!r}, expected networks by name.")
    if network not in known:
        raise ValueError(
            f"Received network {network!r}, expected one of {', '.join(map(str, known))}."
        )
    if not isinstance(known[network], dict):
        raise ValueError(f"Received network.{network}={known[network]!r}, expected its flags.")
    return [f"--{name}={value}" for name, value in known[network].items()]


def chosen_networks(listed: list[str], flag: str, some: list[str]) -> list[str]:
    """Returns the networks that a program is told, after a look at those it does more with.

    Args:
        listed: Value of `--networks`.
        flag: The flag that names some of them.
        some: Its value.

    Raises:
        ValueError: There is no network, or one of `some` is not among them.
    """
    networks = [name for name in listed if name]
    if not networks:
        raise ValueError("Received --networks= without a name, expected at least one network.")
    unknown = [name for name in some if name and name not in networks]
    if unknown:
        raise ValueError(
            f"Received --{flag}={','.join(some)}, but {unknown[0]!r} is not one of "
            f"--networks={','.join(networks)}."
        )
    return networks


def main(arguments: list[str]) -> str:
    """Returns what the command line asks for."""
    study = load()
    match arguments:
        case ["networks" | "seeds" as key]:
            if not isinstance(study.get(key), list):
                raise ValueError(f"Received {key}={study.get(key)!r}, expected a list.")
            return ",".join(map(str, study[key]))
        case ["flags", network]:
            return shlex.join(network_flags(study, network))
    raise ValueError(
        f"Received {' '.join(arguments)!r}, expected networks, seeds or flags NETWORK."
    )


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"error: {error}")
