"""Verdicts: what a score means under a threshold. Pure; says why."""

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from drift.errors import InputError
from drift.stats.calibration import FEW_WINDOWS, Evidence
from drift.stats.divergence import DIVERGENCES, lookup
from drift.stats.null_distribution import SIGNIFICANCE
from drift.stats.scoring import Score


class Verdict(StrEnum):
    """What became of one column of one window."""

    OK = "ok"
    WARN = "warn"
    DRIFT = "drift"
    INSUFFICIENT = "insufficient"  # too few rows to tell this threshold from noise
    NO_DATA = "no_data"  # the window holds no rows
    NOT_COMPARABLE = "not_comparable"  # of a kind that cannot be binned, or not in the reference
    SCHEMA_ERROR = "schema_error"  # gone, or of another type than in the reference
    ERROR = "error"  # reading or counting failed

    @property
    def told(self) -> bool:
        """Whether the column could be checked."""
        return self in {Verdict.OK, Verdict.WARN, Verdict.DRIFT}


# The order in which a monitor's verdict is its worst column's, and tables are sorted.
_BADNESS: Final = {
    Verdict.DRIFT: 7,
    Verdict.ERROR: 6,
    Verdict.SCHEMA_ERROR: 5,
    Verdict.NO_DATA: 4,
    Verdict.WARN: 3,
    Verdict.NOT_COMPARABLE: 2,
    Verdict.INSUFFICIENT: 1,
    Verdict.OK: 0,
}

BLIND: Final = 3.0  # a customary limit gives way to the noise as long as three times the limit would stand out


def severity(verdict: Verdict) -> int:
    """Rank of a verdict; the worst is the largest."""
    return _BADNESS[verdict]


def worst(verdicts: "list[Verdict]") -> Verdict:
    """The worst of some verdicts; `ok` of none."""
    return max(verdicts, key=severity, default=Verdict.OK)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Limits on a score, in the score's own unit.

    Parameters
    ----------
    drift : float
        A score at or above it is drift.
    warn : float or None
        A score at or above it is a warning.
    customary : bool
        The number is the metric's customary one, not the user's.

    Raises
    ------
    InputError
        Where a limit is not a number above zero, or warn lies above drift.
    """

    drift: float
    warn: float | None = None
    customary: bool = False

    def __post_init__(self) -> None:
        for name, limit in (("drift", self.drift), ("warn", self.warn)):
            if limit is not None and not 0 < limit < float("inf"):
                raise InputError(f"threshold {name} is a finite number above 0; got {limit!r}")
        if self.warn is not None and self.warn > self.drift:
            raise InputError(f"threshold warn ({self.warn}) lies above drift ({self.drift})")


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
        raise InputError(
            f"metric {metric} has no default threshold; set one (threshold: 0.1), or use one of {others}",
            code="no-default-threshold",
        )
    return Threshold(limit, customary=True)


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict, its stable code for programs, and its message for people."""

    verdict: Verdict
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LearnedEvidence:
    """What reference windows taught about a column, and what is asked of it.

    Parameters
    ----------
    evidence : Evidence
        How often an ordinary window is as strange.
    level : float
        A p-value below it is drift: what the false-alarm budget allows one check.
    period : timedelta
        Length of a window: it turns a p-value into "once in 9 years".
    """

    evidence: Evidence
    level: float
    period: timedelta


def ratio_of(p_value: float, level: float) -> float:
    """How far a p-value is on the way to a level: 1 at the level, 0 for the most ordinary window, on the log scale."""
    return math.log(max(p_value, 1e-300)) / math.log(level)


def judge(score: Score, threshold: Threshold, learned: LearnedEvidence | None = None) -> Assessment:
    """Hold a score against a threshold, guarded by the noise; or, where none is named, by what was learned.

    A limit that the user named: a score that reaches it is believed where it stands out from what unchanged data
    would give (p < 0.001, of reference windows where there are enough, else of two samples). Where it does not, the
    limit cannot be told from noise: `insufficient`, never an alarm and never a silent `ok`.

    None named (`auto`): reference windows decide where there are enough: drift is what an ordinary window shows more
    rarely than the false-alarm budget allows. Without them the metric's customary limit judges, and gives way to the
    noise where it lies within it: `ok`, unless the window is so small that even a score of three times the limit
    would not stand out.
    """
    if learned is not None and threshold.customary:
        return _judge_learned(score, learned)
    reached, limit = _reached(score.value, threshold)
    named = ("warning " if reached is Verdict.WARN else "") + "threshold"
    if threshold.customary:
        named = f"customary {named}"
    told = f"{score.method.metric} {score.value:.3g}"
    noise = f"noise {score.noise_floor:.2g}, p {format_p_value(score.p_value)}"
    if reached is Verdict.OK:
        message = f"{told} is under the {named} {limit:g} (noise {score.noise_floor:.2g})"
        return Assessment(Verdict.OK, "within-limit", message)
    if score.p_value < SIGNIFICANCE:
        code = "warning-threshold-reached" if reached is Verdict.WARN else "threshold-reached"
        return Assessment(reached, code, f"{told} reaches the {named} {limit:g} ({noise})")
    rows = f"{score.live_rows} live and {score.reference_rows} reference rows vary this much by chance ({noise})"
    if learned is not None:
        rows = f"{learned.evidence.windows} reference windows vary this much ({noise})"
    if threshold.customary and score.detectable <= BLIND * limit:
        return Assessment(
            Verdict.OK, "within-noise", f"{told} reaches the {named} {limit:g}, but {rows}: judged by the noise"
        )
    return Assessment(
        Verdict.INSUFFICIENT,
        "within-noise",
        f"{told} reaches the {named} {limit:g}, but {rows}; only {score.detectable:.2g} or more would stand out",
    )


def _judge_learned(score: Score, learned: LearnedEvidence) -> Assessment:
    found = learned.evidence
    told = f"{score.method.metric} {score.value:.3g}, noise {score.noise_floor:.2g}"
    few = f" (learned from {found.windows} windows only: wide)" if found.windows < FEW_WINDOWS else ""
    if found.p_value < learned.level:
        return Assessment(
            Verdict.DRIFT,
            "beyond-normal-variation",
            f"{told}; expected this often: {format_frequency(found.p_value, learned.period)}{few}",
        )
    expected, budget = format_frequencies(found.p_value, learned.level, learned.period)
    message = f"{told}; expected this often: {expected}, the budget asks for {budget}{few}"
    return Assessment(Verdict.OK, "within-limit", message)


def _reached(value: float, threshold: Threshold) -> tuple[Verdict, float]:
    """What a score would be were there no noise, and the limit that says so."""
    if value >= threshold.drift:
        return Verdict.DRIFT, threshold.drift
    if threshold.warn is not None and value >= threshold.warn:
        return Verdict.WARN, threshold.warn
    return Verdict.OK, threshold.drift


def format_p_value(p_value: float) -> str:
    """A p-value for a person: one digit, and none of what nobody can have measured."""
    return "< 1e-9" if p_value < 1e-9 else f"= {p_value:.1g}"


MAX_DIGITS: Final = 3  # after the point, where two lengths of time would read alike
_UNITS: Final = ((365.2425, "year"), (7.0, "week"), (1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute"))


def format_frequency(p_value: float, period: timedelta) -> str:
    """How often a window of a p-value comes, for a person: ``once in 9 years``.

    Raises
    ------
    InputError
        Where the length of a window is not above zero.
    """
    return _once_in(p_value, period, 0)


def format_frequencies(p_value: float, level: float, period: timedelta) -> tuple[str, str]:
    """How often a window comes and how rarely the budget asks for, in words that differ where the numbers do.

    Near the limit both may be ``once in 3 years``; then both get the digits that tell them apart.

    Parameters
    ----------
    p_value, level : float
        The window's, and the one below which it is drift.
    period : timedelta
        Length of a window.

    Raises
    ------
    InputError
        Where that is not above zero.
    """
    for digits in range(MAX_DIGITS + 1):
        found, limit = _once_in(p_value, period, digits), _once_in(level, period, digits)
        if found != limit:
            return found, limit
    if p_value == level or found.startswith("less"):  # so rare that nobody has measured which is rarer
        return found, limit
    return f"a little {'less' if p_value < level else 'more'} often than {limit}", limit


def _once_in(p_value: float, period: timedelta, digits: int) -> str:
    if period <= timedelta():
        raise InputError(f"a window is longer than nothing; got {period}")
    years = period / timedelta(days=365.2425) / max(p_value, 1e-300)
    rarest = 1_000_000 if digits else 1_000
    if years > rarest:
        return f"less than once in {rarest:,} years"
    unit, name = next(((u, n) for u, n in _UNITS if years * 365.2425 >= 2 * u), _UNITS[-1])
    return f"once in {years * 365.2425 / unit:,.{digits}f} {name}s"
