"""Divergences between two probability vectors: one function each, vectorised over leading axes.

Every function takes `p` and `q` of shape (..., k): shares that sum to 1 along the last axis. `kl(p, q)` is
KL(p || q); scores pass p = live and q = reference. `base` is the base of the logarithm: 2 gives bits, e gives nats.
A term 0 log 0 is 0. If q is 0 and p is not, KL is infinite: smooth the counts first
(`drift.stats.smoothing.smooth`), never here.

To add a divergence, write the function of its terms (per-bin contributions that sum to it) and its row in
`DIVERGENCES`. Configuration, default thresholds and reports read that row.

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
from drift.stats.arrays import Floats

__all__ = [
    "DIVERGENCES",
    "Divergence",
    "chi2",
    "contributions",
    "cross_entropy",
    "divergence",
    "entropy",
    "hellinger",
    "jeffreys",
    "js",
    "js_distance",
    "kl",
    "kl_reverse",
    "ks",
    "linf",
    "lookup",
    "psi",
    "total_variation",
    "wasserstein",
]

_TOLERANCE: Final = 1e-9
_REMEDY: Final = "make shares from counts with smoothing.smooth"


def entropy(p: npt.ArrayLike, base: float = 2) -> Floats:
    """Shannon entropy H(P) = -sum p log p, from 0 to log k. [CT 2.1]"""
    (p,) = _validated(p)
    return np.asarray(np.maximum(-_xlogx(p).sum(axis=-1), 0.0) / _log(base))  # maximum: 0, not -0


def cross_entropy(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Floats:
    """Cross entropy H(P, Q) = -sum p log q = H(P) + KL(P || Q); H(P) to infinity; not symmetric. [CT 2.3]"""
    p, q = _validated(p, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, -p * np.log(q), 0.0)
    return np.asarray(terms.sum(axis=-1) / _log(base))


def kl(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Floats:
    """Kullback-Leibler divergence KL(P || Q) = sum p log(p/q); 0 to infinity; not symmetric. [CT 2.3]

    Examples
    --------
    >>> round(float(kl([0.2, 0.8], [0.3, 0.7], base=math.e)), 6)
    0.025732
    """
    return _value("kl", p, q, base)


def kl_reverse(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Floats:
    """Kullback-Leibler divergence of reference from live, KL(Q || P); 0 to infinity; not symmetric. [CT 2.3]"""
    return _value("kl_reverse", p, q, base)


def jeffreys(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Floats:
    """Jeffreys divergence KL(P || Q) + KL(Q || P); 0 to infinity; symmetric. [J]"""
    return _value("jeffreys", p, q, base)


def psi(p: npt.ArrayLike, q: npt.ArrayLike, base: float = math.e) -> Floats:
    """Population stability index sum (p - q) ln(p/q): Jeffreys divergence, by convention in nats. [S]"""
    return _value("psi", p, q, base)


def js(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Floats:
    """Jensen-Shannon divergence (KL(P || M) + KL(Q || M)) / 2, M = (P + Q) / 2; 0 to log 2. [L]"""
    return _value("js", p, q, base)


def js_distance(p: npt.ArrayLike, q: npt.ArrayLike, base: float = 2) -> Floats:
    """Square root of the Jensen-Shannon divergence: a metric; 0 to sqrt(log 2). [ES]"""
    return _value("js_distance", p, q, base)


def hellinger(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Hellinger distance sqrt(sum (sqrt p - sqrt q)^2 / 2): a metric; 0 to 1; no logarithm. [LC]"""
    return _value("hellinger", p, q, 2)


def total_variation(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Total variation distance sum |p - q| / 2: a metric; 0 to 1; no logarithm. [LC]"""
    return _value("total_variation", p, q, 2)


def linf(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Chebyshev distance max |p - q|: a metric; 0 to 1; no logarithm."""
    return _value("linf", p, q, 2)


def ks(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Kolmogorov-Smirnov distance max |P(bins <= i) - Q(bins <= i)|; 0 to 1; ordered bins only."""
    return _value("ks", p, q, 2)


def wasserstein(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """First Wasserstein distance sum |P(bins <= i) - Q(bins <= i)|, in bins; 0 to k - 1; ordered bins only.

    Neighbouring bins are one apart, whatever their width: on ten quantile bins, for example, the unit is a tenth of
    the reference's rows. `missing`, the last bin, is beyond all others.
    """
    return _value("wasserstein", p, q, 2)


def chi2(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Pearson's chi-squared divergence sum (p - q)^2 / q; 0 to infinity; not symmetric; no logarithm. [P]"""
    return _value("chi2", p, q, 2)


def _terms_kl(p: Floats, q: Floats) -> Floats:
    """Terms p ln(p/q) - p + q: never negative; their sum is KL because both sides sum to 1. [C]"""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(p > 0, p * np.log(p / q), 0.0) - p + q)


def _terms_kl_reverse(p: Floats, q: Floats) -> Floats:
    return _terms_kl(q, p)


def _terms_jeffreys(p: Floats, q: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p == q, 0.0, (p - q) * (np.log(p) - np.log(q)))


def _terms_js(p: Floats, q: Floats) -> Floats:
    middle = (p + q) / 2
    return (_terms_kl(p, middle) + _terms_kl(q, middle)) / 2


def _terms_hellinger(p: Floats, q: Floats) -> Floats:
    return (np.sqrt(p) - np.sqrt(q)) ** 2 / 2


def _terms_total_variation(p: Floats, q: Floats) -> Floats:
    return np.abs(p - q) / 2


def _terms_linf(p: Floats, q: Floats) -> Floats:
    """Assign the whole distance to the first bin that differs most."""
    gaps = np.abs(p - q)
    first = np.arange(gaps.shape[-1]) == gaps.argmax(axis=-1)[..., np.newaxis]
    return np.where(first, gaps, 0.0)


def _terms_ks(p: Floats, q: Floats) -> Floats:
    """Signed differences of the bins up to the widest gap of the cumulative shares; they sum to that gap."""
    gap = np.cumsum(p - q, axis=-1)
    widest = np.abs(gap).argmax(axis=-1)[..., np.newaxis]
    sign = np.sign(np.take_along_axis(gap, widest, axis=-1))
    return np.where(np.arange(p.shape[-1]) <= widest, sign * (p - q), 0.0)


def _terms_wasserstein(p: Floats, q: Floats) -> Floats:
    """Share that has to move across the upper border of each bin."""
    moved = np.abs(np.cumsum(p - q, axis=-1))
    moved[..., -1] = 0.0  # the last bin has no upper border; rounding would leave a remainder
    return moved


def _terms_chi2(p: Floats, q: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p == q, 0.0, (p - q) ** 2 / q)


@dataclass(frozen=True, slots=True)
class Divergence:
    """A divergence and its defaults, as the rest of drift uses them.

    Parameters
    ----------
    terms : callable
        (p, q) -> per-bin terms, shape (..., k); in nats if it has a logarithm.
    root : bool
        The value is the square root of the sum of terms.
    logarithmic : bool
        The divergence has a base; otherwise the base is ignored.
    base : float
        Default base.
    smoothing : str
        Default smoothing: `jeffreys` if an empty bin makes the value infinite, else `none`.
    ordered : bool
        The divergence needs ordered bins.
    curvature : float or None
        c, if the sum of terms ~ c * chi2 near p = q, in nats: 1/2 for KL, 1/8 for JS. None if the divergence is not
        locally quadratic: its noise is then simulated.
    min_expected : int
        Expected rows in each bin from which scores under no change follow the chi-squared law: p = 0.001
        is then right within a factor of 2 (measured: 5 to 54 bins, either side 50 times the other).
    threshold : float or None
        Default threshold of drift, in the default base: a number in wide use, not derived (docs/architecture.md).
        None if no number is in wide use.
    unit : str
        Unit of a divergence without a logarithm, such as `bins`; empty if it has none. With a logarithm, the unit
        follows from the base: bits for 2, nats for e.
    label : str
        Name in messages; empty if the metric's own name is used.
    """

    terms: Callable[[Floats, Floats], Floats]
    root: bool = False
    logarithmic: bool = True
    base: float = 2
    smoothing: str = "none"
    ordered: bool = False
    curvature: float | None = None
    min_expected: int = 25
    threshold: float | None = None
    unit: str = ""
    label: str = ""


DIVERGENCES: Final[dict[str, Divergence]] = {
    "js_distance": Divergence(_terms_js, root=True, curvature=1 / 8, threshold=0.1, label="JS distance"),
    "js": Divergence(_terms_js, curvature=1 / 8, threshold=0.01, label="JS divergence"),
    "kl": Divergence(_terms_kl, smoothing="jeffreys", curvature=1 / 2, threshold=0.05, label="KL divergence"),
    "kl_reverse": Divergence(_terms_kl_reverse, smoothing="jeffreys", curvature=1 / 2, label="reverse KL divergence"),
    "jeffreys": Divergence(_terms_jeffreys, smoothing="jeffreys", curvature=1, label="Jeffreys divergence"),
    "psi": Divergence(_terms_jeffreys, base=math.e, smoothing="jeffreys", curvature=1, threshold=0.2, label="PSI"),
    "hellinger": Divergence(
        _terms_hellinger, root=True, logarithmic=False, curvature=1 / 8, label="Hellinger distance"
    ),
    "total_variation": Divergence(_terms_total_variation, logarithmic=False, label="total variation distance"),
    "linf": Divergence(_terms_linf, logarithmic=False, label="Chebyshev distance"),
    "ks": Divergence(_terms_ks, logarithmic=False, ordered=True, label="KS distance"),
    "wasserstein": Divergence(
        _terms_wasserstein, logarithmic=False, ordered=True, unit="bins", label="Wasserstein distance"
    ),
    "chi2": Divergence(
        _terms_chi2,
        logarithmic=False,
        smoothing="jeffreys",
        curvature=1,
        min_expected=200,
        label="chi-squared divergence",
    ),
}


def lookup(metric: str) -> Divergence:
    """Return the divergence of that name, or raise InputError with the known names."""
    if metric not in DIVERGENCES:
        raise InputError(f"unknown metric {metric!r}; use one of {', '.join(DIVERGENCES)}", code="unknown-metric")
    return DIVERGENCES[metric]


def metric_label(metric: str) -> str:
    """Return the name of a metric in messages: ``JS distance`` for ``js_distance``."""
    return lookup(metric).label or metric


def divergence(metric: str, p: npt.ArrayLike, q: npt.ArrayLike, base: float | None = None) -> Floats:
    """Return the divergence named `metric`, shape (...); `base` defaults to the metric's own."""
    return _value(metric, p, q, lookup(metric).base if base is None else base)


def contributions(metric: str, p: npt.ArrayLike, q: npt.ArrayLike, base: float | None = None) -> Floats:
    """Return per-bin parts, shape (..., k), that sum to ``divergence(metric, p, q, base)``.

    If the value is a root, each bin's fraction of the sum under the root is its fraction of the value.
    """
    row = lookup(metric)
    p, q = _validated(p, q)
    terms = row.terms(p, q) / _nats_per_unit(row, row.base if base is None else base)
    if not row.root:
        return terms
    total = terms.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(terms, np.sqrt(total), out=np.zeros_like(terms), where=total > 0))


def _value(metric: str, p: npt.ArrayLike, q: npt.ArrayLike, base: float) -> Floats:
    row = lookup(metric)
    p, q = _validated(p, q)
    # Rounding may leave a sum slightly below zero; no divergence is negative.
    total = np.maximum(row.terms(p, q).sum(axis=-1), 0.0) / _nats_per_unit(row, base)
    return np.asarray(np.sqrt(total) if row.root else total)


def _nats_per_unit(row: Divergence, base: float) -> float:
    return _log(base) if row.logarithmic else 1.0


def _log(base: float) -> float:
    if not (math.isfinite(base) and base > 1):
        raise InputError(f"invalid base of a logarithm: {base!r}; use a finite number above 1", code="invalid-value")
    return math.log(base)


def _validated(*sides: npt.ArrayLike) -> tuple[Floats, ...]:
    vectors = tuple(np.asarray(side, dtype=np.float64) for side in sides)
    for vector in vectors:
        if vector.ndim == 0 or vector.shape[-1] == 0:
            message = f"expected shares along the last axis, one for each bin; got shape {vector.shape}"
            raise InputError(message, code="invalid-input")
        if vector.shape[-1] != vectors[0].shape[-1]:
            sizes = f"p has {vectors[0].shape[-1]} bins and q has {vector.shape[-1]}"
            raise InputError(f"{sizes}; use the same bins for both", code="axis-mismatch")
        if not np.isfinite(vector).all() or (vector < 0).any():
            wrong = vector[~(np.isfinite(vector) & (vector >= 0))].flat[0]
            raise InputError(f"shares must be finite and not negative; got {wrong}; {_REMEDY}", code="invalid-input")
        off = np.abs(vector.sum(axis=-1) - 1).max(initial=0.0)
        if off > _TOLERANCE * vector.shape[-1]:
            message = f"shares must sum to 1; the sum is off by {off:.3g}; {_REMEDY}"
            raise InputError(message, code="invalid-input")
    return vectors


def _xlogx(p: Floats) -> Floats:
    return np.asarray(p * np.log(np.where(p > 0, p, 1.0)))
