"""Trains one network: `python -m residual_ensembles.train --help`.

A network that is given, `--model=keras:PATH.keras` or `--model=application:NAME`, is not trained:
it is taken apart, and stands where a trained one would.
"""

from pathlib import Path

from absl import flags

from residual_ensembles import backend, cli, data, training
from residual_ensembles.models.architectures import GATE_BIAS
from residual_ensembles.parameters import (
    GATINGS,
    MODELS,
    SCHEDULES,
    TRAINING_PRECISIONS,
    WEIGHTS,
    is_external,
)
from residual_ensembles.storage import checkpoints
from residual_ensembles.training.settings import Settings

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags; each says its unit."""
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
    flags.DEFINE_enum("weights", "imagenet", WEIGHTS, "of an application; others are trained here")
    flags.DEFINE_integer("depth", 110, "layers: 6n+2; 50, 101, 152, 200 (bottleneck); 15 (vgg)", 1)
    define_data_flags()
    flags.DEFINE_enum("gating", "none", GATINGS, "which modules run in a batch")
    flags.DEFINE_integer("modules_per_batch", 23, "modules that run, for effective_paths", 1)
    flags.DEFINE_float(
        "survival_probability", 0.5, "of the last module, for stochastic_depth, 0..1", 0.0, 1.0
    )
    flags.DEFINE_float("gate_bias", GATE_BIAS, "initial bias of the gates, for highway")
    define_schedule_flags()
    flags.DEFINE_integer("seed", 0, "of weights, order, augmentation and gates", 0)
    flags.DEFINE_list("snapshots", ["0"], "epochs after which the network is kept; 0: before")
    flags.DEFINE_string("output_dir", None, "folder for model.keras, history.csv, run.json")
    flags.mark_flag_as_required("output_dir")


def define_schedule_flags() -> None:
    """Defines the flags of how a network is trained, whichever it is."""
    flags.DEFINE_integer("epochs", 30, "passes over the training part", 1)
    flags.DEFINE_integer("batch_size", 128, "pictures in a step", 1)
    flags.DEFINE_float("learning_rate", 0.1, "the largest of the schedule")
    flags.DEFINE_enum("schedule", "cosine", SCHEDULES, "course of the learning rate")
    flags.DEFINE_float("weight_decay", 1e-4, "L2 term of the gradient", 0.0)
    flags.DEFINE_enum("precision", "float32", TRAINING_PRECISIONS, "of the computation")


def schedule_from_flags() -> dict:
    """Returns the settings that these flags describe."""
    names = ("epochs", "batch_size", "learning_rate", "schedule", "weight_decay", "precision")
    return {name: FLAGS[name].value for name in names}


def define_data_flags() -> None:
    """Defines the flags that say what the data are."""
    flags.DEFINE_string("dataset", "digits", "digits, tfds:NAME, folder:PATH, or a prepared folder")
    flags.DEFINE_string("data_dir", "data", "folder in which a data set that is named is prepared")
    flags.DEFINE_float("validation_fraction", 0.1, "share of train, of a named data set", 0.0, 0.9)


def settings_from_flags() -> Settings:
    """Returns the settings that the flags describe."""
    return Settings(
        model=FLAGS.model,
        depth=FLAGS.depth,
        gating=FLAGS.gating,
        modules_per_batch=FLAGS.modules_per_batch,
        survival_probability=FLAGS.survival_probability,
        gate_bias=FLAGS.gate_bias,
        seed=FLAGS.seed,
        **schedule_from_flags(),
        snapshots=tuple(cli.whole_numbers("snapshots", FLAGS.snapshots)),
    )


def prepared_data():
    """Returns the prepared data that `--dataset` names, prepared the first time it is named."""
    source = FLAGS.dataset
    if source != "digits" and ":" not in source:
        return data.load(Path(source))
    return data.prepared_once(source, FLAGS.data_dir, FLAGS.validation_fraction)


def summary(run: dict, folder: Path) -> str:
    """Returns the last line: where the results are and how good."""
    error, n = run["test_error_fraction"], run["n_test_images"]
    return f"results in {folder}: {100 * error:.2f} % error on {n} test pictures"


def publish_given(folder: Path) -> None:
    """Takes a given network apart and leaves it as training leaves a trained one."""
    # Here, for they import Keras, which nobody shall wait for who is told how to call this.
    from residual_ensembles.publishing import publish
    from residual_ensembles.unraveling.given import check_name

    check_name(FLAGS.model, FLAGS.weights)
    backend.configure()
    network = FLAGS.network or folder.name
    run = publish(
        prepared_data(), FLAGS.model, FLAGS.weights, FLAGS.seed, training.Outputs(folder), network
    )
    print(f"{FLAGS.model}: {run['n_modules']} modules, nothing to train")
    print(summary(run, folder))


def main() -> None:
    """Trains the network that the flags describe."""
    folder = Path(FLAGS.output_dir)
    if FLAGS.model not in MODELS:
        cli.require_writable_folder(folder)
        publish_given(folder)
        return
    settings = settings_from_flags()
    cli.require_writable_folder(folder)
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
