"""Tables of a study, and their columns; those of path_gradients*.csv are in `gradient_tables`."""

TABLES = (
    "lesions.csv",
    "path_gradients.csv",
    "path_gradients_quantiles.csv",
    "path_gradients_cancellation.csv",
    "path_gradients_fits.csv",
    "path_gradients_ranges.csv",
    "path_gradients_modules.csv",
    "path_gradients_sums.csv",
    "exactness.csv",
    "half_gates.csv",
    "ensemble.csv",
    "ensemble/members.csv",
    "module_importance.csv",
    "module_importance_ranks.csv",
    "pruned.csv",
    "pruned_steps.csv",
)
"""Tables that the stages write into the folder of a study."""

_ERROR_COLUMNS = ["n_images", "n_wrong", "error_fraction", "error_low", "error_high"]
LESION_COLUMNS = [
    "network",
    "seed",
    "sweep",
    "draw",
    "lesion",
    "n_operations",
    "kendall_tau",
    *_ERROR_COLUMNS,
]
"""Columns of lesions.csv that are read; it also has `ON_IMAGES`."""
UNKNOWN = -1
"""Class of an image that a lesion was not evaluated on, in predictions/*.npz."""
ON_IMAGES = ["error_on_images_low", "error_on_images_high"]
GATE_COLUMNS = ["network", "seed", "when", "module", "bias", "mean_gate"]
HALF_GATE_COLUMNS = ["network", "seed", "n_images", "largest_relative_difference", "n_different"]
"""Columns of half_gates.csv: each residual network with random lesions against the highway network
that equals it, on test images: logits, as a share of an image's largest, and predictions."""
EXACTNESS_COLUMNS = [
    "network",
    "seed",
    "precision",
    "n_lesions",
    "n_images",
    "n_predictions",
    "n_close",
    "rounding",
    "n_compared",
    "n_different",
    "n_unexplained",
    "largest_relative_difference",
    "n_rounded",
    "n_changed",
    "n_reevaluated",
    "n_threshold_violations",
]
ENSEMBLE_COLUMNS = [
    "seed",
    "vote",
    "size",
    "members",
    "n_modules",
    *_ERROR_COLUMNS,
]
"""Columns of ensemble.csv: one row for each sub-ensemble and way to vote; `n_modules` counts those
of all its members."""
MEMBER_FACTS = ["n_modules", "n_parameters", "epochs", "n_test_images", "test_error_fraction"]
MEMBER_COLUMNS = ["seed", "member", *MEMBER_FACTS]
HISTORY_COLUMNS = ["epoch", "error_fraction"]
MODULE_IMPORTANCE_COLUMNS = [
    "network",
    "seed",
    "module",
    "block_influence",
    "first_order",
    "loss_increase",
]
RANK_COLUMNS = ["network", "seed", "estimate", "cost", "spearman", "kendall", "n"]
"""Columns of module_importance_ranks.csv."""
PRUNED_COLUMNS = ["network", "seed", "version", "n_examples", "error_fraction", "loss"]
PRUNED_STEP_COLUMNS = ["network", "seed", "module", "name", "n_examples", "error_fraction", "loss"]
"""Columns of pruned.csv and pruned_steps.csv that are read."""
CLAIM_COLUMNS = [
    "id",
    "claim",
    "source",
    "network",
    "paper_value",
    "measured",
    "low",
    "high",
    "n",
    "rule",
    "verdict",
    "note",
]

TEXT_COLUMNS = {
    "network",
    "sweep",
    "lesion",
    "precision",
    "when",
    "estimator",
    "target",
    "batch_norm",
    "reading",
    "fitted_lengths",
    "version",
    "name",
    "vote",
    "members",
    "id",
    "claim",
    "source",
    "rule",
    "verdict",
    "note",
}
"""Columns whose values are never numbers, nor missing: a network may be called `1` or `NA`."""
