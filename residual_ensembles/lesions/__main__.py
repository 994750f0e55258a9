"""Takes any Keras network apart.

    python -m residual_ensembles.lesions --network=mine.keras --output_dir=results/mine

From the file of an external network and a data set to tables, figures and the page, by the
functions that DVC's stages call.
"""

import json
import re
from pathlib import Path

from absl import flags

from residual_ensembles import cli
from residual_ensembles.backend import extras
from residual_ensembles.parameters import (
    EXTERNAL_STUDY,
    ExternalNetwork,
    LesionParameters,
    PathParameters,
    StudyParameters,
    validated,
)
from residual_ensembles.storage.checkpoints import network_folder
from residual_ensembles.storage.files import exclusive, write_text

with cli.one_line_errors():
    extras.require("data,report", "PIL", "array_record", "jinja2", "matplotlib", "statsmodels")
    from residual_ensembles import (
        analysis,
        backend,
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

FLAGS = flags.FLAGS
PARTITION = ("boundaries", "modules")
LESION = tuple(name for name in LesionParameters.model_fields if name != "networks")
PATHS = ("samples", "batches", "batch_size")
COMMAND = "python -m residual_ensembles.lesions"
"""The command that draws the figures again, shown below each."""


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("network", None, "file of a Keras network that takes images in 0..255")
    train.define_data_flags()
    flags.adopt_module_key_flags(train)
    cli.define_flags(ExternalNetwork, *PARTITION)
    cli.define_flags(LesionParameters, *LESION, defaults=EXTERNAL_STUDY["lesion"])
    cli.define_flags(PathParameters, *PATHS, prefix="path_", defaults=EXTERNAL_STUDY["paths"])
    flags.DEFINE_string("output_dir", None, "folder for the tables, the figures and the page")
    flags.mark_flags_as_required(["network", "output_dir"])


def study_of_flags() -> StudyParameters:
    """Returns the study that the flags describe; its network is named by the stem of its file.

    Raises:
        ValueError: The flags contradict each other, or a value is out of range.
    """
    network = re.sub(r"[^A-Za-z0-9_-]|^-", "_", Path(FLAGS.network).stem)[:100]
    parameters: dict[str, object] = {
        "model": f"keras:{FLAGS.network}",
        **cli.flag_values(ExternalNetwork, *PARTITION),
    }
    lesion = {**cli.flag_values(LesionParameters, *LESION), "networks": [network]}
    paths: dict[str, object] = {
        **cli.flag_values(PathParameters, *PATHS, prefix="path_"),
        "seed": lesion["seed"],
        "networks": [network],
    }
    return validated(
        StudyParameters,
        {
            "name": network,
            "network": {network: parameters},
            "networks": [network],
            "seeds": [0],
            "lesion": lesion,
            "paths": paths,
        },
    )


def main() -> None:
    """Evaluates the lesions of the network that the flags describe."""
    results, study = Path(FLAGS.output_dir), study_of_flags()
    cli.require_writable_folder(results)
    with exclusive(results):
        write_results(study, results)


def write_results(study: StudyParameters, results: Path) -> None:
    """Evaluates the lesions of the study's network, and writes tables, figures and the page."""
    (run,) = study.runs
    parameters = study.external[run[0]]
    unraveling.external.check_name(parameters)
    backend.configure()
    prepared = train.prepared_data()
    outputs = training.Outputs(network_folder(results, *run))
    stages.write_external_run(prepared, parameters, run[1], outputs, run[0])
    chain = models.load(outputs.model)
    if FLAGS.prune:
        pruning.check_prunable(chain, FLAGS.prune)
    if chain.graph is not None:
        chain.summary()
        chain.summary(print_fn=lambda text: write_text(results / "network.txt", text + "\n"))
    with runtime.choose_executor() as executor:
        stages.write_lesions(study, prepared, results, executor)
        stages.write_gradients(study, prepared, results, executor)
        if FLAGS.prune:
            stages.save_pruned(run, results)
    tables = analysis.read_tables(results)
    figures.draw_figures(tables)
    options = {flag.name: flag.value for flag in FLAGS.get_key_flags_for_module(__name__)}
    shown = json.loads(json.dumps(options, default=str))
    report.write_page(tables, shown, COMMAND, report.evidence.read_all())
    print(f"the page: {results / 'report.html'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
