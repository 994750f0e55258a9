"""Takes any Keras network apart: `python -m residual_ensembles.lesions --help`.

From the file of a network and a data set to tables, figures and the page of a study.
"""

from pathlib import Path

from absl import flags

from residual_ensembles import backend, cli, runtime, train, unraveling
from residual_ensembles.parameters import EXTERNAL_STUDY, Lesion, Paths, validated

FLAGS = flags.FLAGS
LESION = tuple(name for name in Lesion.model_fields if name != "networks")
PATHS = ("samples", "batches", "batch_size")


def define_flags() -> None:
    """Defines the flags; each says its unit."""
    flags.DEFINE_string("network", None, "file of a Keras network that takes pictures in 0..255")
    train.define_data_flags()
    flags.adopt_module_key_flags(train)
    flags.DEFINE_list("boundaries", None, "names of the additions to cut at; default: all")
    flags.DEFINE_list("modules", None, "names of layers that are modules by themselves")
    cli.define_flags(Lesion, *LESION, defaults=EXTERNAL_STUDY["lesion"])
    cli.define_flags(Paths, *PATHS, prefix="path_", defaults=EXTERNAL_STUDY["paths"])
    flags.DEFINE_integer("prune", 0, "modules to delete for good, into pruned.keras; 0 for none", 0)
    flags.DEFINE_string("output_dir", None, "folder for the tables, the figures and the page")
    flags.mark_flags_as_required(["network", "output_dir"])


def main() -> None:
    """Takes the network apart and writes the page."""
    folder = Path(FLAGS.output_dir)
    lesion = validated(Lesion, cli.flag_values(Lesion, *LESION))
    paths = cli.flag_values(Paths, *PATHS, prefix="path_")
    cli.require_writable_folder(folder)
    # Here, for it imports Keras, which nobody shall wait for who is told how to call this.
    from residual_ensembles import pruning
    from residual_ensembles.network_study import NetworkStudy
    from residual_ensembles.unraveling.loading import check_file

    check_file(FLAGS.network)
    backend.configure()
    prepared = train.prepared_data()
    chain = unraveling.load(
        FLAGS.network, FLAGS.modules, FLAGS.boundaries, picture_shape=prepared.picture_shape
    )
    if FLAGS.prune:
        pruning.check_number(chain, FLAGS.prune)
    chain.summary()
    with runtime.choose_executor() as chosen:
        study = NetworkStudy(chain, Path(FLAGS.network), prepared, folder, lesion.seed, chosen)
        study.lesions(lesion.plan, **lesion.options)
        study.gradients(**paths)
        study.worth()
        if FLAGS.prune:
            study.prune(FLAGS.prune)
    parameters = {flag.name: flag.value for flag in FLAGS.get_key_flags_for_module(__name__)}
    print(f"the page: {study.page(parameters)}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
