"""Trains one network.

    python -m residual_ensembles.train --depth=20 --epochs=5 --output_dir=results/one

An external network, `--model=keras:PATH.keras` or `--model=application:NAME`, is not trained:
it is cut into modules, and its folder has the files of a trained one.
"""

from pathlib import Path

from absl import flags

from residual_ensembles import cli
from residual_ensembles.parameters import (
    MODELS,
    DataParameters,
    ExternalNetwork,
    is_external,
    validated,
)
from residual_ensembles.storage import checkpoints, files

with cli.one_line_errors():  # an extra may be missing
    from residual_ensembles import backend, data, stages, training, unraveling
    from residual_ensembles.training.settings import Settings

FLAGS = flags.FLAGS
TRAINING_FLAGS = tuple(name for name in Settings.model_fields if name != "model")
EXTERNAL_FLAGS = tuple(name for name in ExternalNetwork.model_fields if name != "model")


def define_flags() -> None:
    """Defines the flags: those of `Settings`, data and output."""
    flags.DEFINE_string("network", None, "name in tables; default: that of the output folder")
    flags.DEFINE_string(
        "model",
        "resnet",
        f"kind of network: {', '.join(MODELS)}; or, to train nothing, keras:PATH.keras or "
        "application:NAME of keras.applications",
    )
    flags.register_validator(
        "model",
        lambda model: model in MODELS or is_external(model),
        f"expected one of {', '.join(MODELS)}, keras:PATH.keras or application:NAME",
    )
    cli.define_flags(ExternalNetwork, *EXTERNAL_FLAGS)
    define_data_flags()
    cli.define_flags(Settings, *TRAINING_FLAGS)
    flags.DEFINE_string("output_dir", None, "folder for model.keras, history.csv, run.json")
    flags.mark_flag_as_required("output_dir")


def define_data_flags() -> None:
    """Defines the flags of the data."""
    flags.DEFINE_string(
        "dataset",
        "digits",
        "digits, tfds:NAME, folder:PATH with train|test/<class>/*.jpg in it, or a prepared folder",
    )
    flags.DEFINE_string("data_dir", "data", "folder for prepared data sets")
    cli.define_flags(DataParameters, "validation_fraction")


def settings_from_flags() -> Settings:
    """Returns the settings that the flags describe."""
    return Settings(model=FLAGS.model, **cli.flag_values(Settings, *TRAINING_FLAGS))


def prepared_data():
    """Returns the data of `--dataset`, prepared unless that was done before."""
    source = FLAGS.dataset
    if source != "digits" and ":" not in source:
        return data.load(Path(source))
    return data.prepared_once(source, FLAGS.data_dir, FLAGS.validation_fraction)


def summary(run: dict, folder: Path) -> str:
    """Returns the last line of output: folder and error."""
    error, n = run["test_error_fraction"], run["n_test_images"]
    return f"results in {folder}: {100 * error:.2f} % error on {n} test images"


def register_external(folder: Path) -> None:
    """Cuts an external network into modules, and writes the files of a trained one."""
    values = cli.flag_values(ExternalNetwork, "model", *EXTERNAL_FLAGS)
    parameters = validated(ExternalNetwork, values)
    unraveling.external.check_name(parameters)
    backend.configure()
    outputs, network = training.Outputs(folder), FLAGS.network or folder.name
    run = stages.write_external_run(prepared_data(), parameters, FLAGS.seed, outputs, network)
    print(f"{parameters.model}: {run['n_modules']} modules, nothing to train")
    print(summary(run, folder))


def main() -> None:
    """Trains the network that the flags describe."""
    folder = Path(FLAGS.output_dir)
    settings = settings_from_flags() if FLAGS.model in MODELS else None
    cli.require_writable_folder(folder)
    with files.exclusive(folder):
        if settings is None:
            register_external(folder)
        else:
            train_network(settings, folder)


def train_network(settings: Settings, folder: Path) -> None:
    """Trains a network of ours, unless that was done before."""
    backend.configure()
    prepared = prepared_data()
    run = training.finished_run(prepared, settings, folder)
    if run is not None:
        print("already finished, nothing to do")
    else:
        network = FLAGS.network or folder.name
        run = training.train(prepared, settings, folder, checkpoints.folder(), network)
    print(summary(run, folder))


if __name__ == "__main__":
    define_flags()
    cli.run(main)
