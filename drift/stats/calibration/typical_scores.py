"""Scores of the reference windows, and the smallest score that is beyond their normal variation."""

import numpy as np

from drift.stats.arrays import Floats, Indices
from drift.stats.calibration.group import Group
from drift.stats.divergence import divergence
from drift.stats.scoring import Method
from drift.stats.smoothing import smooth


def score_windows(group: Group, columns: Indices, method: Method, level: float) -> tuple[Floats, Floats, Floats]:
    """Return mean and largest score of the reference windows, and the smallest detectable score.

    Each window is scored against its reference. Infinite scores (an empty bin, not smoothed) do not count; if all are
    infinite, the result is NaN. All have the shape (c,) of `columns` (indices of the group's) and the unit of the
    method; a window is beyond normal variation if its p-value is below `level`.
    """
    counts = group.counts[columns]
    references = counts.sum(axis=1, keepdims=True) - counts if group.own is None else group.own[columns]
    p, q = smooth(counts, method.pseudo), smooth(references, method.pseudo)
    scores = divergence(method.metric, p, q, method.log_base)
    finite = np.isfinite(scores)
    number = finite.sum(axis=1)
    summands = np.where(finite, scores, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = summands.sum(axis=1) / number
    largest = np.where(number > 0, summands.max(axis=1), np.nan)
    return mean, largest, _detectable(group, columns, method, level)


def _detectable(group: Group, columns: Indices, method: Method, level: float) -> Floats:
    """Smallest score over windows in which one bin is at the edge of its band; the others change in proportion."""
    rows = np.median(group.rows, axis=1)
    low, high = group.bands(level, rows[:, None])
    total = group.live_reference[columns]
    share = total / total.sum(axis=1, keepdims=True)
    edges = np.concatenate([low[columns], high[columns]], axis=1)  # (c, 2k)
    k = share.shape[1]
    bins = np.tile(np.arange(k), 2)
    own = share[:, bins]
    factor = (1 - edges) / np.where(own < 1, 1 - own, 1.0)
    moved = share[:, None, :] * np.nan_to_num(factor)[:, :, None]
    moved[:, np.arange(2 * k), bins] = np.nan_to_num(edges)
    # A band may end at 0 or 1, or at the share itself: nothing beyond such an edge can be detected.
    proper = (edges > 1e-9) & (edges < 1 - 1e-9) & (np.abs(edges - own) > 1e-12) & (own < 1) & np.isfinite(edges)
    p = smooth(np.where(proper[:, :, None], moved, share[:, None, :]) * rows[columns][:, None, None], method.pseudo)
    q = smooth(np.broadcast_to(total[:, None, :], p.shape), method.pseudo)
    scores = np.where(proper, divergence(method.metric, p, q, method.log_base), np.inf)
    smallest = scores.min(axis=1)
    return np.asarray(np.where(np.isfinite(smallest), smallest, np.nan))
