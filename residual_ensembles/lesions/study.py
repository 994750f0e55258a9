"""A lesion study in one call: of any chain, with any inputs, as a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from residual_ensembles.arguments import checked
from residual_ensembles.lesions.constraints import deletable
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES
from residual_ensembles.lesions.engine.scheduler import Scheduler
from residual_ensembles.lesions.evaluation import Sweep, evaluate_sweeps
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.lesions.metric import (
    Comparison,
    comparison,
    metrics_for,
    results,
    update,
)
from residual_ensembles.lesions.outputs import outputs_of
from residual_ensembles.lesions.plans import PlannedLesion, intact, single_deletions
from residual_ensembles.lesions.sweep_settings import SweepSettings
from residual_ensembles.lesions.table import lesion_table
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.examples import as_arrays, packed_examples
from residual_ensembles.models.targets import n_classes
from residual_ensembles.models.types import Inputs, Metric, Targets
from residual_ensembles.runtime.calls import Verbose, executor_for, progress_bar
from residual_ensembles.runtime.executor import Executor

Plan = Sequence[PlannedLesion | Lesion | str] | Lesion | str
EXAMPLE_COLUMNS = {
    "n_images": "n_examples",
    "error_on_images_low": "error_on_examples_low",
    "error_on_images_high": "error_on_examples_high",
}
"""Columns of `lesion_table` that `lesion_study` renames, since inputs need not be images."""


@checked
def lesion_study(
    chain: Chain,
    x: Inputs,
    y: Targets | None = None,
    *,
    plan: Plan | None = None,
    metric: Metric | None = None,
    precision: str = "float32",
    ci_half_width: float | None = None,
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    verbose: Verbose = "auto",
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Returns the effect of each lesion on a network, one row for each (sections 4.1 to 4.3).

    Args:
        chain: The network, for instance what `unravel` returns; nothing about it changes.
        x: Inputs as `keras.Model.predict` takes them: an array, a dictionary or a list of arrays, a
            `tf.data.Dataset` or a `keras.utils.PyDataset`, with targets or without.
        y: Targets: the class of each example, `(n,)` as whole numbers, integers or floats, or
            one-hot; or what the metric compares with. None for those of a data set, or to compare
            with the intact network alone.
        plan: Lesions, their texts such as "delete 3,7; swap 4-9", or planned lesions: those that
            `lesions.random_deletions` and the like return, with the sweep that each belongs to.
            None for the intact network and each single deletion.
        metric: Whatever `keras.metrics.get` takes, called with (y_true, y_pred), or a list of that.
            None for the error of class labels and the metrics that the model was compiled with;
            where `y` are not class labels, for these metrics, or else for one that fits:
            `binary_accuracy` of 0 and 1, `mean_squared_error` of anything else.
            `table.attrs["metric"]` says which.
        precision: "float32", "bfloat16", or, for errors alone, "cascade": bfloat16, and float32
            wherever rounding could have changed a prediction.
        ci_half_width: Half-width, as a fraction, at which the 95 % interval of an error is narrow
            enough; None evaluates all examples. For class labels only.
        memory_bytes: Memory for activations, in each process.
        batch_size: Rows in a batch, each one example after one lesion; None for as many as are
            fast.
        seed: Seed of the samples that are compared with the network itself, and of the examples
            that `ci_half_width` evaluates, drawn in rounds until the interval is narrow enough.
        n_jobs: As in scikit-learn: None or 1 computes in this process, -1 in one on each processor.
        verbose: 1 for a progress bar, 0 for none, "auto" for one in terminals and notebooks.
        executor: Runs the tasks in place of `n_jobs`, for instance a cluster; it is not closed.

    Returns:
        `sweep, draw, lesion, module` (number from 1 of the module that is deleted or duplicated; 0
        for none or several), `name` (of the modules that the lesion is about), `n_operations,
        kendall_tau, n_examples` (evaluated); with class labels `n_wrong`, `error_fraction` and its
        95 % intervals: `error_low, error_high` for the population that the examples are a sample
        of (Wilson), and `error_on_examples_low, error_on_examples_high` for the given examples, a
        point where all were evaluated. With `ci_half_width`, examples that the intact network gets
        wrong are drawn more often, and error and intervals weigh that: the error is then not
        `n_wrong / n_examples`. Further, each metric under its name; `changed_fraction`, the share
        of the predictions that are no longer the intact network's, where an output is a vector of
        classes; and, where outputs were looked at and not only predictions, `output_distance`, the
        mean Euclidean distance to what the intact network outputs.

    Raises:
        TypeError: `chain` is not a chain.
        ValueError: The network does not allow a lesion, inputs, targets and metric do not fit, or
            an option is out of range.
        ArithmeticError: Outputs are NaN or infinite, or a sample of them differs from those of the
            network itself.

    Example:
        >>> import keras, numpy as np
        >>> from residual_ensembles import lesion_study, unravel
        >>> x = keras.Input((4,))
        >>> y = keras.layers.Add(name="first")([x, keras.layers.Dense(4, activation="relu")(x)])
        >>> y = keras.layers.Add(name="second")([y, keras.layers.Dense(4, activation="relu")(y)])
        >>> chain = unravel(keras.Model(x, keras.layers.Dense(3)(y)))
        >>> examples = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
        >>> table = lesion_study(chain, examples, np.arange(20) % 3, verbose=0)
        >>> table[["lesion", "module", "name", "n_examples"]]
             lesion  module    name  n_examples
        0    intact       0                  20
        1  delete 1       1   first          20
        2  delete 2       2  second          20
    """
    x, y = as_arrays(chain, x, y)
    packed = packed_examples(chain, x)
    rows = default_plan(chain) if plan is None else _planned(plan)
    if not rows:
        raise ValueError("Received an empty plan, expected one or more lesions, such as 'intact'.")
    only_errors = ci_half_width is not None or precision == "cascade"
    measured = comparison(chain, y, metric, len(packed), only_errors)
    if metric is not None and y is None:
        raise ValueError(f"Received metric={metric!r} and no targets, expected targets for it.")
    if ci_half_width is not None and measured.labels is None:
        raise ValueError(
            f"Received ci_half_width={ci_half_width} without class labels, expected the class of "
            "each example, and no metric: the interval is that of the error."
        )
    settings = SweepSettings(precision, ci_half_width, memory_bytes, batch_size, seed)
    title = f"{chain.name}: {len(rows)} lesions"
    with (
        executor_for(n_jobs, executor) as running,
        progress_bar(verbose, (1 + len(rows)) * len(packed), title) as advance,
    ):
        if measured.labels is not None and not measured.metrics:
            table = _by_predictions(
                chain, rows, packed, measured.labels, settings, running, advance
            )
        else:
            table = _by_outputs(chain, rows, packed, y, measured, settings, running, advance)
    modules = [_modules(row.lesion) for row in rows]
    table.insert(3, "module", [some[0] if len(some) == 1 else 0 for some in modules])
    names = [", ".join(chain.modules[i - 1].title for i in some) for some in modules]
    table.insert(4, "name", names)
    table.attrs["metric"] = ", ".join(measured.names) or "output_distance"
    return table


def default_plan(chain: Chain) -> list[PlannedLesion]:
    """Returns the intact network and each single deletion."""
    return intact() + single_deletions(deletable(chain))


def _planned(plan: Plan) -> list[PlannedLesion]:
    rows = [plan] if isinstance(plan, str | Lesion | PlannedLesion) else list(plan)
    lesions = [Lesion.parse(row) if isinstance(row, str) else row for row in rows]
    return [PlannedLesion(_sweep(r), 0, r) if isinstance(r, Lesion) else r for r in lesions]


def _sweep(lesion: Lesion) -> str:
    """Returns the sweep that a lesion would belong to, had it been planned."""
    kinds = {
        "deletion": len(lesion.deletions),
        "duplication": len(lesion.duplications),
        "reorder": len(lesion.swaps),
    }
    present = [kind for kind, n in kinds.items() if n]
    if len(present) != 1:
        return "mixed" if present else "intact"
    if present == ["reorder"]:
        return "reorder"
    return f"{'single' if kinds[present[0]] == 1 else 'random'}_{present[0]}"


def _modules(lesion: Lesion) -> list[int]:
    """Returns the modules that a lesion names, from 1."""
    return sorted({*lesion.deletions, *lesion.duplications, *(i for p in lesion.swaps for i in p)})


def _by_predictions(
    chain, rows, packed, labels, settings: SweepSettings, executor, advance
) -> pd.DataFrame:
    sweep = Sweep(chain, [Lesion(), *rows], packed, settings, labels)
    [result] = evaluate_sweeps([sweep], Scheduler(executor, advance))
    return _errors(chain, rows, result.predictions, labels)


def _errors(chain, rows, predictions: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Returns the rows of a plan; the first row of predictions is the intact network's."""
    intact, predictions = predictions[0], predictions[1:]
    table = lesion_table(chain.name, 0, rows, len(chain.modules), predictions, labels, intact)
    known = predictions >= 0
    changed = ((predictions != intact) & known).sum(axis=1) / known.sum(axis=1)
    table = table.drop(columns=["network", "seed"]).rename(columns=EXAMPLE_COLUMNS)
    return table.assign(changed_fraction=changed)


def _by_outputs(
    chain, rows, packed, targets, measured: Comparison, settings: SweepSettings, executor, advance
) -> pd.DataFrame:
    n, lesions = len(packed), [row.lesion for row in rows]
    metrics, wanted = metrics_for(chain, measured, targets, n, len(rows))
    distance, is_classifier = np.zeros(len(rows)), n_classes(chain) is not None
    predictions = np.zeros((1 + len(rows), n), np.int32)
    for some, outputs in outputs_of(
        chain,
        [Lesion(), *lesions],
        packed,
        precision=settings.precision,
        memory_bytes=settings.memory_bytes,
        batch_size=settings.batch_size,
        seed=settings.seed,
        executor=executor,
        progress=advance,
    ):
        distance += np.linalg.norm(outputs[1:] - outputs[0], axis=2).sum(axis=1)
        if is_classifier:
            predictions[:, some] = outputs.argmax(axis=2)
        update(chain, metrics, wanted, some, outputs[1:])
    columns: dict = results(metrics)
    if measured.labels is not None:
        table = _errors(chain, rows, predictions, measured.labels)
        changed = table.pop("changed_fraction").to_numpy()
    else:
        table = pd.DataFrame(
            {
                "sweep": [row.sweep for row in rows],
                "draw": [row.draw for row in rows],
                "lesion": [str(lesion) for lesion in lesions],
                "n_operations": [lesion.n_operations for lesion in lesions],
                "kendall_tau": [lesion.kendall_tau(len(chain.modules)) for lesion in lesions],
                "n_examples": n,
            }
        )
        changed = (predictions[1:] != predictions[0]).mean(axis=1)
    if is_classifier:
        columns["changed_fraction"] = changed
    return table.assign(**columns, output_distance=distance / n)
