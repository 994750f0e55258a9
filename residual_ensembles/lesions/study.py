"""The whole of a lesion study in one call: any chain, any inputs, a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from keras import tree

from residual_ensembles.lesions.bearing import deletable
from residual_ensembles.lesions.engine import evaluate
from residual_ensembles.lesions.examples import as_arrays, packed_examples
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.lesions.metric import metrics_for
from residual_ensembles.lesions.outputs import outputs_of
from residual_ensembles.lesions.plans import PlannedLesion, intact, single_deletions
from residual_ensembles.lesions.table import lesion_table
from residual_ensembles.models.targets import class_labels, n_classes


def lesion_study(
    chain,
    inputs,
    targets=None,
    *,
    plan: Sequence | None = None,
    metric=None,
    error_margin: float | None = None,
    **options,
) -> pd.DataFrame:
    """Returns what each lesion does to a network, one row for each.

    Args:
        chain: The network, for instance what `unravel` returns; nothing about it changes.
        inputs: As its model takes them: an array, or a dictionary or a list of arrays; or a
            `tf.data.Dataset` or `keras.utils.PyDataset` of these, with targets or without.
        targets: Class of each example, `(n,)`, or one-hot; or what the metric compares with. None
            for those of a data set, or to compare with the intact network alone.
        plan: Lesions, their texts such as "delete 3,7", or planned lesions; None for
            the intact network and each single deletion.
        metric: A Keras metric, or its name, for targets that are no class labels.
        error_margin: Half-width, as a fraction, at which the 95 % interval of an error is narrow
            enough; None evaluates all examples. For class labels only.
        **options: As for `evaluate`: precision, memory_bytes, batch_size, seed, executor, progress.

    Returns:
        With class labels: `sweep, draw, lesion, module, n_operations, kendall_tau, n_images,
        n_wrong, error_fraction` and its intervals, as `lesion_table` explains them, and
        `changed_fraction`, the share of the predictions that are no longer the intact network's.
        Otherwise: the same up to `n_images`, then the metric under its name, `changed_fraction`
        (where an output is a vector of classes) and `output_distance`, the mean Euclidean distance
        to what the intact network puts out.

    Raises:
        ValueError: The network cannot bear a lesion, or targets and metric do not fit.

    Example:
        >>> table = lesion_study(chain, pictures, labels)  # doctest: +SKIP
        >>> table.plot(x="lesion", y="error_fraction")  # doctest: +SKIP
    """
    inputs, targets = as_arrays(chain, inputs, targets)
    packed = packed_examples(chain, inputs)
    rows = [_planned(row) for row in plan] if plan is not None else default_plan(chain)
    if targets is not None and metric is None:
        labels = class_labels(chain, targets, len(packed))
        found = _with_labels(chain, rows, packed, labels, error_margin, options)
    else:
        if error_margin is not None or (metric is not None and targets is None):
            raise ValueError(
                f"Received metric={metric!r}, error_margin={error_margin} and "
                f"{'no ' if targets is None else ''}targets, expected class labels for a margin "
                "and targets for a metric."
            )
        found = _with_outputs(chain, rows, packed, targets, metric, options)
    found.insert(3, "module", [_title(chain, row.lesion) for row in rows])
    return found


def default_plan(chain) -> list[PlannedLesion]:
    """Returns the intact network and each single deletion."""
    return intact() + single_deletions(deletable(chain))


def _planned(row) -> PlannedLesion:
    row = Lesion.parse(row) if isinstance(row, str) else row
    return PlannedLesion(_sweep(row), 0, row) if isinstance(row, Lesion) else row


def _sweep(lesion: Lesion) -> str:
    """Returns the sweep that a lesion would belong to, had it been planned."""
    kinds = {
        "deletion": len(lesion.deletions),
        "duplication": len(lesion.duplications),
        "reorder": len(lesion.swaps),
    }
    present = [kind for kind, n in kinds.items() if n]
    if not present:
        return "intact"
    if len(present) > 1:
        return "mixed"
    if present == ["reorder"]:
        return "reorder"
    return f"{'single' if kinds[present[0]] == 1 else 'random'}_{present[0]}"


def _title(chain, lesion: Lesion) -> str:
    """Returns the names of the modules that a lesion is about."""
    named = sorted({*lesion.deletions, *lesion.duplications, *(i for p in lesion.swaps for i in p)})
    modules = [chain.modules[i - 1] for i in named]
    return ", ".join(module.title for module in modules)


def _with_labels(chain, rows, inputs, labels, error_margin, options) -> pd.DataFrame:
    lesions = [Lesion(), *(row.lesion for row in rows)]
    found = evaluate(chain, lesions, inputs, labels=labels, error_margin=error_margin, **options)
    whole, predictions = found.predictions[0], found.predictions[1:]
    table = lesion_table(chain.name, 0, rows, len(chain.modules), predictions, labels, whole)
    known = predictions >= 0
    changed = ((predictions != whole) & known).sum(axis=1) / known.sum(axis=1)
    return table.drop(columns=["network", "seed"]).assign(changed_fraction=changed)


def _with_outputs(chain, rows, inputs, targets, metric, options) -> pd.DataFrame:
    options = {name: value for name, value in options.items() if name != "seed"}
    lesions = [row.lesion for row in rows]
    metrics = [] if metric is None else metrics_for(chain, metric, targets, len(inputs), len(rows))
    distance, changed = np.zeros(len(rows)), np.zeros(len(rows))
    for some, outputs in outputs_of(chain, [Lesion(), *lesions], inputs, **options):
        whole, outputs = outputs[0], outputs[1:]
        distance += np.linalg.norm(outputs - whole, axis=2).sum(axis=1)
        changed += (outputs.argmax(axis=2) != whole.argmax(axis=1)).sum(axis=1)
        if metrics:
            these = tree.map_structure(lambda x, some=some: np.asarray(x)[some], targets)
            for own, made in zip(metrics, outputs, strict=True):
                own.update_state(these, chain.unpacked_outputs(made))
    n = len(inputs)
    columns = {
        "sweep": [row.sweep for row in rows],
        "draw": [row.draw for row in rows],
        "lesion": [str(lesion) for lesion in lesions],
        "n_operations": [lesion.n_operations for lesion in lesions],
        "kendall_tau": [lesion.kendall_tau(len(chain.modules)) for lesion in lesions],
        "n_images": n,
    }
    if metrics:
        columns[metrics[0].name] = [float(own.result()) for own in metrics]
    if n_classes(chain) is not None:
        columns["changed_fraction"] = changed / n
    return pd.DataFrame(columns | {"output_distance": distance / n})
