"""Takes any Keras network apart: `python -m residual_ensembles.lesions --help`.

From the file of a network and a data set to tables, figures and the page of a study.
"""

from pathlib import Path

from absl import flags

from residual_ensembles import backend, cli, executor, unraveling
from residual_ensembles.parameters import LESION_PRECISIONS
from residual_ensembles.train import define_data_flags, prepared_data

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags; each says its unit."""
    flags.DEFINE_string("network", None, "file of a Keras network that takes pictures in 0..255")
    define_data_flags()
    flags.DEFINE_list("boundaries", None, "names of the additions to cut at; default: all")
    flags.DEFINE_list("modules", None, "names of layers that are modules by themselves")
    flags.DEFINE_integer("k", 10, "largest number of modules deleted together", 1)
    flags.DEFINE_integer("draws", 10, "draws for each number of operations", 1)
    flags.DEFINE_integer("swaps", 5, "largest number of swaps", 1)
    flags.DEFINE_integer("duplications", 5, "largest number of modules duplicated together", 1)
    flags.DEFINE_enum("precision", "float32", LESION_PRECISIONS, "of the lesions")
    flags.DEFINE_float(
        "error_margin",
        0.0,
        "half-width, as a fraction, at which an error is known well enough; 0: all test pictures",
        0.0,
        1.0,
    )
    flags.DEFINE_integer(
        "memory_mib",
        2048,
        "what activations may take in each process, MiB; there is one for each processor",
        1,
    )
    flags.DEFINE_integer("path_samples", 100, "sampled paths of each length; 0 for none", 0)
    flags.DEFINE_integer("path_batches", 3, "batches whose gradient is taken apart", 1)
    flags.DEFINE_integer("path_batch_size", 8, "pictures in each", 1)
    flags.DEFINE_integer("prune", 0, "modules to delete for good, into pruned.keras; 0 for none", 0)
    flags.DEFINE_integer("seed", 0, "of draws and samples", 0)
    flags.DEFINE_string("output_dir", None, "folder for the tables, the figures and the page")
    flags.mark_flags_as_required(["network", "output_dir"])


def main() -> None:
    """Takes the network apart and writes the page."""
    folder = Path(FLAGS.output_dir)
    cli.require_writable_folder(folder)
    # Here, for it imports Keras, which nobody shall wait for who is told how to call this.
    from residual_ensembles import pruning
    from residual_ensembles.network_study import NetworkStudy
    from residual_ensembles.unraveling.loading import check_file

    check_file(FLAGS.network)
    backend.configure()
    prepared = prepared_data()
    chain = unraveling.load(
        FLAGS.network, FLAGS.boundaries, FLAGS.modules, picture_shape=prepared.picture_shape
    )
    if FLAGS.prune:
        pruning.check_number(chain, FLAGS.prune)
    print(chain.summary(), flush=True)
    with executor.chosen() as chosen:
        study = NetworkStudy(chain, Path(FLAGS.network), prepared, folder, FLAGS.seed, chosen)
        study.lesions(
            plan={name: FLAGS[name].value for name in ("k", "draws", "swaps", "duplications")},
            precision=FLAGS.precision,
            error_margin=FLAGS.error_margin or None,
            memory_bytes=FLAGS.memory_mib * 2**20,
        )
        study.gradients(FLAGS.path_samples, FLAGS.path_batches, FLAGS.path_batch_size)
        study.worth()
        if FLAGS.prune:
            study.prune(FLAGS.prune)
    parameters = {flag.name: flag.value for flag in FLAGS.get_key_flags_for_module(__name__)}
    print(f"the page: {study.page(parameters)}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
