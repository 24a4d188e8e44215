"""Deviation of a window from the reference windows: that of its most unusual bin, in standard deviations.

Shares are transformed to a scale on which their variance does not depend on their size: the arcsine of the square root
(Anscombe 1948: variance 1/(4n) in a sample of n rows). Bins whose shares are skewed even on that scale (mostly small,
at times large: missing values on bad days) are transformed by the logit.

The standard deviation of a bin is that between the reference windows, but not much less than sampling alone would
give. If windows agree better than chance allows, their variance is mixed with the sampling variance, which counts as
`PRIOR_WINDOWS` windows (the posterior mean under a scaled inverse chi-squared prior: Gelman et al., Bayesian Data
Analysis, 3rd ed. 2013, section 2.6). A difference of `TOLERATED_ROWS` rows in a bin is never unusual. The sampling
noise is adjusted to the size of a window. A window larger than all reference windows gets the noise of the largest,
because no reference window shows how windows of its size differ.

With few rows in a bin, the mean of a transformed share depends on the size of the window (an empty bin of 100 rows is
higher than one of 10,000). So every transformed share is relative to the value expected for the pooled share in that
many rows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from drift.stats.arrays import Floats, Mask

PRIOR_WINDOWS: Final = 6.0
TOLERATED_ROWS: Final = 2.0
_SKEWED: Final = 0.8
_MAX_EMPTY: Final = 0.1
"""A bin that is empty in a larger fraction of windows keeps the arcsine scale: the logit of 0 says little."""


@dataclass(frozen=True, slots=True)
class DeviationModel:
    """Location and spread of the transformed shares of C columns with k bins, in windows that did not change.

    Parameters
    ----------
    windows : int
        Number of reference windows.
    skewed : array of bool, shape (C, k)
        Bins on the logit scale.
    share : array, shape (C, k)
        Pooled shares, at least half a row away from 0 and 1.
    mean, variance : array, shape (C, k)
        Of the transformed shares over the windows.
    sampling : array, shape (C, k)
        Mean sampling variance of the windows.
    largest : array, shape (C, 1)
        Rows of the largest window.
    origin : array, shape (C, k), or 0
        Transformed shares of the live window's own reference, to which `mean` is relative if windows have one.
    sorted_deviations : array, shape (C, windows)
        Deviation of each reference window from all others, sorted.
    deviations : array, shape (C, windows)
        The same in the order of the windows.
    """

    windows: int
    skewed: Mask
    share: Floats
    mean: Floats
    variance: Floats
    sampling: Floats
    largest: Floats
    origin: Floats
    sorted_deviations: Floats
    deviations: Floats

    def bin_deviations(self, counts: Floats) -> Floats:
        """Return the distance of each bin from its mean, in standard deviations, shape (C, k), as the counts."""
        rows = counts.sum(axis=-1, keepdims=True)
        spread = self._spread(rows, self.variance) + self.variance / self.windows
        distance = _scaled(counts, rows, self.share, self.skewed) - self.origin - self.mean
        return np.asarray(np.abs(distance) / np.sqrt(spread))

    def band(self, limit: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """Return the lowest and highest share of each bin within `limit` deviations; shapes (C, 1) to (C, k)."""
        reach = limit * np.sqrt(self._spread(rows, self.variance) + self.variance / self.windows)
        middle = self.origin + self.mean + _expected(rows, self.share, self.skewed)
        return _share(middle - reach, self.skewed), _share(middle + reach, self.skewed)

    def _spread(self, rows: Floats, variance: Floats) -> Floats:
        return _spread(rows, self.largest, variance, self.sampling, self.share, self.skewed)


def fit_deviation_model(counts: Floats, own: tuple[Floats, Floats] | None = None) -> DeviationModel:
    """Fit to the windows of C columns: the deviation of a reference window is relative to the other windows only.

    Parameters
    ----------
    counts : array, shape (C, N, k)
        At least three windows, none of them empty.
    own : pair of arrays of shape (C, N, k) and (C, k), optional
        Counts of each window's own reference (seasonal) and of the live window's, if they have one. The model then
        describes how windows differ from their own reference.
    """
    n = counts.shape[1]
    rows = counts.sum(axis=-1, keepdims=True)
    total = counts.sum(axis=(1, 2))[:, None]
    share = np.clip(counts.sum(axis=1) / total, 0.5 / total, 1 - 0.5 / total)
    largest = rows.max(axis=1)
    skewed = _skewed(counts, rows)
    y = _scaled(counts, rows, share[:, None], skewed[:, None])
    origin = np.zeros((len(counts), 1))
    if own is not None:
        y -= _scaled(own[0], own[0].sum(axis=-1, keepdims=True), share[:, None], skewed[:, None])
        origin = _scaled(own[1], own[1].sum(axis=-1, keepdims=True), share, skewed)
    mean = y.mean(axis=1)
    distance = y - mean[:, None]
    squares = (distance * distance).sum(axis=1)
    sampling = _sampling(rows, share[:, None], skewed[:, None]).mean(axis=1)
    variance = _moderated(squares / (n - 1), sampling, n - 1)
    # Without window i the mean moves by distance / (n - 1), and the squares lose distance^2 n / (n - 1).
    remaining = np.maximum(squares[:, None] - distance * distance * n / (n - 1), 0.0) / (n - 2)
    without = _moderated(remaining, sampling[:, None], n - 2)
    spread = _spread(rows, largest[:, None], without, sampling[:, None], share[:, None], skewed[:, None])
    deviations = (np.abs(distance) * n / (n - 1) / np.sqrt(spread + without / (n - 1))).max(axis=-1)
    ordered = np.sort(deviations, axis=-1)
    return DeviationModel(n, skewed, share, mean, variance, sampling, largest, origin, ordered, deviations)


def _arcsine(counts: Floats, rows: Floats) -> Floats:
    return np.asarray(np.arcsin(np.sqrt((counts + 0.375) / (rows + 0.75))))


def _logit(counts: Floats, rows: Floats) -> Floats:
    return np.asarray(np.log((counts + 0.5) / (rows - counts + 0.5)))


def _scaled(counts: Floats, rows: Floats, share: Floats, skewed: Mask) -> Floats:
    """Transformed shares, relative to the value expected for `share`."""
    raw = np.where(skewed, _logit(counts, rows), _arcsine(counts, rows)) if skewed.any() else _arcsine(counts, rows)
    return np.asarray(raw - _expected(rows, share, skewed))


def _expected(rows: Floats, share: Floats, skewed: Mask) -> Floats:
    """Mean of a transformed share in samples of `rows` rows.

    E sqrt(X + 3/8) is about sqrt(x + 1/8 + exp(-1.27 x) / 4), and E log(X + 1/2) about log(x + exp(-x) / 2), for a
    Poisson X with mean x: the limits for many rows are Anscombe's (1948) and Haldane's (1956), those for no rows are
    exact, and in between they are off by at most 0.0005 and 0.012.
    """
    inside, outside = rows * share, rows * (1 - share)
    near, far = (x + 0.125 + 0.25 * np.exp(-1.27 * x) for x in (inside, outside))
    angle = np.arcsin(np.sqrt(near / (near + far)))
    if not skewed.any():
        return np.asarray(angle)
    odds = np.log((inside + 0.5 * np.exp(-inside)) / (outside + 0.5 * np.exp(-outside)))
    return np.where(skewed, odds, angle)


def _share(scaled: Floats, skewed: Mask) -> Floats:
    """Inverse of the transformation."""
    angle = np.sin(np.clip(scaled, 0, np.pi / 2)) ** 2
    return np.asarray(np.where(skewed, 1 / (1 + np.exp(-np.clip(scaled, -700, 700))), angle))


def _skewed(counts: Floats, rows: Floats) -> Mask:
    angle, odds = _skewness(_arcsine(counts, rows)), _skewness(_logit(counts, rows))
    filled = (counts == 0).mean(axis=1) <= _MAX_EMPTY
    return np.asarray((angle > _SKEWED) & (np.abs(odds) < np.abs(angle)) & filled)


def _skewness(y: Floats) -> Floats:
    distance = y - y.mean(axis=1, keepdims=True)
    squares = distance * distance
    return np.asarray((squares * distance).mean(axis=1) / np.maximum(squares.mean(axis=1), 1e-24) ** 1.5)


def _sampling(rows: Floats, share: Floats, skewed: Mask) -> Floats:
    """Variance of a transformed share in a sample of `rows` rows (delta method)."""
    return np.asarray(np.where(skewed, 1 / (rows * share * (1 - share) + 0.5), 0.25 / rows))


def _moderated(variance: Floats, sampling: Floats, degrees: int) -> Floats:
    mixed = (PRIOR_WINDOWS * sampling + degrees * variance) / (PRIOR_WINDOWS + degrees)
    return np.where(variance >= sampling, variance, mixed)


def _spread(rows: Floats, largest: Floats, variance: Floats, sampling: Floats, share: Floats, skewed: Mask) -> Floats:
    """Variance of a window of `rows` rows: its sampling noise may be larger or smaller than the reference windows'."""
    own = _sampling(np.minimum(rows, largest), share, skewed)
    adjusted = variance + (own - sampling) * np.minimum(1.0, variance / sampling)
    product = np.maximum(share * (1 - share), 1 / rows)
    few = (TOLERATED_ROWS / rows) ** 2 / np.where(skewed, product**2, 4 * product)
    return np.asarray(np.maximum(adjusted, 0.1 * variance) + np.minimum(few, own))
