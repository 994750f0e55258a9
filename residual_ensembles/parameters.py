"""Schema of a study: type, default, range, unit and meaning of every parameter, once.

From here come the validation of params.yaml and of what is composed from pipelines/conf, the flags
of `python -m residual_ensembles.train` and `python -m residual_ensembles.lesions`
(`cli.define_flags`), and, by `python -m pipelines.reference`, the defaults that all studies share
and the page docs/reference/parameters.md.

A new parameter is a line here and its use. Neither Keras nor a backend is imported, so that
`--help` is fast.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from residual_ensembles.arguments import shown
from residual_ensembles.models.architectures import (
    ARCHITECTURES,
    GATE_BIAS,
    MAX_DEPTH,
    TrainingPrecision,
)

MODELS = ARCHITECTURES.keys()
"""Kinds of networks that can be trained."""
EXTERNAL_PREFIXES = ("keras:", "application:")
"""Prefixes of external networks, which are not trained: a file of Keras, or a network of
`keras.applications`."""
Weights = Literal["imagenet", "random"]
"""Weights of a network of `keras.applications`."""
GatingScheme = Literal["none", "effective_paths", "stochastic_depth"]
"""Rule by which modules run in a batch of training."""
GATINGS = get_args(GatingScheme)
Schedule = Literal["paper", "cosine", "imagenet"]
"""Schedule of the learning rate."""
LesionPrecision = Literal["float32", "bfloat16", "cascade"]
"""Precision of the evaluation of lesions."""
LESION_PRECISIONS = get_args(LesionPrecision)
SweepKind = Literal[
    "intact",
    "single_deletion",
    "random_deletion",
    "random_deletion_sparing",
    "reorder",
    "single_duplication",
    "random_duplication",
]
"""Kind of planned lesions."""
SWEEPS = get_args(SweepKind)
BatchNormMode = Literal["inference", "training"]
"""Mode of batch normalization in path gradients."""
BATCH_NORM = get_args(BatchNormMode)
GradientTarget = Literal["y0", "image"]
"""What gradients are taken with respect to: y_0 or the image."""
TARGETS = get_args(GradientTarget)
Storage = Literal["auto", "arrays", "records"]
"""Storage of prepared images."""
STORAGES = get_args(Storage)
MAX_MEMBERS = 10
"""Largest number of members of an ensemble: every sub-ensemble votes, and ten form 1,023."""
MAX_SEED = 2**32 - 1
"""Largest seed of the generators of NumPy and Keras."""
MAX_SIDE = 4096
"""Largest height or width of images, in pixels; a decoded image of this size takes 50 MB."""
MAX_EPOCHS = 100_000
MAX_RANDOM_LESIONS = 1_000_000
"""Largest number of random lesions of a network: predictions for 10,000 images then take 20 GB."""
PLAIN = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
"""Pattern of names that can be folders, and that a shell leaves unchanged."""


def is_external(model: object) -> bool:
    """Whether a model is an external network, by its prefix."""
    return isinstance(model, str) and model.startswith(EXTERNAL_PREFIXES)


def parameter(default: Any, description: str, unit: str = "", **constraints) -> Any:
    """Declares a parameter.

    Args:
        default: Default value; `...` for a required parameter.
        description: Meaning, for `--help` and the page of reference.
        unit: Unit, or what it counts.
        **constraints: Constraints of pydantic: `ge`, `gt`, `le`, `lt`, `min_length`.
    """
    return Field(default, description=description, json_schema_extra={"unit": unit}, **constraints)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("one line of printable characters")
    return text


def _source(text: str) -> str:
    if text != "digits" and not text.startswith(("tfds:", "folder:")):
        raise ValueError("digits, tfds:NAME or folder:PATH")
    return _printable(text)


def _trained_model(text: str) -> str:
    if text not in MODELS:
        raise ValueError(f"one of {', '.join(MODELS)}")
    return text


def _external_model(text: str) -> str:
    if not is_external(text):
        raise ValueError("keras:PATH.keras or application:NAME")
    return _printable(text)


def _without_repetitions(values: tuple) -> tuple:
    if len(set(values)) < len(values):
        raise ValueError("a list without repetitions")
    return values


Name = Annotated[str, Field(pattern=PLAIN, max_length=100)]
Names = Annotated[tuple[Name, ...], Field(strict=False), AfterValidator(_without_repetitions)]
"""Names in a list, as in YAML, whose items are not converted."""
Sweeps = Annotated[tuple[SweepKind, ...], Field(strict=False), AfterValidator(_without_repetitions)]
Integers = Annotated[
    tuple[Annotated[int, Field(ge=0, le=MAX_SEED)], ...],
    Field(strict=False),
    AfterValidator(_without_repetitions),
]


class Section(BaseModel):
    """A section of parameters: nothing is converted, and unknown names are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class DataParameters(Section):
    """Source of the images, their splits, and their storage."""

    source: Annotated[str, AfterValidator(_source)] = parameter(
        "digits", "data set: digits, tfds:NAME, or folder:PATH with train|test/<class>/*.jpg in it"
    )
    title: Annotated[str, AfterValidator(_printable)] = parameter(
        "", "display name; empty: the source's own"
    )
    validation_fraction: float = parameter(
        0.1, "share of train that becomes validation; 0 in the paper's schedule", ge=0, lt=1
    )
    seed: int = parameter(0, "seed of the validation split and of the limits", ge=0, le=MAX_SEED)
    resize: int = parameter(
        0, "height and width to resize images to; 0: the images' own", "pixels", ge=0, le=MAX_SIDE
    )
    limit_train: int = parameter(0, "images of train and validation; 0: all", "images", ge=0)
    limit_test: int = parameter(0, "images of test; 0: all", "images", ge=0)
    storage: Storage = parameter("auto", "arrays in memory, records on disk, or auto, by size")


class TrainedNetwork(Section):
    """A network that a study trains."""

    model: Annotated[str, AfterValidator(_trained_model)] = parameter(
        "resnet", f"kind of network: {', '.join(MODELS)}"
    )
    depth: int = parameter(
        110,
        "layers as the papers count: 6n+2; 50, 101, 152, 200 (resnet_bottleneck); 15 (vgg)",
        "layers",
        ge=1,
        le=MAX_DEPTH,
    )
    gating: GatingScheme = parameter("none", "which modules run in a batch of training")
    modules_per_batch: int = parameter(
        23, "modules that run in a batch, for effective_paths", "modules", ge=1
    )
    survival_probability: float = parameter(
        0.5, "probability that the last module runs, for stochastic_depth", gt=0, le=1
    )
    gate_bias: float = parameter(GATE_BIAS, "initial bias of the gates, for highway")


Layers = Annotated[tuple[Annotated[str, AfterValidator(_printable)], ...], Field(strict=False)]


class ExternalNetwork(Section):
    """An external network, which is not trained."""

    model: Annotated[str, AfterValidator(_external_model)] = parameter(
        ..., "keras:PATH.keras, or application:NAME of keras.applications"
    )
    weights: Weights = parameter("imagenet", "weights of an application")
    boundaries: Layers = parameter((), "names of the additions to cut at; none: all")
    modules: Layers = parameter((), "names of layers that are modules by themselves")


def _kind(network: object) -> str:
    model = network.get("model") if isinstance(network, Mapping) else getattr(network, "model", "")
    return "external" if is_external(model) else "trained"


Network = Annotated[
    Annotated[TrainedNetwork, Tag("trained")] | Annotated[ExternalNetwork, Tag("external")],
    Discriminator(_kind),
]
_KINDS: dict[str, type[Section]] = {"trained": TrainedNetwork, "external": ExternalNetwork}


class TrainParameters(Section):
    """Parameters of training."""

    epochs: int = parameter(30, "passes over the training split", "epochs", ge=1, le=MAX_EPOCHS)
    batch_size: int = parameter(128, "images in a step", "images", ge=1)
    learning_rate: float = parameter(0.1, "largest learning rate of the schedule", gt=0)
    schedule: Schedule = parameter("cosine", "course of the learning rate")
    weight_decay: float = parameter(1e-4, "L2 term of the gradient", ge=0)
    precision: TrainingPrecision = parameter("float32", "precision of the computation")
    snapshots: Integers = parameter(
        (0,), "epochs after which the network is saved; 0: before training", "epochs"
    )

    @model_validator(mode="after")
    def _snapshots_are_reached(self):
        unreached = [epoch for epoch in self.snapshots if epoch > self.epochs]
        if unreached:
            raise ValueError(
                f"Received snapshots with a snapshot at epoch {unreached[0]} of {self.epochs}, "
                f"expected epochs from 0 to {self.epochs}."
            )
        return self


class EnsembleParameters(Section):
    """Small ResNets that vote, trained with batches, schedule and precision of `train`."""

    members: int = parameter(
        6, "networks that vote, all sub-ensembles; 0: none", "networks", ge=0, le=MAX_MEMBERS
    )
    depth: int = parameter(20, "layers of each: 6n+2", "layers", ge=1, le=MAX_DEPTH)
    epochs: int = parameter(30, "passes over the training split", "epochs", ge=1, le=MAX_EPOCHS)


class LesionParameters(Section):
    """Lesions, and their evaluation on the test split."""

    networks: Names = parameter(
        ("resnet",), "networks that also get random deletions, re-orderings and duplications"
    )
    k: int = parameter(20, "largest number of modules deleted at once", "modules", ge=1)
    swaps: int = parameter(10, "largest number of swaps", "swaps", ge=1)
    duplications: int = parameter(
        10, "largest number of modules duplicated at once", "modules", ge=1
    )
    draws: int = parameter(20, "random lesions for each number of operations", "lesions", ge=1)
    prune: int = parameter(
        0,
        "modules that are deleted one after another from each external network, each time the one "
        "that costs least; 0: none",
        "modules",
        ge=0,
    )
    seed: int = parameter(0, "seed of the draws, and of samples of images", ge=0, le=MAX_SEED)
    precision: LesionPrecision = parameter(
        "float32",
        "precision; cascade: bfloat16, and float32 where that could be wrong",
    )
    ci_half_width: float = parameter(
        0.0,
        "half-width of the 95 % interval of an error at which evaluation stops; 0: evaluate all "
        "test images",
        "fraction",
        ge=0,
        lt=1,
    )
    fully_evaluated: Sweeps = parameter(
        (),
        "sweeps, such as single_deletion, whose lesions are evaluated on all test images whatever "
        "`ci_half_width` says",
    )
    memory_mib: int = parameter(
        2048, "memory for activations in each process; there is one for each processor", "MiB", ge=1
    )
    batch_size: int = parameter(
        0, "rows in a batch, each one image after one lesion; 0: as many as are fast", "rows", ge=0
    )

    @model_validator(mode="after")
    def _lesions_can_be_evaluated(self):
        try:
            check_number_of_lesions(**self.plan)
        except ValueError as error:
            raise ValueError(f"lesion: {error}") from error
        return self

    @property
    def plan(self) -> dict[str, int]:
        """Parameters of the plan: `k`, `draws`, `swaps` and `duplications`."""
        return {name: getattr(self, name) for name in PLAN}

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of `lesions.evaluate`."""
        return {
            "precision": self.precision,
            "ci_half_width": self.ci_half_width or None,
            "fully_evaluated": self.fully_evaluated,
            "memory_bytes": self.memory_mib * 2**20,
            "batch_size": self.batch_size or None,
            "seed": self.seed,
        }


PLAN = ("k", "draws", "swaps", "duplications")


def check_number_of_lesions(k: int, draws: int, swaps: int, duplications: int) -> None:
    """Raises an error for more random lesions of a network than can be evaluated.

    Args:
        k: Largest number of modules deleted at once, among all modules and among few.
        draws: Random lesions for each number of operations.
        swaps: Largest number of swaps.
        duplications: Largest number of modules duplicated at once.

    Raises:
        ValueError: There are more than `MAX_RANDOM_LESIONS`.
    """
    n = draws * (2 * k + swaps + duplications)
    if n > MAX_RANDOM_LESIONS:
        raise ValueError(
            f"Received k={k}, draws={draws}, swaps={swaps} and duplications={duplications}, in all "
            f"{n:,} random lesions of each network, expected at most {MAX_RANDOM_LESIONS:,}: "
            "draws · (2 k + swaps + duplications)."
        )


class PathParameters(Section):
    """Decomposition of the gradient by path length."""

    networks: Names = parameter(("resnet",), "networks whose paths are sampled too, once trained")
    samples: int = parameter(
        1000,
        "sampled paths of each length, as in section 4.3; 0: none",
        "paths",
        ge=0,
        le=1_000_000,
    )
    batches: int = parameter(
        10,
        "random batches of the train split, which share the samples",
        "batches",
        ge=1,
        le=100_000,
    )
    batch_size: int = parameter(16, "images in a batch; 1: norms per image", "images", ge=1)
    batch_norm: BatchNormMode = parameter(
        "inference",
        "statistics of batch normalization: the moving ones, or the batch's, whose derivative "
        "then is part of the residual; an untrained network always uses the batch's",
    )
    target: GradientTarget = parameter("y0", "gradient with respect to y0 or to the image")
    weights_of_module: int = parameter(
        1, "number of the module, from 1, whose weight gradient is decomposed too; 0: none", ge=0
    )
    seed: int = parameter(0, "seed of batches and paths", ge=0, le=MAX_SEED)


class StudyParameters(Section):
    """All parameters of a study, as in params.yaml."""

    name: Name = parameter(..., "name of the study, and of its folder under results/")
    network: dict[Name, Network] = parameter(
        ..., "networks by name; `networks` lists those of the study"
    )
    networks: Names = parameter(..., "networks of the study, in the order of tables", min_length=1)
    seeds: Integers = parameter(..., "seeds of the trainings of each network", min_length=1)
    differs: str = parameter("", "what differs from the paper's study, as the page says it")
    data: DataParameters = parameter(DataParameters(), "")
    train: TrainParameters = parameter(TrainParameters(), "")
    ensemble: EnsembleParameters = parameter(EnsembleParameters(), "")
    lesion: LesionParameters = parameter(LesionParameters(), "")
    paths: PathParameters = parameter(PathParameters(), "")

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Each network with each seed, in the order of tables."""
        return [(network, seed) for network in self.networks for seed in self.seeds]

    @property
    def trained(self) -> dict[str, TrainedNetwork]:
        """Networks of the study that are trained, by name."""
        listed = {name: self.network[name] for name in self.networks}
        return {name: each for name, each in listed.items() if isinstance(each, TrainedNetwork)}

    @property
    def external(self) -> dict[str, ExternalNetwork]:
        """External networks of the study, by name."""
        listed = {name: self.network[name] for name in self.networks}
        return {name: each for name, each in listed.items() if isinstance(each, ExternalNetwork)}

    @model_validator(mode="after")
    def _networks_are_there(self):
        for name, listed, known in (
            ("networks", self.networks, self.network),
            ("lesion.networks", self.lesion.networks, self.networks),
            ("paths.networks", self.paths.networks, self.networks),
        ):
            for network in listed:
                if network not in known:
                    raise ValueError(
                        f"Received {name}=[{', '.join(listed)}], but there is no network "
                        f"{network!r}, expected some of {', '.join(known)}."
                    )
        return self


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in StudyParameters.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
"""Sections of a study by name."""

EXTERNAL_STUDY = {
    "lesion": {"k": 3, "swaps": 2, "duplications": 2},
    "paths": {"samples": 100},
}
"""Defaults that differ for a study of one external network, which may have few modules."""

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: object) -> Model:
    """Returns values as a model of this module.

    Raises:
        ValueError: In one line, each parameter that is wrong.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ValueError(one_line(model, error)) from None


def one_line(model: type[BaseModel], error: ValidationError) -> str:
    """Returns all errors of pydantic in one line: "Received lesion.k=0, expected 1 or more."."""
    return " ".join(_sentence(model, each) for each in error.errors())


def _sentence(model: type[BaseModel], error: ErrorDetails) -> str:
    kind, context, location = error["type"], error.get("ctx", {}), error["loc"]
    parts = [str(part) for part in location if part not in (*_KINDS, "[key]")]
    name = ".".join(part if part.isprintable() else repr(part) for part in parts) or "parameters"
    received = f"{name}={shown(error['input'])}"
    match kind:
        case "extra_forbidden":
            known = ", ".join(_model_at(model, location[:-1]).model_fields)
            return f"Received the unknown parameter {name}, expected {known}."
        case "missing":
            return f"The parameter {name} is missing; see pipelines/conf/study."
        case "value_error" if "Received" in str(context["error"]):
            return str(context["error"])
    return f"Received {received}, expected {_expected(kind, context, error['input'])}."


def _expected(kind: str, context: Mapping, received: object) -> str:
    match kind:
        case "value_error":
            return str(context["error"])
        case "greater_than_equal":
            return f"{context['ge']:.12g} or more"
        case "greater_than":
            return f"more than {context['gt']:.12g}"
        case "less_than_equal":
            return f"at most {context['le']:.12g}"
        case "less_than":
            return f"below {context['lt']:.12g}"
        case "literal_error":
            return f"one of {context['expected'].replace(' or ', ', ').replace(chr(39), '')}"
        case "string_pattern_mismatch":
            return "letters, digits, _ and -, for a folder"
        case "string_too_long":
            return f"at most {context['max_length']} characters"
        case "too_short":
            return f"a list of at least {context['min_length']}"
        case "tuple_type":
            return "a list"
        case "string_type":
            return "text"
        case "int_type":
            return "an integer"
        case "float_type" | "finite_number":
            hint = " (YAML reads 1e-4 as text: write 1.0e-4)" if isinstance(received, str) else ""
            return f"a number{hint}"
        case "model_type" | "dict_type":
            return "names with values"
    return kind.replace("_", " ")


def _model_at(model: type[BaseModel], location: tuple) -> type[BaseModel]:
    """Returns the model of the section at the location of an error."""
    for part in location:
        if part in _KINDS:
            return _KINDS[part]
        if part in SECTIONS:
            model = SECTIONS[part]
    return model


def limits(field: FieldInfo) -> dict[str, float]:
    """Returns the limits of a parameter among `ge`, `gt`, `le` and `lt`."""
    result = {}
    for each in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if getattr(each, name, None) is not None:
                result[name] = getattr(each, name)
    return result


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Returns the choices of a parameter, or nothing."""
    is_choice = get_origin(field.annotation) is Literal
    return get_args(field.annotation) if is_choice else ()


def help_text(field: FieldInfo) -> str:
    """Returns the meaning of a parameter, with its unit if that is not mentioned."""
    text, counted = field.description or "", unit(field)
    return text if counted in text else f"{text} [{counted}]"


def unit(field: FieldInfo) -> str:
    """Returns the unit of a parameter, or an empty string."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""
