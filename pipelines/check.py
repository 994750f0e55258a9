"""Stage `check`: reads every parameter of a study and refuses what cannot work.

Its output never changes, and every other stage depends on it: nothing is computed on wrong
parameters, and a changed one re-runs only what it concerns.
"""

from pathlib import Path

from absl import flags

from pipelines import given
from pipelines import study as studies
from residual_ensembles import cli, models, parameters
from residual_ensembles.storage.files import write_text
from residual_ensembles.training.settings import Settings

FLAGS = flags.FLAGS

TEXT, WHOLE, NUMBER = "text", "a whole number", "a number"
# Every parameter, and the least that it may be. Lists and networks are looked at on their own.
PARAMETERS = {
    "name": TEXT,
    "network": None,
    "networks": None,
    "seeds": None,
    "data": {
        "source": TEXT,
        "title": TEXT,
        "validation_fraction": (NUMBER, 0),
        "seed": (WHOLE, 0),
        "resize": (WHOLE, 0),
        "limit_train": (WHOLE, 0),
        "limit_test": (WHOLE, 0),
        "storage": TEXT,
    },
    "train": {
        "epochs": (WHOLE, 1),
        "batch_size": (WHOLE, 1),
        "learning_rate": (NUMBER, 0),
        "schedule": TEXT,
        "weight_decay": (NUMBER, 0),
        "precision": TEXT,
        "snapshots": TEXT,
    },
    "ensemble": {
        "members": (WHOLE, 0),
        "depth": (WHOLE, 1),
        "epochs": (WHOLE, 1),
    },
    "lesion": {
        "networks": TEXT,
        "k": (WHOLE, 1),
        "swaps": (WHOLE, 1),
        "duplications": (WHOLE, 1),
        "draws": (WHOLE, 1),
        "seed": (WHOLE, 0),
        "precision": TEXT,
        "error_margin": (NUMBER, 0),
        "memory_mib": (WHOLE, 1),
        "batch_size": (WHOLE, 0),
    },
    "paths": {
        "networks": TEXT,
        "samples": (WHOLE, 0),
        "batches": (WHOLE, 1),
        "batch_size": (WHOLE, 1),
        "batch_norm": TEXT,
        "target": TEXT,
        "weights_of": (WHOLE, 0),
        "seed": (WHOLE, 0),
    },
}
NETWORK = {
    "model": TEXT,
    "depth": (WHOLE, 1),
    "gating": TEXT,
    "modules_per_batch": (WHOLE, 1),
    "survival_probability": (NUMBER, 0),
    "gate_bias": (NUMBER, None),
    "weights": TEXT,
}
QUOTED_SPECIAL = '"$`\\'
CHOICES = {
    "data.storage": parameters.STORAGES,
    "lesion.precision": parameters.LESION_PRECISIONS,
    "paths.batch_norm": parameters.BATCH_NORM,
    "paths.target": parameters.TARGETS,
}


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("params", str(studies.PARAMS), "file with the study's parameters")
    flags.DEFINE_string("output", None, "file to write when all is well")
    flags.mark_flag_as_required("output")


def check(study: dict) -> None:
    """Refuses a study that cannot work.

    Raises:
        ValueError: A parameter is unknown or missing, of the wrong kind, or out of range.
    """
    _check_names("", study, PARAMETERS)
    _check_list(study, "networks", str)
    for network in study["networks"]:
        _check_plain("networks", network)
    _check_list(study, "seeds", int)
    if any(seed < 0 for seed in study["seeds"]):
        raise ValueError(f"Received seeds={study['seeds']}, expected numbers of 0 or more.")
    _check_plain("name", study["name"])
    _check_data(study["data"])
    _check_choices(study)
    for network in study["networks"]:
        settings(study, network)
    _check_ensemble(study)
    if study["lesion"]["error_margin"] >= 1:
        raise ValueError(
            f"Received lesion.error_margin={study['lesion']['error_margin']}, expected below 1."
        )
    for group in ("lesion", "paths"):
        _check_members(study, f"{group}.networks", study[group]["networks"])
    chains = given.outlines(study)
    for network in filter(None, study["lesion"]["networks"].split(",")):
        if network in chains:
            given.check_lesions(study["lesion"], network, chains[network])
        else:
            _check_lesions(study, network)
    _check_weights_of(study, chains)


def settings(study: dict, network: str, seed: int = 0):
    """Returns what training is told about one network of the study.

    Raises:
        ValueError: The study has no such network, or it cannot be trained so; or it is a given one
            that is not there.

    Returns:
        None for a network that is given: nothing is trained.
    """
    studies.network_flags(study, network)
    own = study["network"][network]
    _check_names(f"network.{network}", own, NETWORK, may_lack=True)
    if given.is_given(own):
        return given.check(network, own)
    train = dict(study["train"])
    snapshots = tuple(cli.whole_numbers("train.snapshots", train.pop("snapshots").split(",")))
    try:
        return Settings(**own, **train, snapshots=snapshots, seed=seed)
    except ValueError as error:
        raise ValueError(f"network.{network}: {error}") from error


def _check_names(prefix: str, values: dict, known: dict, may_lack: bool = False) -> None:
    if not isinstance(values, dict):
        raise ValueError(f"Received {prefix}={values!r}, expected {', '.join(known)} with values.")
    dot = f"{prefix}." if prefix else ""
    unknown = sorted(map(str, set(values) - set(known)))
    if unknown:
        raise ValueError(
            f"Received the unknown parameter {dot}{unknown[0]}, expected {', '.join(known)}."
        )
    missing = [name for name in known if name not in values]
    if missing and not may_lack:
        raise ValueError(f"The parameter {dot}{missing[0]} is missing; see pipelines/conf/study.")
    for name, value in values.items():
        kind = known[name]
        if isinstance(kind, dict):
            _check_names(f"{dot}{name}", value, kind)
        elif kind == TEXT:
            if not isinstance(value, str):
                raise ValueError(f"Received {dot}{name}={value!r}, expected text.")
        elif kind is not None:
            _check_number(f"{dot}{name}", value, *kind)


def _check_number(name: str, value, kind: str, least) -> None:
    allowed = int if kind == WHOLE else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or value != value:
        hint = " (YAML reads 1e-4 as text: write 1.0e-4)" if isinstance(value, str) else ""
        raise ValueError(f"Received {name}={value!r}, expected {kind}{hint}.")
    if least is not None and value < least:
        raise ValueError(f"Received {name}={value}, expected {least} or more.")


def _check_list(study: dict, name: str, kind: type) -> None:
    values = study[name]
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(v, kind) and not isinstance(v, bool) for v in values)
        or len(set(values)) < len(values)
    ):
        raise ValueError(f"Received {name}={values!r}, expected a list without repetitions.")


def _check_plain(parameter: str, name: str) -> None:
    """Refuses a name that cannot be a folder's, or that a shell would not leave as it is."""
    if not name.replace("_", "").replace("-", "").isalnum():
        raise ValueError(
            f"Received {parameter}={name!r}, expected letters, digits, _ and -, for a folder."
        )


def _check_quotable(parameter: str, text: str) -> None:
    """Refuses what a shell does not leave as it is between the double quotes of dvc.yaml."""
    special = [sign for sign in text if sign in QUOTED_SPECIAL or not sign.isprintable()]
    if special:
        raise ValueError(
            f"Received {parameter}={text!r}, expected text without {special[0]!r}, which means "
            "something to the shell that the stages are run by; leave it out or rename the folder."
        )


def _check_data(data: dict) -> None:
    source = data["source"]
    for name in ("source", "title"):
        _check_quotable(f"data.{name}", data[name])
    if source != "digits" and not source.startswith(("tfds:", "folder:")):
        raise ValueError(
            f"Received data.source={source!r}, expected digits, tfds:NAME or folder:PATH."
        )
    if source.startswith("folder:") and not (
        Path(source.removeprefix("folder:")).expanduser().is_dir()
    ):
        raise ValueError(
            f"Received data.source={source}, which is not a folder, expected one with "
            "train|test/<class>/*.jpg in it: say which with -S data.source=folder:PATH."
        )
    if data["validation_fraction"] >= 1:
        raise ValueError(
            f"Received data.validation_fraction={data['validation_fraction']}, expected below 1."
        )


def _check_choices(study: dict) -> None:
    for name, allowed in CHOICES.items():
        group, key = name.split(".")
        if study[group][key] not in allowed:
            raise ValueError(
                f"Received {name}={study[group][key]!r}, expected one of {', '.join(allowed)}."
            )


def _check_members(study: dict, name: str, listed: str) -> None:
    unknown = [n for n in listed.split(",") if n and n not in study["networks"]]
    if unknown:
        raise ValueError(
            f"Received {name}={listed}, but {unknown[0]!r} is not trained, expected some of "
            f"{', '.join(study['networks'])}."
        )


def _check_ensemble(study: dict) -> None:
    """Refuses an ensemble that cannot be trained, or that has too many committees to count."""
    own = study["ensemble"]
    if own["members"] > parameters.MAX_MEMBERS:
        raise ValueError(
            f"Received ensemble.members={own['members']}, expected 0..{parameters.MAX_MEMBERS}: "
            "every committee of them votes."
        )
    try:
        Settings(depth=own["depth"], epochs=own["epochs"])
    except ValueError as error:
        raise ValueError(f"ensemble: {error}") from error


def _check_lesions(study: dict, network: str) -> None:
    """Refuses more operations than there are modules once those that matter most are spared."""
    own = settings(study, network)
    if not models.is_reorderable(own.model, own.depth):
        raise ValueError(
            f"Received lesion.networks={study['lesion']['networks']} with network.{network}.depth="
            f"{own.depth}, in which no two modules can change places, expected a depth of 20 or "
            "more; or leave it out."
        )
    side = study["data"]["resize"] or (8 if study["data"]["source"] == "digits" else None)
    may_be_deleted = models.lesionable(own.model, own.depth, side)
    for name in ("k", "duplications"):
        if study["lesion"][name] > may_be_deleted:
            raise ValueError(
                f"Received lesion.{name}={study['lesion'][name]} for {network}, of whose modules "
                f"{may_be_deleted} may be deleted (all but the first and the downsampling ones), "
                f"expected 1..{may_be_deleted}."
            )


def _check_weights_of(study: dict, chains: dict) -> None:
    """Refuses a module that no network has: its rows would be missing and nobody told."""
    trained = [settings(study, network) for network in study["networks"] if network not in chains]
    found = [models.n_modules(own.model, own.depth) for own in trained]
    most = max(found + [len(chain.modules) for chain in chains.values()])
    if study["paths"]["weights_of"] > most:
        raise ValueError(
            f"Received paths.weights_of={study['paths']['weights_of']}, expected 0..{most}: no "
            "network of the study has more modules."
        )


def main() -> None:
    """Checks the study and says that all is well.

    Raises:
        ValueError: The study cannot work.
    """
    study = studies.load(Path(FLAGS.params))
    try:
        check(study)
    except ValueError as error:
        # DVC has written what it was told to into the file before anything could refuse it.
        raise ValueError(f"{error} It is what {FLAGS.params} says.") from error
    write_text(FLAGS.output, "The parameters can work.\n")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
