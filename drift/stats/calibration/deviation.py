"""How strange a window's shares look beside those of ordinary windows: its strangest bin, in standard deviations.

Shares are looked at on a scale on which they vary alike whatever their size: the arcsine of their root
(Anscombe 1948: variance 1/(4n) in a sample of n rows). Bins whose ordinary shares are skewed even there
(mostly small, at times large: missing values on bad days) are looked at on the logit scale.

The standard deviation of a bin is that between the reference windows, and never taken for much less than
sampling alone would give: where windows agree better than chance allows, their variance is mixed with the
sampling variance, which counts as `PRIOR_WINDOWS` windows (the posterior mean under a scaled inverse chi-squared
prior: Gelman et al., Bayesian Data Analysis, 3rd ed. 2013, section 2.6), and `ROWS` rows more or less in a
bin are never strange. Windows of other sizes have more or less sampling noise, and are given it; one larger than any
of the reference is given that of the largest, since how windows of its size differ was never seen.

Of few rows in a bin both scales give a mean that depends on the size of the window (an empty bin of 100 rows lies
higher than one of 10,000). So every share is measured from what the same pooled share would give in so many rows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PRIOR_WINDOWS: Final = 6.0
ROWS: Final = 2.0
_SKEWED: Final = 0.8
_EMPTY: Final = 0.1
"""A bin that more windows than this leave empty stays on the arcsine scale: the logit of nothing says little."""


@dataclass(frozen=True, slots=True)
class DeviationModel:
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
    largest : array, shape (C, 1)
        Rows of the largest window.
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
    largest: Array
    usual: Array
    ordinary: Array
    in_time: Array

    def of(self, counts: Array) -> Array:
        """How far each bin lies from its mean, in standard deviations, shape (C, k); counts of shape (C, k)."""
        rows = counts.sum(axis=-1, keepdims=True)
        spread = self._spread(rows, self.variance) + self.variance / self.windows
        away = _scaled(counts, rows, self.share, self.skewed) - self.usual - self.mean
        return np.asarray(np.abs(away) / np.sqrt(spread))

    def band(self, limit: Array, rows: Array) -> tuple[Array, Array]:
        """The shares between which every bin stays unless it lies `limit` deviations off; shapes (C, 1) to (C, k)."""
        reach = limit * np.sqrt(self._spread(rows, self.variance) + self.variance / self.windows)
        middle = self.usual + self.mean + _expected(rows, self.share, self.skewed)
        return _share(middle - reach, self.skewed), _share(middle + reach, self.skewed)

    def _spread(self, rows: Array, variance: Array) -> Array:
        return _spread(rows, self.largest, variance, self.sampling, self.share, self.skewed)


def fit_deviation_model(counts: Array, own: tuple[Array, Array] | None = None) -> DeviationModel:
    """Learn from the windows of C columns, counts of shape (C, N, k) with N from 3, no window empty.

    The strangeness of a reference window is taken beside the others only: never against itself. Where every window
    has a reference of its `own` (a season's), with counts of shape (C, N, k) and for the live window (C, k), what
    is learned is how windows differ from that.
    """
    n = counts.shape[1]
    rows = counts.sum(axis=-1, keepdims=True)
    total = counts.sum(axis=(1, 2))[:, None]
    share = np.clip(counts.sum(axis=1) / total, 0.5 / total, 1 - 0.5 / total)
    largest = rows.max(axis=1)
    skewed = _skewed(counts, rows)
    y = _scaled(counts, rows, share[:, None], skewed[:, None])
    usual = np.zeros((len(counts), 1))
    if own is not None:
        y -= _scaled(own[0], own[0].sum(axis=-1, keepdims=True), share[:, None], skewed[:, None])
        usual = _scaled(own[1], own[1].sum(axis=-1, keepdims=True), share, skewed)
    mean = y.mean(axis=1)
    away = y - mean[:, None]
    squares = (away * away).sum(axis=1)
    sampling = _sampling(rows, share[:, None], skewed[:, None]).mean(axis=1)
    variance = _moderated(squares / (n - 1), sampling, n - 1)
    # Without window i the mean moves by away / (n - 1), and the squares lose away^2 n / (n - 1).
    left = np.maximum(squares[:, None] - away * away * n / (n - 1), 0.0) / (n - 2)
    alone = _moderated(left, sampling[:, None], n - 2)
    spread = _spread(rows, largest[:, None], alone, sampling[:, None], share[:, None], skewed[:, None])
    strangest = (np.abs(away) * n / (n - 1) / np.sqrt(spread + alone / (n - 1))).max(axis=-1)
    ordinary = np.sort(strangest, axis=-1)
    return DeviationModel(n, skewed, share, mean, variance, sampling, largest, usual, ordinary, strangest)


def _arcsine(counts: Array, rows: Array) -> Array:
    return np.asarray(np.arcsin(np.sqrt((counts + 0.375) / (rows + 0.75))))


def _logit(counts: Array, rows: Array) -> Array:
    return np.asarray(np.log((counts + 0.5) / (rows - counts + 0.5)))


def _scaled(counts: Array, rows: Array, share: Array, skewed: Mask) -> Array:
    """Transformed shares, from what `share` would give."""
    raw = np.where(skewed, _logit(counts, rows), _arcsine(counts, rows)) if skewed.any() else _arcsine(counts, rows)
    return np.asarray(raw - _expected(rows, share, skewed))


def _expected(rows: Array, share: Array, skewed: Mask) -> Array:
    """Mean of a transformed share in samples of so many rows.

    E sqrt(X + 3/8) is about sqrt(x + 1/8 + exp(-1.27 x) / 4), and E log(X + 1/2) about log(x + exp(-x) / 2), for X
    of Poisson's law with mean x: the limits for many rows are Anscombe's (1948) and Haldane's (1956), those for none
    are exact, and in between they are off by at most 0.0005 and 0.012.
    """
    inside, outside = rows * share, rows * (1 - share)
    near, far = (x + 0.125 + 0.25 * np.exp(-1.27 * x) for x in (inside, outside))
    angle = np.arcsin(np.sqrt(near / (near + far)))
    if not skewed.any():
        return np.asarray(angle)
    odds = np.log((inside + 0.5 * np.exp(-inside)) / (outside + 0.5 * np.exp(-outside)))
    return np.where(skewed, odds, angle)


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
    return np.where(
        variance >= sampling, variance, (PRIOR_WINDOWS * sampling + degrees * variance) / (PRIOR_WINDOWS + degrees)
    )


def _spread(rows: Array, largest: Array, variance: Array, sampling: Array, share: Array, skewed: Mask) -> Array:
    """Variance of a window of so many rows: more sampling noise than the reference's windows, or less."""
    own = _sampling(np.minimum(rows, largest), share, skewed)
    grown = variance + (own - sampling) * np.minimum(1.0, variance / sampling)
    product = np.maximum(share * (1 - share), 1 / rows)
    few = (ROWS / rows) ** 2 / np.where(skewed, product**2, 4 * product)
    return np.asarray(np.maximum(grown, 0.1 * variance) + np.minimum(few, own))
