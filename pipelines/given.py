"""Networks of a study that are given and not trained: refused here if they do not fit."""

from residual_ensembles import lesions, parameters, unraveling

DIGITS = 8, 8, 1


def is_given(own: dict) -> bool:
    """Whether a network is a file, or one of Keras' own.

    Args:
        own: Its parameters.
    """
    return parameters.is_external(str(own.get("model", "")))


def check(network: str, own: dict) -> None:
    """Refuses a network that is not there, and flags that only training has.

    Args:
        network: Its name.
        own: Its parameters.

    Raises:
        ValueError: One of both.
    """
    extra = sorted(set(own) - {"model", "weights"})
    if extra:
        raise ValueError(
            f"Received network.{network}.{extra[0]} for a network that is given, expected model "
            "and weights alone: it is not trained."
        )
    try:
        unraveling.given.check_name(own["model"], own.get("weights", "imagenet"))
    except ValueError as error:
        raise ValueError(f"network.{network}: {error}") from error


def outlines(study: dict) -> dict:
    """Returns the given networks of a study by name, as chains whose modules can be looked at.

    Raises:
        ValueError: One cannot be cut, or takes other pictures than the study has.
    """
    found = {}
    for network in study["networks"]:
        own = study["network"][network]
        if is_given(own):
            try:
                found[network] = unraveling.given.outline(
                    own["model"], _picture_shape(study["data"])
                )
            except ValueError as error:
                raise ValueError(f"network.{network}: {error}") from error
    return found


def _picture_shape(data: dict) -> tuple:
    """Returns the shape of a picture, with None for what is known once the data are there."""
    size = data["resize"] or None
    if data["source"] == "digits":
        return size or DIGITS[0], size or DIGITS[1], DIGITS[2]
    return size, size, None


def check_lesions(lesion: dict, network: str, chain) -> None:
    """Refuses more operations than a given network can bear.

    Args:
        lesion: Parameters of the lesions.
        network: The network's name.
        chain: The network.

    Raises:
        ValueError: A number is out of range.
    """
    numbers = {name: lesion[name] for name in ("k", "draws", "swaps", "duplications")}
    try:
        lesions.study_plan(chain, **numbers, seed=0, random=True)
    except ValueError as error:
        raise ValueError(f"{network}, of {len(chain.modules)} modules: {error}") from error
