"""Verdicts: the judgement of a score by a threshold, or by limits learned from reference windows. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from drift.errors import InputError
from drift.stats.calibration import FEW_WINDOWS, Evidence
from drift.stats.divergence import DIVERGENCES, lookup, metric_label
from drift.stats.null_distribution import SIGNIFICANCE
from drift.stats.scoring import Score


class Verdict(StrEnum):
    """The judgement of one column of one window."""

    OK = "ok"
    WARN = "warn"
    DRIFT = "drift"
    INSUFFICIENT = "insufficient"  # too few rows to distinguish this threshold from noise
    NO_DATA = "no_data"  # the window has no rows
    NOT_COMPARABLE = "not_comparable"  # of a kind that cannot be binned, or not in the reference
    SCHEMA_ERROR = "schema_error"  # missing, or of another type than in the reference
    ERROR = "error"  # reading or counting failed

    @property
    def is_conclusive(self) -> bool:
        """Whether the column could be evaluated: ok, warn or drift."""
        return self in {Verdict.OK, Verdict.WARN, Verdict.DRIFT}


# Orders tables; the verdict of a monitor is the most severe one of its columns.
_SEVERITY: Final = {
    Verdict.DRIFT: 7,
    Verdict.ERROR: 6,
    Verdict.SCHEMA_ERROR: 5,
    Verdict.NO_DATA: 4,
    Verdict.WARN: 3,
    Verdict.NOT_COMPARABLE: 2,
    Verdict.INSUFFICIENT: 1,
    Verdict.OK: 0,
}

MAX_DETECTABLE_RATIO: Final = 3.0
"""A score within noise is `ok` by a default threshold if a score of this many times the threshold is detectable."""


def severity(verdict: Verdict) -> int:
    """Return the rank of a verdict; the worst has the largest."""
    return _SEVERITY[verdict]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the most severe verdict; `ok` if there are none."""
    return max(verdicts, key=severity, default=Verdict.OK)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Limits on a score, in the unit of the score.

    Parameters
    ----------
    drift : float
        A score at or above it is drift.
    warn : float or None
        A score at or above it is a warning.
    is_default : bool
        True if the number is the default of the metric, not set by the user.

    Raises
    ------
    InputError
        If a limit is not a finite number above 0, or `warn` is above `drift`.
    """

    drift: float
    warn: float | None = None
    is_default: bool = False

    def __post_init__(self) -> None:
        for name, limit in (("drift", self.drift), ("warn", self.warn)):
            if limit is not None and not 0 < limit < float("inf"):
                message = f"threshold {name} must be a finite number above 0; got {limit!r}"
                raise InputError(message, code="invalid-value")
        if self.warn is not None and self.warn > self.drift:
            message = f"threshold warn ({self.warn}) must not be above drift ({self.drift})"
            raise InputError(message, code="invalid-value")


def default_threshold(metric: str) -> Threshold:
    """Return the default threshold of a metric, from its row in `drift.stats.divergence.DIVERGENCES`.

    Raises
    ------
    InputError
        If the metric has none (the user must set one), or is unknown.
    """
    limit = lookup(metric).threshold
    if limit is None:
        others = ", ".join(name for name, row in DIVERGENCES.items() if row.threshold is not None)
        message = f"metric {metric} has no default threshold; set one (threshold: 0.1), or use one of {others}"
        raise InputError(message, code="no-default-threshold")
    return Threshold(limit, is_default=True)


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict, its stable code for programs, and its message for people."""

    verdict: Verdict
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LearnedEvidence:
    """How unusual a window is among its reference windows, and the limit on its p-value.

    A p-value lower than `level` is drift; the level follows from the false-alarm budget. `period`, the length of a
    window, turns a p-value into "once in 9 years".
    """

    evidence: Evidence
    level: float
    period: timedelta


def ratio_to_limit(p_value: float, level: float) -> float:
    """Return a p-value relative to its limit, on the log scale: 0 for p = 1, 1 at the limit, more beyond it."""
    return math.log(max(p_value, 1e-300)) / math.log(level)


def judge(score: Score, threshold: Threshold, learned: LearnedEvidence | None = None) -> Assessment:
    """Judge a score by a threshold, or by limits learned from reference windows.

    With a threshold set by the user: a score at or above it counts if it is significant (p < 0.001, by the reference
    windows if there are enough, else by the two samples). If it is not, the threshold cannot be distinguished from
    noise: the verdict is `insufficient`, never an alarm and never a silent `ok`.

    With a default threshold (`auto`): reference windows decide if there are enough. Drift is then a window that occurs
    by chance more rarely than the false-alarm budget allows. Without them the default threshold decides. A score that
    reaches it within noise is `ok`, unless the window is so small that even a score of `MAX_DETECTABLE_RATIO` times
    the threshold would not be significant: then it is `insufficient`.
    """
    if learned is not None and threshold.is_default:
        return _judge_learned(score, learned)
    reached, limit = _reached(score.value, threshold)
    kind = ("default " if threshold.is_default else "") + ("warning " if reached is Verdict.WARN else "") + "threshold"
    typical = f"typical score {score.noise_floor:.2g}"
    if reached is Verdict.OK:
        message = f"{_named(score)} is below the {kind} {limit:g} ({typical})"
        return Assessment(Verdict.OK, code="within-limit", message=message)
    claim = f"{_named(score)} is at or above the {kind} {limit:g}"
    noise = f"{typical}, p {format_p_value(score.p_value)}"
    if score.p_value < SIGNIFICANCE:
        if reached is Verdict.WARN:
            return Assessment(reached, code="warning-threshold-reached", message=f"{claim} ({noise})")
        return Assessment(reached, code="threshold-reached", message=f"{claim} ({noise})")
    varying = f"{score.live_rows:,} live and {score.reference_rows:,} reference rows vary this much by chance"
    if learned is not None:
        varying = f"{learned.evidence.windows} reference windows vary this much"
    message = f"{claim} but within normal variation: {varying} ({noise})"
    if threshold.is_default and score.detectable <= MAX_DETECTABLE_RATIO * limit:
        return Assessment(Verdict.OK, code="within-noise", message=message)
    message += f"; the smallest detectable score is {score.detectable:.2g}"
    return Assessment(Verdict.INSUFFICIENT, code="within-noise", message=message)


def _judge_learned(score: Score, learned: LearnedEvidence) -> Assessment:
    evidence, level = learned.evidence, learned.level
    frequency, limit = format_frequencies(evidence.p_value, level, learned.period)
    message = f"{_named(score)}, typically {score.noise_floor:.2g}; {by_chance(frequency)} (limit: {limit})"
    if evidence.windows < FEW_WINDOWS:
        message += f"; learned from only {evidence.windows} reference windows, so limits are wide"
    if evidence.p_value < level:
        return Assessment(Verdict.DRIFT, code="beyond-normal-variation", message=message)
    return Assessment(Verdict.OK, code="within-limit", message=message)


def _named(score: Score) -> str:
    return f"{metric_label(score.method.metric)} {score.value:.3g}"


def _reached(value: float, threshold: Threshold) -> tuple[Verdict, float]:
    """Return the verdict of a score without regard to noise, and the limit that decides it."""
    if value >= threshold.drift:
        return Verdict.DRIFT, threshold.drift
    if threshold.warn is not None and value >= threshold.warn:
        return Verdict.WARN, threshold.warn
    return Verdict.OK, threshold.drift


def format_p_value(p_value: float) -> str:
    """Return a p-value with its relation sign and one digit: ``= 0.04``, ``< 1e-9``."""
    return "< 1e-9" if p_value < 1e-9 else f"= {p_value:.1g}"


def by_chance(frequency: str) -> str:
    """Return a frequency as a clause: ``by chance about once in 57 weeks``."""
    qualified = frequency.startswith(("less", "slightly"))
    return f"by chance {frequency}" if qualified else f"by chance about {frequency}"


MAX_DIGITS: Final = 3
"""Digits after the point, if two durations would otherwise read alike."""
_UNITS: Final = ((365.2425, "year"), (7.0, "week"), (1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute"))


def format_frequency(p_value: float, period: timedelta) -> str:
    """Return how often a window of a p-value occurs: ``once in 9 years``.

    Raises
    ------
    InputError
        If the length of a window is not above zero.
    """
    return _once_in(p_value, period, 0)


def format_frequencies(p_value: float, level: float, period: timedelta) -> tuple[str, str]:
    """Return how often a window occurs and how often its limit does; the texts differ if the numbers do.

    Near the limit both may be ``once in 3 years``; then both get the digits that distinguish them. `p_value` is that of
    the window, `level` the limit below which it is drift, `period` the length of a window.

    Raises
    ------
    InputError
        If `period` is not above zero.
    """
    for digits in range(MAX_DIGITS + 1):
        frequency, limit = _once_in(p_value, period, digits), _once_in(level, period, digits)
        if frequency != limit:
            return frequency, limit
    if p_value == level or frequency.startswith("less"):  # too rare to measure which one is rarer
        return frequency, limit
    return f"slightly {'less' if p_value < level else 'more'} often than {limit}", limit


def _once_in(p_value: float, period: timedelta, digits: int) -> str:
    if period <= timedelta():
        raise InputError(f"the length of a window must be above zero; got {period}", code="invalid-value")
    years = period / timedelta(days=365.2425) / max(p_value, 1e-300)
    rarest = 1_000_000 if digits else 1_000
    if years > rarest:
        return f"less than once in {rarest:,} years"
    unit, name = next(((days, name) for days, name in _UNITS if years * 365.2425 >= 2 * days), _UNITS[-1])
    return f"once in {years * 365.2425 / unit:,.{digits}f} {name}s"
