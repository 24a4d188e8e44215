"""How strange a window's shares look beside those of ordinary windows: its strangest bin, in standard deviations.

Shares are looked at on a scale on which they vary alike whatever their size: the arcsine of their root
(Anscombe 1948: variance 1/(4n) in a sample of n rows). Bins whose ordinary shares are skewed even there
(mostly small, at times large: missing values on bad days) are looked at on the logit scale.

The standard deviation of a bin is that between the reference windows, and never taken for much less than
sampling alone would give: where windows agree better than chance allows, their variance is mixed with the
sampling variance, which counts as `PRIOR` windows (the posterior mean under a scaled inverse chi-squared
prior: Gelman et al., Bayesian Data Analysis, 3rd ed. 2013, section 2.6), and `ROWS` rows more or less in a
bin are never strange. Windows of other sizes have more or less sampling noise, and are given it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PRIOR: Final = 6.0
ROWS: Final = 2.0
_SKEWED: Final = 0.8
_EMPTY: Final = 0.1
"""A bin that more windows than this leave empty stays on the arcsine scale: the logit of nothing says little."""


@dataclass(frozen=True, slots=True)
class Strangeness:
    """What ordinary windows of C columns of k bins look like.

    Parameters
    ----------
    windows : int
        How many were looked at.
    skewed : array of bool, shape (C, k)
        Bins looked at on the logit scale.
    share : array, shape (C, k)
        Pooled shares, kept off 0 and 1 by half a row.
    mean, variance : array, shape (C, k)
        Of the transformed shares over the windows.
    sampling : array, shape (C, k)
        Mean sampling variance of the windows.
    usual : array, shape (C, k), or 0
        Transformed shares of the live window's own reference, which `mean` is counted from where windows have one.
    ordinary : array, shape (C, windows)
        The strangeness of each window beside all others, sorted.
    in_time : array, shape (C, windows)
        The same in the windows' own order.
    """

    windows: int
    skewed: Mask
    share: Array
    mean: Array
    variance: Array
    sampling: Array
    usual: Array
    ordinary: Array
    in_time: Array

    def of(self, counts: Array) -> Array:
        """How far each bin lies from its mean, in standard deviations, shape (C, k); counts of shape (C, k)."""
        rows = counts.sum(axis=-1, keepdims=True)
        spread = self._spread(rows, self.variance) + self.variance / self.windows
        return np.asarray(np.abs(_scaled(counts, rows, self.skewed) - self.usual - self.mean) / np.sqrt(spread))

    def band(self, limit: Array, rows: Array) -> tuple[Array, Array]:
        """The shares between which every bin stays unless it lies `limit` deviations off; shapes (C, 1) to (C, k)."""
        reach = limit * np.sqrt(self._spread(rows, self.variance) + self.variance / self.windows)
        middle = self.usual + self.mean
        return _share(middle - reach, self.skewed), _share(middle + reach, self.skewed)

    def _spread(self, rows: Array, variance: Array) -> Array:
        return _spread(rows, variance, self.sampling, self.share, self.skewed)


def strangeness(counts: Array, own: tuple[Array, Array] | None = None) -> Strangeness:
    """Learn from the windows of C columns, counts of shape (C, N, k) with N from 3, no window empty.

    The strangeness of a reference window is taken beside the others only: never against itself. Where every window
    has a reference of its `own` (a season's), with counts of shape (C, N, k) and for the live window (C, k), what
    is learned is how windows differ from that.
    """
    n = counts.shape[1]
    rows = counts.sum(axis=-1, keepdims=True)
    total = counts.sum(axis=(1, 2))[:, None]
    share = np.clip(counts.sum(axis=1) / total, 0.5 / total, 1 - 0.5 / total)
    skewed = _skewed(counts, rows)
    y = _scaled(counts, rows, skewed[:, None])
    usual = np.zeros((len(counts), 1))
    if own is not None:
        y -= _scaled(own[0], own[0].sum(axis=-1, keepdims=True), skewed[:, None])
        usual = _scaled(own[1], own[1].sum(axis=-1, keepdims=True), skewed)
    mean = y.mean(axis=1)
    away = y - mean[:, None]
    squares = (away * away).sum(axis=1)
    sampling = _sampling(rows, share[:, None], skewed[:, None]).mean(axis=1)
    variance = _moderated(squares / (n - 1), sampling, n - 1)
    # Without window i the mean moves by away / (n - 1), and the squares lose away^2 n / (n - 1).
    left = np.maximum(squares[:, None] - away * away * n / (n - 1), 0.0) / (n - 2)
    alone = _moderated(left, sampling[:, None], n - 2)
    spread = _spread(rows, alone, sampling[:, None], share[:, None], skewed[:, None]) + alone / (n - 1)
    strangest = (np.abs(away) * n / (n - 1) / np.sqrt(spread)).max(axis=-1)
    return Strangeness(n, skewed, share, mean, variance, sampling, usual, np.sort(strangest, axis=-1), strangest)


def _arcsine(counts: Array, rows: Array) -> Array:
    return np.asarray(np.arcsin(np.sqrt((counts + 0.375) / (rows + 0.75))))


def _logit(counts: Array, rows: Array) -> Array:
    return np.asarray(np.log((counts + 0.5) / (rows - counts + 0.5)))


def _scaled(counts: Array, rows: Array, skewed: Mask) -> Array:
    if not skewed.any():
        return _arcsine(counts, rows)
    return np.where(skewed, _logit(counts, rows), _arcsine(counts, rows))


def _share(scaled: Array, skewed: Mask) -> Array:
    """Back from the scale to a share."""
    angle = np.sin(np.clip(scaled, 0, np.pi / 2)) ** 2
    return np.asarray(np.where(skewed, 1 / (1 + np.exp(-np.clip(scaled, -700, 700))), angle))


def _skewed(counts: Array, rows: Array) -> Mask:
    angle, odds = _skewness(_arcsine(counts, rows)), _skewness(_logit(counts, rows))
    often = (counts == 0).mean(axis=1) <= _EMPTY
    return np.asarray((angle > _SKEWED) & (np.abs(odds) < np.abs(angle)) & often)


def _skewness(y: Array) -> Array:
    away = y - y.mean(axis=1, keepdims=True)
    squares = away * away
    return np.asarray((squares * away).mean(axis=1) / np.maximum(squares.mean(axis=1), 1e-24) ** 1.5)


def _sampling(rows: Array, share: Array, skewed: Mask) -> Array:
    """Variance of a transformed share in a sample of so many rows (delta method)."""
    return np.asarray(np.where(skewed, 1 / (rows * share * (1 - share) + 0.5), 0.25 / rows))


def _moderated(variance: Array, sampling: Array, degrees: int) -> Array:
    return np.where(variance >= sampling, variance, (PRIOR * sampling + degrees * variance) / (PRIOR + degrees))


def _spread(rows: Array, variance: Array, sampling: Array, share: Array, skewed: Mask) -> Array:
    """Variance of a window of so many rows: more sampling noise than the reference's windows, or less."""
    own = _sampling(rows, share, skewed)
    grown = variance + (own - sampling) * np.minimum(1.0, variance / sampling)
    product = np.maximum(share * (1 - share), 1 / rows)
    few = (ROWS / rows) ** 2 / np.where(skewed, product**2, 4 * product)
    return np.asarray(np.maximum(grown, 0.1 * variance) + np.minimum(few, own))
