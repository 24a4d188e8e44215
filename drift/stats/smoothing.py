"""From counts to probabilities: pseudo-counts, added to every bin of both sides, then normalised.

The result is the posterior mean of a symmetric Dirichlet prior with parameter alpha (Gelman et al.,
Bayesian Data Analysis, 3rd ed., section 3.4). It is the only place where an empty bin becomes positive.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.errors import InputError

Probabilities = npt.NDArray[np.float64]
Smoothing = str | float
"""`none`, `jeffreys`, `laplace`, `perks`, or the pseudo-count itself."""

NAMED: Final = {"none": 0.0, "jeffreys": 0.5, "laplace": 1.0}


def pseudo_count(smoothing: Smoothing, n_bins: int) -> float:
    """The alpha that a smoothing adds to each of `n_bins` bins.

    Parameters
    ----------
    smoothing : str or float
        `none` (0), `jeffreys` (1/2; Jeffreys 1946), `laplace` (1), `perks` (1/k; Perks 1947), or alpha.
    n_bins : int
        k, the number of bins, special ones included.

    Raises
    ------
    InputError
        For an unknown name, or an alpha that is negative or not finite.
    """
    if isinstance(smoothing, str):
        if smoothing == "perks":
            return 1.0 / n_bins
        if smoothing in NAMED:
            return NAMED[smoothing]
        known = ", ".join([*NAMED, "perks"])
        raise InputError(f"unknown smoothing {smoothing!r}; known are {known}, or a number >= 0")
    if isinstance(smoothing, bool) or not np.isfinite(smoothing) or smoothing < 0:
        raise InputError(f"a pseudo-count is a finite number >= 0; got {smoothing!r}")
    return float(smoothing)


def smooth(counts: npt.ArrayLike, smoothing: Smoothing = "none") -> Probabilities:
    """Probabilities from counts.

    Parameters
    ----------
    counts : array_like, shape (..., k)
        Counts; the last axis runs over bins.
    smoothing : str or float
        See `pseudo_count`.

    Returns
    -------
    ndarray of float64, shape (..., k)
        Shares that sum to 1 along the last axis.

    Raises
    ------
    InputError
        For negative counts, or a row that holds nothing while nothing is added to it.

    Examples
    --------
    >>> smooth([3, 1, 0], "laplace").tolist()
    [0.5714285714285714, 0.2857142857142857, 0.14285714285714285]
    """
    values: np.ndarray[Any, np.dtype[np.float64]] = np.asarray(counts, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise InputError(f"counts have one entry for each bin along the last axis; got shape {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        wrong = values[~(np.isfinite(values) & (values >= 0))].flat[0]
        raise InputError(f"counts are finite and not negative; got {wrong}")
    padded = values + pseudo_count(smoothing, values.shape[-1])
    total = padded.sum(axis=-1, keepdims=True)
    if (total == 0).any():
        raise InputError("no rows: a histogram of nothing has no probabilities (add a pseudo-count, or data)")
    return np.asarray(padded / total)
