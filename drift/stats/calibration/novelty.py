"""How often ordinary windows fill a bin that no reference window ever filled.

The edges of a numeric axis come from the reference, so nothing of it lies below or above them; a category that it has
is not unseen. Their shares in the reference are zero by construction, and say nothing about how they vary. What does
is the order of the rows. If the rows of a window and of the reference were all draws of one law, j given rows of the
window would all exceed the reference's largest with probability q^j about, q = n / (n + m) (the precedence test:
Nelson 1963; the rule of succession for j = 1). For names, f of which occurred once in the reference, the chance of a
new one is about f / m a row (Good 1953). Both are I_q(j, 1 + f), the regularised incomplete beta function: the
predictive law of a Poisson rate after f events in m rows (and q^j for f = 0).

Rows that come in clusters are fewer draws than rows; how many come together is told by the design effect of the
neighbouring bin (the variance of its share between windows, over that of a random sample: Kish 1965), and of names
also by the mean of all names' (Rao and Scott 1981): where every window is of one name, a new one is nothing new.
Of numbers, n and j are divided by it. Of names it is graver: a cluster shares its name. Were the sizes of clusters
geometric with mean s, the design effect would be 2 s - 1; the number of new clusters is geometric where no name
occurred once (its law is q^j), and so is a sum of so many geometric sizes: j rows are new with probability
q (1 - (1 - q) / s)^(j - 1) = q^(1 + (j - 1) c), so j rows count as 1 + (j - 1) c draws, and f is of names that occurred
in one cluster. A window never counts for more than `DRAWS` draws.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

DRAWS: Final = 10_000.0


@dataclass(frozen=True, slots=True)
class Novelty:
    """Bins that no reference window filled, of C columns; at most b of them each.

    Parameters
    ----------
    bins : tuple of int
        Which bins may be such, for all columns alike.
    never : array of bool, shape (C, b)
        Which are.
    rows : array, shape (C, 1)
        Rows of the reference.
    cluster : array, shape (C, b)
        Rows that come together: the design effect of numbers, the mean size of names' clusters.
    once : array, shape (C, b)
        Names that occurred in one cluster.
    named : bool
        The bins are of names.
    """

    bins: tuple[int, ...]
    never: Mask
    rows: Array
    cluster: Array
    once: Array
    named: bool = False

    def p_value(self, counts: Array) -> tuple[Array, npt.NDArray[np.intp]]:
        """How often the fullest such bin is so full, and which it is; shape (C,) each, counts of shape (C, k).

        Corrected for the number of such bins (Bonferroni); 1 where there is none.
        """
        from scipy.special import betainc  # noqa: PLC0415 - quick start-up

        rows, new = counts.sum(axis=1, keepdims=True), counts[:, self.bins]
        told = self.never & (new > 0)
        each, first, q = self._worth(rows)
        draws = first + (new - 1) * each
        rare = betainc(np.where(told, draws, 1.0), 1 + self.once, q)
        rare = np.where(told, rare, 1.0)
        which = rare.argmin(axis=1)
        corrected = np.minimum(1.0, rare.min(axis=1) * np.maximum(1, self.never.sum(axis=1)))
        return corrected, np.asarray(self.bins)[which]

    def limit(self, level: float, rows: Array) -> Array:
        """The share at which each such bin has a (corrected) p-value of `level`, shape (C, b); NaN for other bins."""
        from scipy.special import btdtria  # noqa: PLC0415 - quick start-up

        alone = level / np.maximum(1, self.never.sum(axis=1, keepdims=True))
        each, first, q = self._worth(rows)
        draws = btdtria(alone, 1 + self.once, q)
        new = 1 + (draws - first) / each
        return np.where(self.never, np.clip(new / rows, 0.0, 1.0), np.nan)

    def _worth(self, rows: Array) -> tuple[Array, Array, Array]:
        """Draws that a row more counts for, and the first (1 where rows do not come together); and q.

        A window smaller than a cluster is one cluster all the same.
        """
        cluster = np.maximum(self.cluster, rows / DRAWS)
        size = np.maximum(rows, cluster)
        q = size / (size + self.rows)
        if not self.named:
            return size / rows / cluster, size / rows / cluster, q
        return np.log1p(-(1 - q) / cluster) / np.log(q), np.ones_like(cluster), q


def design_effect(counts: Array, rows: Array) -> Array:
    """Variance of a share between windows over that of random samples, from 1 to the mean rows: (C, N) to (C,)."""
    share = counts / rows
    pooled = counts.sum(axis=1) / rows.sum(axis=1)
    chance = pooled * (1 - pooled) * (1 / rows).mean(axis=1)
    ratio = np.where(chance > 1e-12, share.var(axis=1, ddof=1) / np.maximum(chance, 1e-12), 1.0)
    return np.asarray(np.clip(ratio, 1.0, rows.mean(axis=1)))


def mean_design_effect(counts: Array, rows: Array) -> Array:
    """The mean of the generalised design effects of all bins, from 1 to the mean rows: (C, N, k) and (C, N) to (C,).

    The sum over bins of (variance of the share between windows) / share, over its value for random samples, k - 1 times
    the mean of 1 / rows (Rao and Scott 1981, section 3).
    """
    share = counts / rows[:, :, None]
    pooled = counts.sum(axis=1) / rows.sum(axis=1)[:, None]
    filled = pooled > 0
    spread = np.where(filled, share.var(axis=1, ddof=1) / np.where(filled, pooled, 1.0), 0.0).sum(axis=1)
    chance = np.maximum(filled.sum(axis=1) - 1, 1) * (1 / rows).mean(axis=1)
    return np.asarray(np.clip(spread / chance, 1.0, rows.mean(axis=1)))
