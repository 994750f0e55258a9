"""Path gradients of many batches as tables: means, quantiles, cancellation, ranges, fits.

The bootstrap resamples batches, which are drawn independently; the paths of one batch share its
images. Norms are base-10 logarithms, as those of long paths underflow; means are means of norms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd

from residual_ensembles.paths.length_profile import (
    EFFECTIVE,
    LogLinearFit,
    effective_range,
    log_linear,
)
from residual_ensembles.statistics.intervals import N_RESAMPLES, expanded_tail
from residual_ensembles.statistics.randomness import generator

CONFIDENCE = 0.95
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# A factor of two on the logarithmic axis: norms that are as near to a line count as straight.
STRAIGHT = np.log10(2.0)
# A line is fitted to no fewer lengths; log_linear needs as many for its intervals.
FEWEST_LENGTHS = 4

_NETWORK = ("network", "seed", "epoch")
_KEY = (*_NETWORK, "estimator", "target", "batch_norm")
_NORM = ("log10_norm", "log10_norm_low", "log10_norm_high")
_SHARES = tuple(
    f"share_{name}" for name in ("projected_low", "projected_high", "of_norms_low", "of_norms_high")
)
_KEPT = ("log10_kept", "log10_kept_low", "log10_kept_high", "log10_kept_if_random")
_MEAN = ("log10_mean", "relative_standard_error")
_QUANTILES = tuple(f"log10_q{round(100 * q):02d}" for q in QUANTILES)
_FIRST, _LAST, _SHARE_5_TO_17, _SHARE_NEAR_LINE = (
    tuple(f"{name}{end}" for end in ("", "_low", "_high"))
    for name in ("first", "last", "share_5_to_17", "share_near_line")
)
COLUMNS = {
    "": (*_KEY, "length", *_NORM, "n", "share_projected", "share_of_norms", *_SHARES),
    "_quantiles": (*_KEY, "length", *_MEAN, *_QUANTILES, "n", "n_batches"),
    "_cancellation": (*_NETWORK, "target", "batch_norm", "length", *_KEPT),
    "_modules": (
        *_NETWORK,
        "batch_norm",
        "module",
        "share_projected",
        "share_low",
        "share_high",
        "n",
    ),
    "_sums": (*_NETWORK, "target", "batch_norm", "largest_error", "n"),
    "_ranges": (*_KEY, "reading", *_FIRST, *_LAST, *_SHARE_5_TO_17, "n_batches"),
    "_fits": (
        *_KEY,
        "fitted_lengths",
        "first",
        "last",
        *LogLinearFit._fields,
        *_SHARE_NEAR_LINE,
        "n_batches",
    ),
}
"""The tables path_gradients*.csv, by what follows path_gradients in their names."""


@dataclass(frozen=True)
class Batches:
    """Measurements of one network with one estimator, over batches.

    Attributes:
        key: Values of the key columns: network, seed, epoch, estimator, target, batch_norm.
        lengths: Path lengths, `(lengths,)`.
        skips: Whether each module on the paths has a skip, bool, `(modules,)`.
        log10_norms: `(batches, lengths, paths)`; of exact gradients there is one "path", the sum.
        shares: Projections on the gradient, of the same shape.
    """

    key: dict
    lengths: np.ndarray
    skips: np.ndarray
    log10_norms: np.ndarray
    shares: np.ndarray

    @property
    def log10_counts(self) -> np.ndarray:
        """Base-10 logarithm of the number of paths of one measurement, `(lengths,)`."""
        if self.key["estimator"] == "exact":
            return np.zeros(len(self.lengths))
        free, forced = int(self.skips.sum()), int((~self.skips).sum())
        return np.log10([float(comb(free, int(k) - forced)) for k in self.lengths])

    @property
    def log10_batch_means(self) -> np.ndarray:
        """Base-10 logarithm of each batch's mean norm, `(batches, lengths)`."""
        return log10_mean(self.log10_norms, axis=2)

    @property
    def log10_amounts(self) -> np.ndarray:
        """Base-10 logarithm of mean norm times number of paths, `(batches, lengths)`."""
        return self.log10_batch_means + self.log10_counts

    @property
    def batch_shares(self) -> np.ndarray:
        """The share of all paths of a length, by batch, `(batches, lengths)`."""
        return self.shares.mean(axis=2) * 10**self.log10_counts


def batches_of(key: dict, skips, result: list[tuple]) -> Batches | None:
    """Returns the measurements of batches; None where no batch has a gradient.

    Batches whose gradient is 0 are left out.

    Args:
        key: Values of the key columns.
        skips: Whether each module on the paths has a skip, bool, `(modules,)`.
        result: For each batch lengths `(lengths,)`, log10 norms and shares `(lengths, paths)`.
    """
    kept = [batch for batch in result if np.isfinite(batch[2]).all()]
    if not kept:
        return None
    lengths, log10_norms, shares = zip(*kept, strict=True)
    return Batches(key, lengths[0], np.asarray(skips), np.stack(log10_norms), np.stack(shares))


def log10_mean(logs: np.ndarray, axis: int) -> np.ndarray:
    """Returns the base-10 logarithm of the mean of numbers given as logarithms."""
    top = np.max(logs, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.squeeze(top, axis) + np.log10(np.mean(10 ** (logs - top), axis=axis))


def resamples(n_batches: int) -> np.ndarray:
    """Returns bootstrap weights of batches, `(N_RESAMPLES, n_batches)`; each row adds up to 1."""
    drawn = generator(0, "bootstrap").integers(n_batches, size=(N_RESAMPLES, n_batches))
    return np.stack([np.bincount(row, minlength=n_batches) for row in drawn]) / n_batches


def interval(values: np.ndarray, n_batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of the expanded percentile interval over resamples, the first axis.

    NaN for one batch. No resample lies beyond the measured batches: with five, the interval covers
    the truth in nine of ten studies.
    """
    if n_batches < 2:
        return (np.full(values.shape[1:], np.nan),) * 2
    tail = expanded_tail(n_batches, CONFIDENCE)
    return tuple(np.quantile(values, [tail, 1 - tail], axis=0, method="inverted_cdf"))


def by_length(batches: Batches) -> pd.DataFrame:
    """Returns the rows of path_gradients.csv.

    `log10_norm` is that of the mean over batches (and paths). `share_of_norms` is the mean norm
    times the number of paths that it stands for, over the sum of these: the paper's reading where
    paths were sampled. Ends of intervals are 95 % bootstraps over batches; NaN with one batch.
    """
    logs, n_batches = batches.log10_batch_means, len(batches.log10_norms)
    low, high = interval(_resampled(logs), n_batches)
    amounts = log10_mean(batches.log10_amounts, axis=0)
    projected = interval(resamples(n_batches) @ batches.batch_shares, n_batches)
    of_norms = interval(_normalized(_resampled(batches.log10_amounts)), n_batches)
    return _frame(
        batches,
        length=batches.lengths,
        log10_norm=log10_mean(logs, axis=0),
        log10_norm_low=low,
        log10_norm_high=high,
        n=batches.log10_norms.shape[0] * batches.log10_norms.shape[2],
        share_projected=batches.batch_shares.mean(axis=0),
        share_of_norms=_normalized(amounts),
        **dict(zip(_SHARES, (*projected, *of_norms), strict=True)),
    )


def quantiles(batches: Batches) -> pd.DataFrame:
    """Returns mean, standard error and quantiles of the norms, by length.

    Norms of single paths are heavy-tailed: the mean, which the paper's reading needs, may be far
    from the median. The standard error, in units of the mean, is over batches.
    """
    logs = batches.log10_batch_means
    relative = 10 ** (logs - _finite(log10_mean(logs, axis=0)))
    n_batches = len(logs)
    spread = relative.std(axis=0, ddof=1) if n_batches > 1 else np.full(logs.shape[1], np.nan)
    flat = np.moveaxis(batches.log10_norms, 1, 0).reshape(len(batches.lengths), -1)
    # Nearest ranks: nothing lies between a number and −inf, the logarithm of a zero norm.
    result = np.quantile(flat, QUANTILES, axis=1, method="inverted_cdf")
    return _frame(
        batches,
        length=batches.lengths,
        log10_mean=log10_mean(logs, axis=0),
        relative_standard_error=spread / np.sqrt(n_batches),
        **dict(zip(_QUANTILES, result, strict=True)),
        n=flat.shape[1],
        n_batches=n_batches,
    )


def cancellation(sampled: Batches, exact: Batches) -> pd.DataFrame:
    """Returns, by length, the norm of the sum of all paths over the sum of their norms.

    1: all paths of a length point the same way. C(n, k)^−½: as if directions were random.

    Args:
        sampled: Norms of single paths.
        exact: Norms of sums, for the same batches and lengths.
    """
    sums, singles = exact.log10_amounts, sampled.log10_amounts
    with np.errstate(invalid="ignore"):  # of a length whose norms are all zero
        ratio = log10_mean(sums, 0) - log10_mean(singles, 0)
        low, high = interval(_resampled(sums) - _resampled(singles), len(sums))
    columns = {k: v for k, v in exact.key.items() if k != "estimator"}
    return pd.DataFrame(
        {
            **columns,
            "length": exact.lengths,
            "log10_kept": ratio,
            "log10_kept_low": low,
            "log10_kept_high": high,
            "log10_kept_if_random": -sampled.log10_counts / 2,
        }
    )


def by_module(key: dict, shares: np.ndarray) -> pd.DataFrame:
    """Returns the share of the gradient with respect to y₀ that comes through each residual.

    Shares are `(batches, n_modules)`.
    """
    shares = shares[np.isfinite(shares).all(axis=1)]  # those of batches that have a gradient
    if not len(shares):
        return pd.DataFrame()
    low, high = interval(resamples(len(shares)) @ shares, len(shares))
    return pd.DataFrame(
        {
            **key,
            "module": np.arange(1, shares.shape[1] + 1),
            "share_projected": shares.mean(axis=0),
            "share_low": low,
            "share_high": high,
            "n": len(shares),
        }
    )


def sums(key: dict, errors: Sequence[float]) -> pd.DataFrame:
    """Returns the largest error of the sum of gradients by length, over batches.

    An error, ‖Σ G[k] − G‖ / ‖G‖, is NaN where a batch has no gradient, or not all lengths were
    computed.
    """
    known = [error for error in errors if np.isfinite(error)]
    if not known:
        return pd.DataFrame()
    return pd.DataFrame([{**key, "largest_error": max(known), "n": len(known)}])


def ranges(batches: Batches) -> pd.DataFrame:
    """Returns the effective range under each reading that these batches allow, with intervals.

    A reading is a measure of the gradient that paths of one length carry: `mean_norm_times_paths`
    (the paper's, sampled), `norm_of_sum` or `projection` (exact). `share_5_to_17` is that of
    the paper's effective paths, 5 to 17 modules long. All have 95 % bootstrap intervals over
    batches.
    """
    logs = batches.log10_amounts
    amounts = 10 ** (logs - logs.max())
    if batches.key["estimator"] == "sampled":
        readings = {"mean_norm_times_paths": amounts}
    else:
        readings = {"norm_of_sum": amounts, "projection": batches.batch_shares}
    rows = []
    for reading, values in readings.items():
        first, last = effective_range(values.mean(axis=0))
        # Of few batches there are few different resamples.
        weights, which = np.unique(resamples(len(values)), axis=0, return_inverse=True)
        resampled = weights @ values
        result = np.array([effective_range(amounts) for amounts in resampled])
        result, resampled = result[which.ravel()], resampled[which.ravel()]
        low, high = interval(result, len(values))
        shares = _share_of_effective_paths(batches.lengths, resampled)
        share_low, share_high = interval(shares, len(values))
        rows.append(
            {
                "reading": reading,
                "first": batches.lengths[first],
                "first_low": batches.lengths[0] + low[0],
                "first_high": batches.lengths[0] + high[0],
                "last": batches.lengths[last],
                "last_low": batches.lengths[0] + low[1],
                "last_high": batches.lengths[0] + high[1],
                "share_5_to_17": _share_of_effective_paths(batches.lengths, values.mean(axis=0)),
                "share_5_to_17_low": share_low,
                "share_5_to_17_high": share_high,
                "n_batches": len(values),
            }
        )
    return _frame(batches, **pd.DataFrame(rows))


def _share_of_effective_paths(lengths: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Returns the share of amounts `(..., lengths)` that the paper's effective paths carry."""
    inside = (EFFECTIVE[0] <= lengths) & (lengths <= EFFECTIVE[1])
    return amounts[..., inside].sum(axis=-1) / amounts.sum(axis=-1)


def fits(batches: Batches) -> pd.DataFrame:
    """Returns lines through log10(mean norm) against length: over all lengths, and where straight.

    `straight` goes from the shortest length to the longest up to which every norm is within a
    factor of two of the line through them; a curve that bends among its first four has no such
    part, and no such row. `share_near_line` is the share of the lengths within that factor. Its
    interval and that of the slope are bootstraps over batches, for the lengths of one batch are
    points of one curve; those of R² are of lengths taken for independent.
    """
    lengths, logs = batches.lengths, log10_mean(batches.log10_batch_means, axis=0)
    finite = np.isfinite(logs)
    lengths, logs = lengths[finite], logs[finite]
    if len(lengths) < FEWEST_LENGTHS:
        return pd.DataFrame()
    rows = []
    for fitted, until in (("all", len(lengths)), ("straight", _straight(lengths, logs))):
        if not until:
            continue
        line = log_linear(lengths[:until], logs[:until])
        ends = {"first": lengths[0], "last": lengths[until - 1]}
        _, (share,) = _slopes_and_shares(lengths[:until], logs[None, :until])
        resampled = _resampled(batches.log10_batch_means)[:, finite][:, :until]
        over_batches = _lines(lengths[:until], resampled, len(batches.log10_norms))
        row = {"fitted_lengths": fitted, **ends, **line._asdict()}
        rows.append({**row, "share_near_line": share, **over_batches})
    return _frame(batches, **pd.DataFrame(rows))


def _slopes_and_shares(lengths: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns slopes of lines through `logs`, and the share of each within a factor of two."""
    slopes, intercepts = np.polyfit(lengths, logs.T, 1)
    off = logs - intercepts[:, None] - slopes[:, None] * lengths
    return slopes, (np.abs(off) <= STRAIGHT).mean(axis=1)


def _lines(lengths: np.ndarray, logs: np.ndarray, n_batches: int) -> dict[str, float]:
    """Returns intervals of lines through resampled norms `(N_RESAMPLES, lengths)`."""
    slopes, shares = _slopes_and_shares(lengths, logs[np.isfinite(logs).all(axis=1)])
    (slope_low, slope_high), (share_low, share_high) = (
        map(float, interval(values, n_batches)) for values in (slopes, shares)
    )
    return {
        "slope_low": slope_low,
        "slope_high": slope_high,
        "share_near_line_low": share_low,
        "share_near_line_high": share_high,
        "n_batches": n_batches,
    }


def _straight(lengths: np.ndarray, logs: np.ndarray) -> int:
    """Returns how many lengths, from the shortest on, lie near their line; 0 if not even four."""
    for until in range(len(lengths), FEWEST_LENGTHS - 1, -1):
        line = np.polyfit(lengths[:until], logs[:until], 1)
        if np.abs(np.polyval(line, lengths[:until]) - logs[:until]).max() <= STRAIGHT:
            return until
    return 0


def _resampled(logs: np.ndarray) -> np.ndarray:
    """Returns the logarithm of the mean over resampled batches, `(N_RESAMPLES, lengths)`."""
    top = _finite(np.max(logs, axis=0))
    with np.errstate(divide="ignore"):
        return top + np.log10(resamples(len(logs)) @ 10 ** (logs - top))


def _normalized(logs: np.ndarray) -> np.ndarray:
    """Returns each amount as a share of the sum over lengths, the last axis."""
    amounts = 10 ** (logs - _finite(logs.max(axis=-1, keepdims=True)))
    return amounts / amounts.sum(axis=-1, keepdims=True)


def _finite(values):
    return np.where(np.isfinite(values), values, 0.0)


def _frame(batches: Batches, **columns) -> pd.DataFrame:
    return pd.DataFrame({**batches.key, **columns})
