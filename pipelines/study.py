"""The study that params.yaml describes, read and validated by every stage."""

from pathlib import Path

import yaml
from pydantic import model_validator

from residual_ensembles import parameters
from residual_ensembles.models.architectures import is_reorderable, n_modules, n_noncritical_modules
from residual_ensembles.storage.checkpoints import network_folder
from residual_ensembles.storage.files import require_file
from residual_ensembles.training.settings import Settings

PARAMS = Path("params.yaml")
DIGITS = 8, 8, 1
"""Shape of an image of the embedded data set."""


class Study(parameters.StudyParameters):
    """A study whose networks can be trained and allow its lesions.

    What depends on data or on files of networks is left to the stage `check`.
    """

    @property
    def prepared(self) -> Path:
        """Folder of the prepared data."""
        return Path("data/prepared") / self.name

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return Path("results") / self.name

    def folder(self, network: str, seed: int) -> Path:
        """Returns the folder of a trained network."""
        return network_folder(self.results, network, seed)

    def settings(self, network: str, seed: int = 0) -> Settings:
        """Returns the settings of the training of a network."""
        own = self.network[network].model_dump()
        return _settings(f"network.{network}", **own, **self.train.model_dump(), seed=seed)

    def member_settings(self, seed: int = 0) -> Settings:
        """Returns the settings of the training of a member of the ensemble."""
        train = self.train.model_dump() | {"epochs": self.ensemble.epochs, "snapshots": ()}
        return _settings("ensemble", **train, depth=self.ensemble.depth, seed=seed)

    @model_validator(mode="after")
    def _networks_allow_it(self):
        for network in self.trained:
            self.settings(network)
        self.member_settings()
        for network in filter(self.trained.get, self.lesion.networks):
            self._check_lesions(network)
        sizes = [n_modules(own.model, own.depth) for own in self.trained.values()]
        if len(sizes) == len(self.networks):
            self.check_weights_of_module(max(sizes))
        return self

    def _check_lesions(self, network: str) -> None:
        """Raises an error for more operations than the network has modules that may be deleted."""
        own = self.trained[network]
        if not is_reorderable(own.model, own.depth):
            raise ValueError(
                f"Received lesion.networks={list(self.lesion.networks)} with "
                f"network.{network}.depth={own.depth}, in which no two modules can change places, "
                "expected a depth of 20 or more; or leave it out."
            )
        side = self.data.resize or (DIGITS[0] if self.data.source == "digits" else None)
        may_be_deleted = n_noncritical_modules(own.model, own.depth, side)
        for name in ("k", "duplications"):
            if getattr(self.lesion, name) > may_be_deleted:
                raise ValueError(
                    f"Received lesion.{name}={getattr(self.lesion, name)} for {network}, of whose "
                    f"modules {may_be_deleted} may be deleted (all but the first and the "
                    f"downsampling ones), expected 1..{may_be_deleted}."
                )

    def check_weights_of_module(self, n_modules: int) -> None:
        """Raises an error unless the largest network has the module `paths.weights_of_module`."""
        if self.paths.weights_of_module > n_modules:
            raise ValueError(
                f"Received paths.weights_of_module={self.paths.weights_of_module}, expected "
                f"0..{n_modules}: no network of the study has more modules."
            )


def _settings(place: str, **values) -> Settings:
    """Returns settings; the error of invalid ones says where they stand."""
    try:
        return Settings(**values)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def read(path: Path = PARAMS) -> dict:
    """Returns the content of a file of parameters, without validation.

    Raises:
        ValueError: The file is missing or is not YAML with names and values.
    """
    try:
        require_file(Path(path))
        written = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"Received {path}, which cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(
            f"Received {path}, which is not YAML: {' '.join(str(error).split())}."
        ) from error
    if not isinstance(written, dict):
        raise ValueError(f"Received {path} without parameters, expected names and values.")
    return written


def load(path: Path = PARAMS) -> Study:
    """Returns the study that a file of parameters describes.

    Every parameter must be in the file: DVC compares values, and would not see a new default.

    Raises:
        ValueError: In one line, each parameter that is wrong or missing.
    """
    written = read(path)
    try:
        study = parameters.validated(Study, written)
    except ValueError as error:
        # `dvc exp run` writes the file before this can refuse it.
        raise ValueError(f"{error} It is what {path} says.") from error
    for section in parameters.SECTIONS:
        own = getattr(study, section)
        missing = [name for name in type(own).model_fields if name not in own.model_fields_set]
        if missing:
            raise ValueError(
                f"The parameter {section}.{missing[0]} is missing in {path}, expected all of them: "
                "python -m pipelines.compose writes it anew."
            )
    return study
