"""Takes any Keras network apart: `python -m residual_ensembles.lesions --help`.

From the file of a network and a data set to tables, figures and the page: a study of one network
that is brought along, by the functions that DVC's stages call.
"""

import json
import re
from pathlib import Path

from absl import flags

from residual_ensembles import (
    analysis,
    backend,
    cli,
    figures,
    models,
    pruning,
    report,
    runtime,
    stages,
    train,
    training,
    unraveling,
)
from residual_ensembles.parameters import (
    EXTERNAL_STUDY,
    ExternalNetwork,
    Lesion,
    Paths,
    Study,
    validated,
)
from residual_ensembles.storage.checkpoints import network_folder
from residual_ensembles.storage.files import write_text

FLAGS = flags.FLAGS
CUT = ("boundaries", "modules")
LESION = tuple(name for name in Lesion.model_fields if name != "networks")
PATHS = ("samples", "batches", "batch_size")
COMMAND = "python -m residual_ensembles.lesions"
"""What remakes the figures, shown below each."""


def define_flags() -> None:
    """Defines the flags; each says its unit."""
    flags.DEFINE_string("network", None, "file of a Keras network that takes images in 0..255")
    train.define_data_flags()
    flags.adopt_module_key_flags(train)
    cli.define_flags(ExternalNetwork, *CUT)
    cli.define_flags(Lesion, *LESION, defaults=EXTERNAL_STUDY["lesion"])
    cli.define_flags(Paths, *PATHS, prefix="path_", defaults=EXTERNAL_STUDY["paths"])
    flags.DEFINE_integer("prune", 0, "modules to delete for good, into pruned.keras; 0 for none", 0)
    flags.DEFINE_string("output_dir", None, "folder for the tables, the figures and the page")
    flags.mark_flags_as_required(["network", "output_dir"])


def study_of_flags() -> Study:
    """Returns the study that the flags describe, of one network called by the stem of its file.

    Raises:
        ValueError: It cannot be.
    """
    network = re.sub(r"[^A-Za-z0-9_-]|^-", "_", Path(FLAGS.network).stem)[:100]
    own = {"model": f"keras:{FLAGS.network}", **cli.flag_values(ExternalNetwork, *CUT)}
    lesion = cli.flag_values(Lesion, *LESION)
    paths = {**cli.flag_values(Paths, *PATHS, prefix="path_"), "seed": lesion["seed"]}
    return validated(
        Study,
        {
            "name": network,
            "network": {network: own},
            "networks": [network],
            "seeds": [0],
            "lesion": {**lesion, "networks": [network]},
            "paths": {**paths, "networks": [network]},
        },
    )


def main() -> None:
    """Takes the network apart and writes the page."""
    results, study = Path(FLAGS.output_dir), study_of_flags()
    (run,) = study.runs
    cli.require_writable_folder(results)
    unraveling.external.check_name(study.network[run[0]])
    backend.configure()
    prepared = train.prepared_data()
    place = training.Outputs(network_folder(results, *run))
    stages.write_external_run(prepared, study.network[run[0]], run[1], place, run[0])
    chain = models.load(place.model)
    if FLAGS.prune:
        pruning.check_number(chain, FLAGS.prune)
    if chain.graph is not None:
        chain.summary()
        chain.summary(print_fn=lambda text: write_text(results / "network.txt", text + "\n"))
    with runtime.choose_executor() as chosen:
        stages.write_lesions(study, prepared, results, chosen, clip=True)
        stages.write_gradients(study, prepared, results, chosen)
        if FLAGS.prune:
            stages.prune_network(run, FLAGS.prune, prepared, results, chosen)
    tables = analysis.read_tables(results)
    figures.draw_figures(tables)
    given = {flag.name: flag.value for flag in FLAGS.get_key_flags_for_module(__name__)}
    report.write_page(tables, json.loads(json.dumps(given, default=str)), COMMAND)
    print(f"the page: {results / 'report.html'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
