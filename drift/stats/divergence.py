"""Divergences between two probability vectors: one function each, vectorised over leading axes.

Every function takes `p` and `q` of shape (..., k), shares that sum to 1 along the last axis, and
`kl(p, q)` is KL(p || q). Scores pass p = live and q = reference. `base` is the logarithm's: 2 gives
bits, e gives nats. A term 0 log 0 is 0; where q is 0 and p is not, KL is infinite, and says so: smooth
counts first (`drift.stats.smoothing.smooth`), never here.

To add one: write the function of its terms (per-bin contributions that sum to it) and its row in
`DIVERGENCES`.

Sources: [CT] Cover and Thomas, Elements of Information Theory, 2nd ed. 2006; [C] Csiszar 1967 (the form
p log(p/q) - p + q, whose terms are never negative); [L] Lin 1991; [ES] Endres and Schindelin 2003;
[J] Jeffreys 1946; [S] Siddiqi, Credit Risk Scorecards, 2006; [LC] Le Cam 1986; [P] Pearson 1900.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drift.errors import InputError

Vector = npt.NDArray[np.float64]
_TOLERANCE: Final = 1e-9


def entropy(p: npt.ArrayLike, base: float = 2) -> Vector:
    """Shannon entropy H(P) = -sum p log p, from 0 to log k. [CT 2.1]"""
    (p,) = _validated(p)
    return np.asarray(np.maximum(-_xlogx(p).sum(axis=-1), 0.0) / _log(base))  # maximum: 0, not -0


def cross_entropy(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Vector:
    """H(P, Q) = -sum p log q = H(P) + KL(P || Q); not symmetric; H(P) to infinity. [CT 2.3]"""
    p, q = _validated(p, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, -p * np.log(q), 0.0)
    return np.asarray(terms.sum(axis=-1) / _log(base))


def kl(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Vector:
    """Kullback-Leibler divergence KL(P || Q) = sum p log(p/q); 0 to infinity; not symmetric. [CT 2.3]

    Examples
    --------
    >>> round(float(kl([0.2, 0.8], [0.3, 0.7], base=math.e)), 6)
    0.025732
    """
    return _total("kl", p, q, base)


def kl_reverse(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Vector:
    """KL(Q || P): the reference's view of the live shares; 0 to infinity; not symmetric. [CT 2.3]"""
    return _total("kl_reverse", p, q, base)


def jeffreys(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Vector:
    """Jeffreys divergence KL(P || Q) + KL(Q || P); 0 to infinity; symmetric. [J]"""
    return _total("jeffreys", p, q, base)


def psi(p: npt.ArrayLike, q: npt.ArrayLike, base: float = math.e) -> Vector:
    """Population stability index sum (p - q) ln(p/q): Jeffreys' divergence, by custom in nats. [S]"""
    return _total("psi", p, q, base)


def js(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Vector:
    """Jensen-Shannon divergence (KL(P || M) + KL(Q || M)) / 2, M = (P + Q) / 2; 0 to log 2. [L]"""
    return _total("js", p, q, base)


def js_distance(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Vector:
    """Square root of the Jensen-Shannon divergence: a metric; 0 to sqrt(log 2). [ES]"""
    return _total("js_distance", p, q, base)


def hellinger(p: npt.ArrayLike, q: npt.ArrayLike) -> Vector:
    """Hellinger distance sqrt(sum (sqrt p - sqrt q)^2 / 2): a metric; 0 to 1; no logarithm. [LC]"""
    return _total("hellinger", p, q, 2)


def total_variation(p: npt.ArrayLike, q: npt.ArrayLike) -> Vector:
    """Total variation distance sum |p - q| / 2: a metric; 0 to 1; no logarithm. [LC]"""
    return _total("total_variation", p, q, 2)


def linf(p: npt.ArrayLike, q: npt.ArrayLike) -> Vector:
    """Chebyshev distance max |p - q|: a metric; 0 to 1; no logarithm."""
    return _total("linf", p, q, 2)


def ks(p: npt.ArrayLike, q: npt.ArrayLike) -> Vector:
    """Kolmogorov-Smirnov distance max |P(bins <= i) - Q(bins <= i)|; 0 to 1; for ordered bins only."""
    return _total("ks", p, q, 2)


def wasserstein(p: npt.ArrayLike, q: npt.ArrayLike) -> Vector:
    """First Wasserstein distance sum |P(bins <= i) - Q(bins <= i)|, in bins; 0 to k - 1; ordered bins only.

    Neighbouring bins lie one apart, whatever their width: on quantile bins the unit is a tenth of the
    reference's rows, say. `missing`, the last bin, lies beyond all others.
    """
    return _total("wasserstein", p, q, 2)


def chi2(p: npt.ArrayLike, q: npt.ArrayLike) -> Vector:
    """Pearson's chi-squared divergence sum (p - q)^2 / q; 0 to infinity; not symmetric; no logarithm. [P]"""
    return _total("chi2", p, q, 2)


def _terms_kl(p: Vector, q: Vector) -> Vector:
    """Terms p ln(p/q) - p + q: never negative, and their sum is KL since both sides sum to 1. [C]"""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(p > 0, p * np.log(p / q), 0.0) - p + q)


def _terms_kl_reverse(p: Vector, q: Vector) -> Vector:
    return _terms_kl(q, p)


def _terms_jeffreys(p: Vector, q: Vector) -> Vector:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p == q, 0.0, (p - q) * (np.log(p) - np.log(q)))


def _terms_js(p: Vector, q: Vector) -> Vector:
    middle = (p + q) / 2
    return (_terms_kl(p, middle) + _terms_kl(q, middle)) / 2


def _terms_hellinger(p: Vector, q: Vector) -> Vector:
    return (np.sqrt(p) - np.sqrt(q)) ** 2 / 2


def _terms_total_variation(p: Vector, q: Vector) -> Vector:
    return np.abs(p - q) / 2


def _terms_linf(p: Vector, q: Vector) -> Vector:
    """All of it on the (first) bin that differs most."""
    gaps = np.abs(p - q)
    first = np.arange(gaps.shape[-1]) == gaps.argmax(axis=-1)[..., np.newaxis]
    return np.where(first, gaps, 0.0)


def _terms_ks(p: Vector, q: Vector) -> Vector:
    """Signed differences of the bins up to the widest gap of the cumulative shares: they sum to it."""
    gap = np.cumsum(p - q, axis=-1)
    at = np.abs(gap).argmax(axis=-1)[..., np.newaxis]
    sign = np.sign(np.take_along_axis(gap, at, axis=-1))
    return np.where(np.arange(p.shape[-1]) <= at, sign * (p - q), 0.0)


def _terms_wasserstein(p: Vector, q: Vector) -> Vector:
    """What is carried over the border above each bin."""
    carried = np.abs(np.cumsum(p - q, axis=-1))
    carried[..., -1] = 0.0  # nothing lies beyond the last bin; rounding would
    return carried


def _terms_chi2(p: Vector, q: Vector) -> Vector:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p == q, 0.0, (p - q) ** 2 / q)


@dataclass(frozen=True, slots=True)
class Divergence:
    """What the rest of drift needs to know of a divergence.

    Parameters
    ----------
    terms : callable
        (p, q) -> per-bin terms, shape (..., k), in nats where it has a logarithm.
    root : bool
        The value is the square root of the sum of terms.
    logarithmic : bool
        It has a base; otherwise the base is ignored.
    base : float
        The customary base, where the user names none.
    smoothing : str
        The customary smoothing: `jeffreys` where an empty bin makes it infinite, else `none`.
    ordered : bool
        It needs ordered bins.
    curvature : float or None
        c, where sum of terms ~ c * chi2 near p = q, in nats: 1/2 for KL, 1/8 for JS. None where the
        divergence is not locally quadratic: its noise is then simulated.
    enough : int
        Expected rows in each bin from which its scores under no change follow the chi-squared law: p = 0.001
        is then right within a factor of 2 (measured: 5 to 54 bins, either side 50 times the other).
    """

    terms: Callable[[Vector, Vector], Vector]
    root: bool = False
    logarithmic: bool = True
    base: float = 2
    smoothing: str = "none"
    ordered: bool = False
    curvature: float | None = None
    enough: int = 25


DIVERGENCES: Final[dict[str, Divergence]] = {
    "js_distance": Divergence(_terms_js, root=True, curvature=1 / 8),
    "js": Divergence(_terms_js, curvature=1 / 8),
    "kl": Divergence(_terms_kl, smoothing="jeffreys", curvature=1 / 2),
    "kl_reverse": Divergence(_terms_kl_reverse, smoothing="jeffreys", curvature=1 / 2),
    "jeffreys": Divergence(_terms_jeffreys, smoothing="jeffreys", curvature=1),
    "psi": Divergence(_terms_jeffreys, base=math.e, smoothing="jeffreys", curvature=1),
    "hellinger": Divergence(_terms_hellinger, root=True, logarithmic=False, curvature=1 / 8),
    "total_variation": Divergence(_terms_total_variation, logarithmic=False),
    "linf": Divergence(_terms_linf, logarithmic=False),
    "ks": Divergence(_terms_ks, logarithmic=False, ordered=True),
    "wasserstein": Divergence(_terms_wasserstein, logarithmic=False, ordered=True),
    "chi2": Divergence(_terms_chi2, logarithmic=False, smoothing="jeffreys", curvature=1, enough=200),
}


def lookup(metric: str) -> Divergence:
    """The divergence of that name.

    Raises
    ------
    InputError
        Where there is none; the message names those there are.
    """
    if metric not in DIVERGENCES:
        raise InputError(f"unknown metric {metric!r}; known are {', '.join(DIVERGENCES)}")
    return DIVERGENCES[metric]


def divergence(metric: str, p: npt.ArrayLike, q: npt.ArrayLike, base: float | None = None) -> Vector:
    """The divergence named `metric`, in its customary base unless told otherwise; shape (...)."""
    return _total(metric, p, q, lookup(metric).base if base is None else base)


def contributions(metric: str, p: npt.ArrayLike, q: npt.ArrayLike, base: float | None = None) -> Vector:
    """Per-bin parts, shape (..., k), that sum to ``divergence(metric, p, q, base)``.

    Where the value is a root, each bin's share of the sum under the root is its share of the value.
    """
    known = lookup(metric)
    p, q = _validated(p, q)
    terms = known.terms(p, q) / _unit(known, known.base if base is None else base)
    if not known.root:
        return terms
    total = terms.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(terms, np.sqrt(total), out=np.zeros_like(terms), where=total > 0))


def _total(metric: str, p: npt.ArrayLike, q: npt.ArrayLike, base: float) -> Vector:
    known = lookup(metric)
    p, q = _validated(p, q)
    # Rounding may leave a sum a hair below zero; no divergence is negative.
    total = np.maximum(known.terms(p, q).sum(axis=-1), 0.0) / _unit(known, base)
    return np.asarray(np.sqrt(total) if known.root else total)


def _unit(known: Divergence, base: float) -> float:
    return _log(base) if known.logarithmic else 1.0


def _log(base: float) -> float:
    if not (math.isfinite(base) and base > 1):
        raise InputError(f"the base of a logarithm is a finite number > 1; got {base!r}")
    return math.log(base)


def _validated(*sides: npt.ArrayLike) -> tuple[Vector, ...]:
    vectors = tuple(np.asarray(side, dtype=np.float64) for side in sides)
    for vector in vectors:
        if vector.ndim == 0 or vector.shape[-1] == 0:
            raise InputError(f"expected shares along the last axis, one for each bin; got shape {vector.shape}")
        if vector.shape[-1] != vectors[0].shape[-1]:
            raise InputError(f"both sides have the same bins; got {vectors[0].shape[-1]} and {vector.shape[-1]}")
        if not np.isfinite(vector).all() or (vector < 0).any():
            wrong = vector[~(np.isfinite(vector) & (vector >= 0))].flat[0]
            raise InputError(f"shares are finite and not negative; got {wrong}; make them by smoothing.smooth")
        off = np.abs(vector.sum(axis=-1) - 1).max(initial=0.0)
        if off > _TOLERANCE * vector.shape[-1]:
            raise InputError(f"shares sum to 1, these are off by {off:.3g}; use smoothing.smooth on counts")
    return vectors


def _xlogx(p: Vector) -> Vector:
    return np.asarray(p * np.log(np.where(p > 0, p, 1.0)))
