"""Comparison of a live profile with its reference: every column of either side gets a result."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from operator import attrgetter

import numpy as np

from drift.errors import InputError
from drift.histogram import Fault, Histogram, Kind, Profile, Uncounted
from drift.histogram.labels import SPECIAL
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.verdict import LearnedEvidence, Threshold, Verdict, judge, ratio_to_limit, severity, worst
from drift.stats.calibration import Calibration, Evidence
from drift.stats.scoring import Method, Pair, Score, score_all


@dataclass(frozen=True, slots=True)
class Bin:
    """The counts of one bin on both sides, and its part of the score (None without a score)."""

    label: str
    reference: int
    live: int
    contribution: float | None


@dataclass(frozen=True, slots=True)
class ColumnResult:
    """The result of one column.

    Parameters
    ----------
    column : str
        Its name.
    verdict : Verdict
        The verdict.
    code : str
        Stable name of the reason, for programs; empty for a result stored before there were codes.
    message : str
        The reason, one line for people.
    threshold : Threshold or None
        What the score was compared with; None if limits learned from reference windows decided.
    scored : Score or None
        The score; None if the column could not be scored.
    live, reference : Histogram or None
        The counts of either side; None if a side was not counted.
    windows : int or None
        Reference windows that p-value and typical score come from; None if they follow from the two samples.
    level : float or None
        The p-value below which the column drifts, if learned limits decided.
    """

    column: str
    verdict: Verdict
    code: str
    message: str
    threshold: Threshold | None = None
    scored: Score | None = None
    live: Histogram | None = None
    reference: Histogram | None = None
    windows: int | None = None
    level: float | None = None

    @property
    def score(self) -> float | None:
        """The divergence of live from reference."""
        return None if self.scored is None else self.scored.value

    @property
    def noise_floor(self) -> float | None:
        """The typical score: its expected value if nothing changed."""
        return None if self.scored is None else self.scored.noise_floor

    @property
    def p_value(self) -> float | None:
        """The probability of a score at least this large if nothing changed."""
        return None if self.scored is None else self.scored.p_value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the divergence, corrected for noise."""
        return None if self.scored is None else self.scored.interval

    @property
    def detectable(self) -> float | None:
        """The smallest score that would be significant."""
        return None if self.scored is None else self.scored.detectable

    @property
    def ratio(self) -> float:
        """The score relative to its limit (1.0 = drift); 0 without a score."""
        if self.scored is None:
            return 0.0
        if self.level is not None:
            return ratio_to_limit(self.scored.p_value, self.level)
        return 0.0 if self.threshold is None else self.scored.value / self.threshold.drift

    @property
    def excluded_from_reference(self) -> bool:
        """Whether later references must leave this window out: it drifted by the user's threshold or learned limits.

        Drift by a default threshold does not exclude a window: as long as nothing is learned, that would keep out
        the windows that could be learned from.
        """
        by_default = self.threshold is not None and self.threshold.is_default
        return self.verdict is Verdict.DRIFT and not by_default

    @property
    def kind(self) -> Kind | None:
        """The kind of values; None if the column could not be counted."""
        histogram = self.reference or self.live
        return None if histogram is None else histogram.axis.kind

    @property
    def bins(self) -> tuple[Bin, ...]:
        """Each bin with both counts and its contribution; special bins included."""
        if self.live is None or self.reference is None:
            return ()
        parts: tuple[float | None, ...] = (None,) * len(self.live.labels)
        if self.scored is not None:
            parts = self.scored.contributions
        sides = zip(self.reference.labels, self.reference.counts, self.live.counts, parts, strict=True)
        return tuple(Bin(label, int(a), int(b), part) for label, a, b, part in sides)

    def moved_bins(self, limit: int = 3) -> tuple[Bin, ...]:
        """Return the bins with the largest contributions, the largest first; none below 1 % of the score."""
        least = 0.01 * (self.score or 0.0)
        moved = [b for b in self.bins if b.contribution is not None and b.contribution > 0 and b.contribution >= least]
        return tuple(sorted(moved, key=attrgetter("contribution"), reverse=True)[:limit])

    @property
    def explanation(self) -> str:
        """The bins that moved: ``[30, 45) rose from 12.1% to 30.8% (61% of the score)``; empty without a score."""
        if self.live is None or self.reference is None or not self.score:
            return ""
        n, m = self.live.rows, self.reference.rows
        return ", ".join(
            f"{_named(b.label)} {_change(b.reference / m, b.live / n)} from {b.reference / m:.1%} to {b.live / n:.1%} "
            f"({contribution / self.score:.0%} of the score)"
            for b in self.moved_bins()
            if (contribution := b.contribution)
        )


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """The results of all columns of one segment of one window; segment "" is all rows."""

    segment: str
    live: Profile
    columns: tuple[ColumnResult, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """The most severe verdict of the columns."""
        return worst(c.verdict for c in self.columns)


@dataclass(frozen=True, slots=True)
class SegmentReference:
    """The reference of one segment: its histograms by column, and the columns it could not count.

    `calibration` has the limits learned from reference windows; it may hold no column. A p-value below `level` is
    drift in a column without a user's threshold. `period` is the length of a window.
    """

    histograms: Mapping[str, Histogram]
    uncounted: Mapping[str, Uncounted] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=lambda: Calibration({}))
    level: float = 0.001
    period: timedelta = timedelta(days=1)


def compare_profiles(
    live: Profile, reference: Profile | SegmentReference, columns: Columns, rng: np.random.Generator
) -> tuple[ColumnResult, ...]:
    """Compare every column of a live profile with its reference, each by its own rule.

    `live` has counts on the axes of the reference. `rng` is the source of randomness for p-values and intervals. Each
    column draws from its own stream, so other columns do not change its result.

    Returns
    -------
    tuple of ColumnResult
        One for every column of either side, sorted by `importance_key`.
    """
    if isinstance(reference, Profile):
        reference = SegmentReference(reference.histograms, reference.uncounted)
    names = sorted({*live, *live.uncounted, *reference.histograms, *reference.uncounted})
    base = int(rng.integers(2**63))
    unscored = {name: result for name in names if (result := _unscored(name, live, reference)) is not None}
    scored = _scored([name for name in names if name not in unscored], live, reference, columns, base)
    return tuple(sorted([*unscored.values(), *_judged(scored, live, reference)], key=importance_key))


def _seed(base: int, column: str) -> list[int]:
    digest = hashlib.sha256(column.encode("utf-8", "surrogatepass")).digest()
    return [base, int.from_bytes(digest[:8], "little")]


def importance_key(result: ColumnResult) -> tuple[int, float, str]:
    """Return a sort key: the most severe verdict first, then the largest ratio to the limit, then the name."""
    return -severity(result.verdict), -result.ratio, result.column


_FAULTS: Mapping[Fault, tuple[Verdict, str]] = {
    Fault.SCHEMA_ERROR: (Verdict.SCHEMA_ERROR, "schema-error"),
    Fault.NOT_COMPARABLE: (Verdict.NOT_COMPARABLE, "not-comparable"),
    Fault.ERROR: (Verdict.ERROR, "evaluation-failed"),
    Fault.ABSENT: (Verdict.NOT_COMPARABLE, "column-missing"),
}


def _unscored(name: str, live: Profile, reference: SegmentReference) -> ColumnResult | None:
    """Return the result of a column that cannot be scored; None if it can."""
    a, b = live.histograms.get(name), reference.histograms.get(name)
    if live.rows == 0 and b is not None:
        return ColumnResult(name, Verdict.NO_DATA, "no-rows", "the window has no rows", live=a, reference=b)
    if a is None or b is None:
        lost = _uncounted(name, live, reference)
        return ColumnResult(name, *_FAULTS[lost.fault], lost.message, live=a, reference=b)
    if b.rows == 0:
        message = "the reference has no rows"
        return ColumnResult(name, Verdict.NO_DATA, "no-reference-rows", message, live=a, reference=b)
    return None


def _scored(
    names: Iterable[str], live: Profile, reference: SegmentReference, columns: Columns, base: int
) -> list[ColumnResult]:
    """Return columns with scores but without verdicts."""
    results, pairs = [], []
    for name in names:
        a, b = live[name], reference.histograms[name]
        pairs.append(Pair(a, b, columns.rule(name).method, _seed(base, name)))
        results.append(ColumnResult(name, Verdict.OK, "within-limit", "", live=a, reference=b))
    scores = zip(results, score_all(pairs), strict=True)
    return [_with_score(result, score, columns.rule(result.column)) for result, score in scores]


def _with_score(result: ColumnResult, score: Score | InputError, rule: ColumnRule) -> ColumnResult:
    try:
        if isinstance(score, Score):
            return replace(result, threshold=rule.threshold, scored=score)
    except InputError as error:  # the user set no threshold, and the metric has no default
        score = error
    return replace(result, verdict=Verdict.NOT_COMPARABLE, code=score.code, message=str(score))


def _judged(results: Iterable[ColumnResult], live: Profile, reference: SegmentReference) -> Iterator[ColumnResult]:
    """Yield results with verdicts; noise learned from reference windows replaces that of the two samples."""
    results, calibration = list(results), reference.calibration
    evidence = calibration.evidence(live.histograms) if len(calibration) else {}
    by_method: dict[Method, list[str]] = {}
    for result in results:
        if result.scored is not None and result.column in evidence:
            by_method.setdefault(result.scored.method, []).append(result.column)
    typical_scores = {}
    for method, names in by_method.items():
        typical_scores.update(calibration.typical_scores(method, reference.level, names))
    for result in results:
        if result.scored is None:
            yield result
        elif result.column not in typical_scores:
            yield _with_verdict(result, None, result.scored)
        else:
            typical, learned = typical_scores[result.column], evidence[result.column]
            scored = replace(
                result.scored,
                noise_floor=typical.mean if math.isfinite(typical.mean) else result.scored.noise_floor,
                p_value=learned.p_value,
                detectable=typical.detectable if math.isfinite(typical.detectable) else result.scored.detectable,
            )
            yield _with_verdict(result, LearnedEvidence(learned, reference.level, reference.period), scored)


def _with_verdict(result: ColumnResult, learned: LearnedEvidence | None, scored: Score) -> ColumnResult:
    assert result.threshold is not None  # noqa: S101 - for the type checker; every scored column has one
    judged = judge(scored, result.threshold, learned)
    is_default = result.threshold.is_default
    result = replace(result, verdict=judged.verdict, code=judged.code, message=judged.message, scored=scored)
    if learned is not None:
        result = replace(result, windows=learned.evidence.windows)
        if is_default:
            result = replace(result, threshold=None, level=learned.level)
    if judged.verdict not in {Verdict.DRIFT, Verdict.WARN}:
        return result
    moved = result.explanation if learned is None else _evidence_text(learned.evidence, result)
    return replace(result, message=f"{moved}; {result.message}")


def _evidence_text(evidence: Evidence, result: ColumnResult) -> str:
    """Return the most unusual bin: ``missing rose to 4.1% (0.0-0.3% in 60 reference windows)``."""
    live, reference = result.live, result.reference
    assert live is not None  # noqa: S101 - for the type checker; scored columns have both sides
    assert reference is not None  # noqa: S101
    i = evidence.bin
    share, expected = live.counts[i] / live.rows, reference.counts[i] / reference.rows
    windows = f"{evidence.windows} reference windows"
    usual = f"{100 * evidence.low:.1f}-{evidence.high:.1%} in {windows}" if evidence.high else f"never in {windows}"
    return f"{_named(live.labels[i])} {_change(expected, share)} to {share:.1%} ({usual})"


def _named(label: str) -> str:
    return label if label in SPECIAL else f"share of {label}"


def _change(before: float, after: float) -> str:
    return "rose" if after >= before else "fell"


def _uncounted(name: str, live: Profile, reference: SegmentReference) -> Uncounted:
    """Return why a column has no histogram on one of the sides; the reason of the reference first."""
    for side, uncounted in (("reference", reference.uncounted), ("live", live.uncounted)):
        if (lost := uncounted.get(name)) is not None:
            return Uncounted(lost.fault, f"{side}: {lost.message}")
    if name not in reference.histograms:
        return Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is new: the reference does not have it")
    return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is not in the live data")
