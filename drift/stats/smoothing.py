"""Probabilities from counts: a pseudo-count is added to every bin of both sides, then the counts are normalised.

The result is the posterior mean under a symmetric Dirichlet prior with parameter alpha (Gelman et al.,
Bayesian Data Analysis, 3rd ed., section 3.4). An empty bin becomes positive here and nowhere else.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.errors import InputError
from drift.stats.arrays import Floats

Smoothing = str | float
"""`none`, `jeffreys`, `laplace`, `perks`, or the pseudo-count itself."""

NAMED: Final = {"none": 0.0, "jeffreys": 0.5, "laplace": 1.0}


def pseudo_count(smoothing: Smoothing, n_bins: int) -> float:
    """Return the alpha that a smoothing adds to each of `n_bins` bins.

    Parameters
    ----------
    smoothing : str or float
        `none` (0), `jeffreys` (1/2; Jeffreys 1946), `laplace` (1), `perks` (1/k; Perks 1947), or alpha.
    n_bins : int
        k, the number of bins, special ones included.

    Raises
    ------
    InputError
        If the name is unknown, or alpha is negative or not finite.
    """
    if isinstance(smoothing, str):
        if smoothing == "perks":
            return 1.0 / n_bins
        if smoothing in NAMED:
            return NAMED[smoothing]
        names = ", ".join([*NAMED, "perks"])
        raise InputError(f"unknown smoothing {smoothing!r}; use one of {names}, or a number >= 0", code="invalid-value")
    if isinstance(smoothing, bool) or not np.isfinite(smoothing) or smoothing < 0:
        raise InputError(f"invalid pseudo-count {smoothing!r}; use a finite number >= 0", code="invalid-value")
    return float(smoothing)


def smooth(counts: npt.ArrayLike, smoothing: Smoothing = "none") -> Floats:
    """Return probabilities from counts, shape (..., k): shares that sum to 1 along the last axis; see `pseudo_count`.

    Raises
    ------
    InputError
        If counts are negative, or all counts of a row are 0 and the pseudo-count is 0.

    Examples
    --------
    >>> smooth([3, 1, 0], "laplace").tolist()
    [0.5714285714285714, 0.2857142857142857, 0.14285714285714285]
    """
    values: np.ndarray[Any, np.dtype[np.float64]] = np.asarray(counts, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] == 0:
        message = f"expected counts along the last axis, one for each bin; got shape {values.shape}"
        raise InputError(message, code="invalid-input")
    if not np.isfinite(values).all() or (values < 0).any():
        wrong = values[~(np.isfinite(values) & (values >= 0))].flat[0]
        raise InputError(f"counts must be finite and not negative; got {wrong}", code="invalid-input")
    padded = values + pseudo_count(smoothing, values.shape[-1])
    total = padded.sum(axis=-1, keepdims=True)
    if (total == 0).any():
        message = "a histogram without rows has no probabilities; add a pseudo-count, or provide data"
        raise InputError(message, code="no-rows")
    return np.asarray(padded / total)
