"""Stage `check`: validates the study against its data and the files of external networks.

    python -m pipelines.check

Every stage validates params.yaml itself. The output never changes, and the other stages depend on
it: nothing is computed with wrong parameters, and a changed one re-runs only what it concerns.
"""

from pathlib import Path

from pipelines import study as studies
from pipelines.study import DIGITS, Study
from residual_ensembles import cli, lesions, pruning, unraveling
from residual_ensembles.models.architectures import n_modules
from residual_ensembles.storage.files import write_text


def check(study: Study) -> None:
    """Raises an error for a study that its data or external networks do not allow.

    Raises:
        ValueError: Data are missing, or an external network does not allow the lesions.
    """
    source = study.data.source
    if source.startswith("folder:") and not (
        Path(source.removeprefix("folder:")).expanduser().is_dir()
    ):
        raise ValueError(
            f"Received data.source={source}, which is not a folder, expected one with "
            "train|test/<class>/*.jpg in it: say which with -S data.source=folder:PATH."
        )
    chains = untrained_chains(study)
    check_lesions(study, chains)
    if chains:
        sizes = [n_modules(own.model, own.depth) for own in study.trained.values()]
        study.check_weights_of_module(
            max(sizes + [len(chain.modules) for chain in chains.values()])
        )


def check_lesions(study: Study, chains: dict) -> None:
    """Refuses lesions that no external network allows, and pruning that one does not allow.

    Numbers of operations that one network allows are reduced for those with fewer modules.

    Raises:
        ValueError: There are such lesions.
    """
    refused = []
    for network in filter(chains.get, study.lesion.networks):
        try:
            lesions.study_plan(chains[network], **study.lesion.plan, seed=0, random=True)
            break
        except ValueError as error:
            n = len(chains[network].modules)
            refused.append(f"lesion, for {network} of {n} modules: {error}")
    else:
        if refused:
            raise ValueError(refused[0])
    for network, chain in chains.items() if study.lesion.prune else ():
        try:
            pruning.check_prunable(chain, study.lesion.prune)
        except ValueError as error:
            raise ValueError(f"lesion.prune, for {network}: {error}") from error


def untrained_chains(study: Study) -> dict:
    """Returns the external networks of a study by name, as chains without trained weights.

    Raises:
        ValueError: One is missing, cannot be cut into modules, or takes other images.
    """
    result = {}
    for network, own in study.external.items():
        try:
            result[network] = unraveling.external.build_untrained(own, _image_shape(study.data))
        except ValueError as error:
            raise ValueError(f"network.{network}: {error}") from error
    return result


def _image_shape(data) -> tuple:
    """Returns the shape of an image, with None for what only the prepared data tells."""
    size = data.resize or None
    if data.source == "digits":
        return size or DIGITS[0], size or DIGITS[1], DIGITS[2]
    return size, size, None


def main() -> None:
    study = studies.load()
    check(study)
    write_text(study.results / "checked.txt", "The parameters can work.\n")


if __name__ == "__main__":
    cli.run(main)
