"""P-value of rows in a bin that no reference window ever filled.

The edges of a numeric axis come from the reference, so no reference value is below or above them, and no reference
category is unseen. The shares of those bins in the reference are zero by construction and do not show how they vary.
The order of the rows does. If the rows of a window and of the reference are all draws of one distribution, j given rows
of the window all exceed the reference's largest value with probability about q^j, q = n / (n + m) (the precedence test:
Nelson 1963; the rule of succession for j = 1). For categories, f of which occurred once in the reference, the chance of
a new one is about f / m a row (Good 1953). Both are I_q(j, 1 + f), the regularised incomplete beta function: the
predictive distribution of a Poisson rate after f events in m rows (and q^j for f = 0).

Clustered rows are fewer draws than rows. The size of the clusters is estimated by the design effect of the neighbouring
bin (the variance of its share between windows, over that of a random sample: Kish 1965), and for categories also by the
mean design effect of all categories (Rao and Scott 1981): if every window holds one category, a new one is nothing new.
For numbers, n and j are divided by the design effect. For categories, the effect is stronger, because a cluster shares
its category. If the sizes of clusters are geometric with mean s, the design effect is 2 s - 1. If no category occurred
once, the number of new clusters is geometric (with distribution q^j), and so is a sum of that many geometric sizes:
j rows are new with probability q (1 - (1 - q) / s)^(j - 1) = q^(1 + (j - 1) c). So j rows count as 1 + (j - 1) c draws,
and f counts the categories that occurred in one cluster. A window never counts for more than `MAX_DRAWS` draws.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from drift.stats.arrays import Floats, Indices, Mask

MAX_DRAWS: Final = 10_000.0


@dataclass(frozen=True, slots=True)
class Novelty:
    """Bins of C columns that no reference window filled; at most b of them each.

    Parameters
    ----------
    bins : tuple of int
        Candidate bins, the same for all columns.
    never : array of bool, shape (C, b)
        Whether the reference never filled them.
    rows : array, shape (C, 1)
        Rows of the reference.
    cluster : array, shape (C, b)
        Size of the clusters of rows: the design effect for numbers, the mean size for categories.
    once : array, shape (C, b)
        Categories that occurred in one cluster.
    categorical : bool
        The bins hold categories.
    """

    bins: tuple[int, ...]
    never: Mask
    rows: Floats
    cluster: Floats
    once: Floats
    categorical: bool = False

    def p_value(self, counts: Floats) -> tuple[Floats, Indices]:
        """Return the smallest p-value of these bins and its bin; shape (C,) each, counts of shape (C, k).

        Corrected for the number of such bins (Bonferroni); 1 if there is none.
        """
        from scipy.special import betainc  # noqa: PLC0415 - quick start-up

        rows, new = counts.sum(axis=1, keepdims=True), counts[:, self.bins]
        filled = self.never & (new > 0)
        per_row, first, q = self._draws_per_row(rows)
        draws = first + (new - 1) * per_row
        p_values = betainc(np.where(filled, draws, 1.0), 1 + self.once, q)
        p_values = np.where(filled, p_values, 1.0)
        smallest = p_values.argmin(axis=1)
        corrected = np.minimum(1.0, p_values.min(axis=1) * np.maximum(1, self.never.sum(axis=1)))
        return corrected, np.asarray(self.bins)[smallest]

    def limit(self, level: float, rows: Floats) -> Floats:
        """Return the share at which each bin has a corrected p-value of `level`, shape (C, b); NaN for other bins."""
        from scipy.special import btdtria  # noqa: PLC0415 - quick start-up

        uncorrected = level / np.maximum(1, self.never.sum(axis=1, keepdims=True))
        per_row, first, q = self._draws_per_row(rows)
        draws = btdtria(uncorrected, 1 + self.once, q)
        new = 1 + (draws - first) / per_row
        return np.where(self.never, np.clip(new / rows, 0.0, 1.0), np.nan)

    def _draws_per_row(self, rows: Floats) -> tuple[Floats, Floats, Floats]:
        """Draws that a further row counts for, draws of the first row (1 if rows are not clustered), and q.

        A window smaller than a cluster still counts as one cluster.
        """
        cluster = np.maximum(self.cluster, rows / MAX_DRAWS)
        size = np.maximum(rows, cluster)
        q = size / (size + self.rows)
        if not self.categorical:
            return size / rows / cluster, size / rows / cluster, q
        return np.log1p(-(1 - q) / cluster) / np.log(q), np.ones_like(cluster), q


def design_effect(counts: Floats, rows: Floats) -> Floats:
    """Return the design effect of a bin, from 1 to the mean rows; shape (C, N) to (C,).

    The variance of its share between windows over that in random samples (Kish 1965).
    """
    share = counts / rows
    pooled = counts.sum(axis=1) / rows.sum(axis=1)
    chance = pooled * (1 - pooled) * (1 / rows).mean(axis=1)
    ratio = np.where(chance > 1e-12, share.var(axis=1, ddof=1) / np.maximum(chance, 1e-12), 1.0)
    return np.asarray(np.clip(ratio, 1.0, rows.mean(axis=1)))


def mean_design_effect(counts: Floats, rows: Floats) -> Floats:
    """Return the mean of the generalised design effects of all bins, from 1 to the mean rows; shape (C,).

    The sum over bins of (variance of the share between windows) / share, over its value for random samples, which is
    k - 1 times the mean of 1 / rows (Rao and Scott 1981, section 3). Counts have shape (C, N, k), rows (C, N).
    """
    share = counts / rows[:, :, None]
    pooled = counts.sum(axis=1) / rows.sum(axis=1)[:, None]
    filled = pooled > 0
    spread = np.where(filled, share.var(axis=1, ddof=1) / np.where(filled, pooled, 1.0), 0.0).sum(axis=1)
    chance = np.maximum(filled.sum(axis=1) - 1, 1) * (1 / rows).mean(axis=1)
    return np.asarray(np.clip(spread / chance, 1.0, rows.mean(axis=1)))
