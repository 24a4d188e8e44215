"""What ordinary windows score, and the smallest score that would be told from them."""

import numpy as np
import numpy.typing as npt

from drift.stats.calibration.group import Group
from drift.stats.divergence import divergence
from drift.stats.scoring import Method
from drift.stats.smoothing import smooth

Array = npt.NDArray[np.float64]


def typical_scores(group: Group, at: npt.NDArray[np.intp], method: Method, level: float) -> tuple[Array, Array, Array]:
    """Mean and largest score of the reference windows against theirs, and the smallest that stands out.

    Of the columns `at` of a group, shape (len(at),) each. Infinite scores (an empty bin, not smoothed) are left out;
    where all are, NaN is given.
    """
    counts = group.counts[at]
    others = counts.sum(axis=1, keepdims=True) - counts if group.own is None else group.own[at]
    scores = _scores(method, counts, others)
    finite = np.isfinite(scores)
    number = finite.sum(axis=1)
    some = np.where(finite, scores, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = some.sum(axis=1) / number
    largest = np.where(number > 0, some.max(axis=1), np.nan)
    return mean, largest, _smallest(group, at, method, level)


def _scores(method: Method, live: npt.NDArray[np.int64], reference: npt.NDArray[np.int64]) -> Array:
    p, q = smooth(live, method.pseudo), smooth(reference, method.pseudo)
    return np.asarray(divergence(method.metric, p, q, method.log_base))


def _smallest(group: Group, at: npt.NDArray[np.intp], method: Method, level: float) -> Array:
    """One bin is set to the edge of its band, the others give way in proportion; the least score of these."""
    rows = np.median(group.rows, axis=1)
    low, high = group.bands(level, rows[:, None])
    total = group.held[at]
    share = total / total.sum(axis=1, keepdims=True)
    edges = np.concatenate([low[at], high[at]], axis=1)  # (C, 2k)
    k = share.shape[1]
    which = np.tile(np.arange(k), 2)
    own = share[:, which]
    others = (1 - edges) / np.where(own < 1, 1 - own, 1.0)
    moved = share[:, None, :] * np.nan_to_num(others)[:, :, None]
    moved[:, np.arange(2 * k), which] = np.nan_to_num(edges)
    # Only what is out of reach of ordinary windows stands out: a band may end at 0 or 1, or where the share stands.
    told = (edges > 1e-9) & (edges < 1 - 1e-9) & (np.abs(edges - own) > 1e-12) & (own < 1) & np.isfinite(edges)
    p = smooth(np.where(told[:, :, None], moved, share[:, None, :]) * rows[at][:, None, None], method.pseudo)
    q = smooth(np.broadcast_to(total[:, None, :], p.shape), method.pseudo)
    scores = np.where(told, divergence(method.metric, p, q, method.log_base), np.inf)
    least = scores.min(axis=1)
    return np.asarray(np.where(np.isfinite(least), least, np.nan))
