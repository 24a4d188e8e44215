"""Two profiles side by side: each column of either has a result, whatever became of it."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from operator import attrgetter

import numpy as np

from drift.errors import InputError
from drift.histogram import Fault, Histogram, Kind, Profile, Uncounted
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.verdict import LearnedEvidence, Threshold, Verdict, judge, ratio_of, severity, worst
from drift.stats.calibration import Calibration, Evidence
from drift.stats.scoring import Method, Pair, Score, score_all


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of both sides: counts, and its part of the score (None where there is no score)."""

    label: str
    reference: int
    live: int
    contribution: float | None


@dataclass(frozen=True, slots=True)
class ColumnResult:
    """What became of one column.

    Parameters
    ----------
    column : str
        Its name.
    verdict : Verdict
        The verdict; `message` says why.
    code : str
        The reason as a stable name for programs: ``threshold-reached``, ``schema-error``, ...; empty if
        it was stored before codes were
    message : str
        One line for a person.
    threshold : Threshold or None
        What it was held against; None where what was learned from reference windows judged.
    scored : Score or None
        The score with its provenance.
    live, reference : Histogram or None
        Both sides, where they could be counted.
    windows : int or None
        Reference windows behind the p-value and the noise; None where they follow from the two samples alone.
    level : float or None
        The p-value below which it is drift, where what was learned judged.
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
        """The divergence of live against reference."""
        return None if self.scored is None else self.scored.value

    @property
    def noise_floor(self) -> float | None:
        """Expected score had nothing changed."""
        return None if self.scored is None else self.scored.noise_floor

    @property
    def p_value(self) -> float | None:
        """How often a score this large comes from unchanged data."""
        return None if self.scored is None else self.scored.p_value

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the divergence, noise taken out."""
        return None if self.scored is None else self.scored.interval

    @property
    def ratio(self) -> float:
        """How far it is on the way to drift: 1 at the limit; 0 without a score."""
        if self.scored is None:
            return 0.0
        if self.level is not None:
            return ratio_of(self.scored.p_value, self.level)
        return 0.0 if self.threshold is None else self.scored.value / self.threshold.drift

    @property
    def incident(self) -> bool:
        """Whether its window is no longer taken for ordinary: it drifted, by a limit of the user's or by evidence.

        Not so by a customary limit: where nothing is learned yet, that would keep out whatever could teach better.
        """
        by_custom = self.threshold is not None and self.threshold.customary
        return self.verdict is Verdict.DRIFT and not by_custom

    @property
    def kind(self) -> Kind | None:
        """What the column holds; None where it could not be counted."""
        known = self.reference or self.live
        return None if known is None else known.axis.kind

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

    def moved(self, most: int = 3) -> tuple[Bin, ...]:
        """The bins with the largest contributions, the largest first; none of less than 1 % of the score."""
        least = 0.01 * (self.score or 0.0)
        told = [b for b in self.bins if b.contribution is not None and b.contribution > 0 and b.contribution >= least]
        return tuple(sorted(told, key=attrgetter("contribution"), reverse=True)[:most])

    @property
    def explanation(self) -> str:
        """Which bins moved: ``[30, 45) 12.1 % -> 30.8 %, 61 % of the score``; empty without a score."""
        if self.live is None or self.reference is None or not self.score:
            return ""
        n, m = self.live.rows, self.reference.rows
        return "; ".join(
            f"{b.label} {b.reference / m:.1%} -> {b.live / n:.1%}, {share / self.score:.0%} of the score"
            for b in self.moved()
            if (share := b.contribution)
        )


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """All columns of one segment of one window; segment "" is all rows."""

    segment: str
    live: Profile
    columns: tuple[ColumnResult, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """The worst column's."""
        return worst([c.verdict for c in self.columns])


@dataclass(frozen=True, slots=True)
class SegmentReference:
    """What the windows of one segment are held to.

    Parameters
    ----------
    histograms : mapping of str to Histogram
        The reference of each column.
    uncounted : mapping of str to Uncounted
        Columns the reference could not count.
    calibration : Calibration
        What the reference's own windows taught; may know no column.
    level : float
        A p-value below it is drift where no limit is named.
    period : timedelta
        Length of a window.
    """

    histograms: Mapping[str, Histogram]
    uncounted: Mapping[str, Uncounted] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=lambda: Calibration({}))
    level: float = 0.001
    period: timedelta = timedelta(days=1)

    @classmethod
    def of(cls, reference: Profile) -> "SegmentReference":
        """A reference of one piece: nothing is learned from it."""
        return cls(reference.histograms, reference.uncounted)


def compare_profiles(
    live: Profile, reference: Profile | SegmentReference, columns: Columns, rng: np.random.Generator
) -> tuple[ColumnResult, ...]:
    """Hold every column of a live profile against the reference, by its own rule.

    Parameters
    ----------
    live : Profile
        Counted on the reference's axes.
    reference : Profile or Standard
        What it is held to.
    columns : Columns
        The rule of each column.
    rng : numpy.random.Generator
        Drives intervals; each column draws from a stream of its own, whatever columns stand beside it.

    Returns
    -------
    tuple of ColumnResult
        One for every column of either side, sorted by `importance_key`.
    """
    held = SegmentReference.of(reference) if isinstance(reference, Profile) else reference
    names = sorted({*live, *live.uncounted, *held.histograms, *held.uncounted})
    base = int(rng.integers(2**63))
    untold = {name: found for name in names if (found := _untold(name, live, held)) is not None}
    scored = _scored([name for name in names if name not in untold], live, held, columns, base)
    return tuple(sorted([*untold.values(), *_judged(scored, live, held)], key=importance_key))


def _seed(base: int, column: str) -> list[int]:
    named = hashlib.sha256(column.encode("utf-8", "surrogatepass")).digest()
    return [base, int.from_bytes(named[:8], "little")]


def importance_key(result: ColumnResult) -> tuple[int, float, str]:
    """Sort key: the worst verdict first, then the farthest beyond its limit, then the name."""
    return -severity(result.verdict), -result.ratio, result.column


_FAULTS: Mapping[Fault, tuple[Verdict, str]] = {
    Fault.SCHEMA_ERROR: (Verdict.SCHEMA_ERROR, "schema-error"),
    Fault.NOT_COMPARABLE: (Verdict.NOT_COMPARABLE, "not-comparable"),
    Fault.ERROR: (Verdict.ERROR, "evaluation-failed"),
    Fault.ABSENT: (Verdict.NOT_COMPARABLE, "column-missing"),
}


def _untold(name: str, live: Profile, held: SegmentReference) -> ColumnResult | None:
    """The result of a column that cannot be scored; None where it can."""
    now, then = live.histograms.get(name), held.histograms.get(name)
    if live.rows == 0 and then is not None:
        return ColumnResult(name, Verdict.NO_DATA, "no-rows", "the window holds no rows", None, None, now, then)
    if now is None or then is None:
        lost = _why_lost(name, live, held)
        return ColumnResult(name, *_FAULTS[lost.fault], lost.message, None, None, now, then)
    if then.rows == 0:
        return ColumnResult(
            name, Verdict.NO_DATA, "no-reference-rows", "the reference holds no rows", None, None, now, then
        )
    return None


def _scored(
    names: Iterable[str], live: Profile, held: SegmentReference, columns: Columns, base: int
) -> list[ColumnResult]:
    """Columns with their scores, not judged yet."""
    results, pairs = [], []
    for name in names:
        rule = columns.rule(name)
        pairs.append(Pair(live[name], held.histograms[name], rule.method, _seed(base, name)))
        results.append(
            ColumnResult(name, Verdict.OK, "within-limit", "", None, None, live[name], held.histograms[name])
        )
    return [_with_score(r, found, columns.rule(r.column)) for r, found in zip(results, score_all(pairs), strict=True)]


def _with_score(result: ColumnResult, found: Score | InputError, rule: ColumnRule) -> ColumnResult:
    try:
        if isinstance(found, Score):
            return replace(result, threshold=rule.threshold, scored=found)
    except InputError as error:  # no threshold is customary for this metric, and none was named
        found = error
    return replace(result, verdict=Verdict.NOT_COMPARABLE, code=found.code, message=str(found))


def _judged(results: Iterable[ColumnResult], live: Profile, held: SegmentReference) -> Iterable[ColumnResult]:
    """With verdicts: the noise of reference windows takes the place of that of two samples, where it is known."""
    results = list(results)
    evidence = held.calibration.evidence(live.histograms) if len(held.calibration) else {}
    by_method: dict[Method, list[str]] = {}
    for result in results:
        if result.scored is not None and result.column in evidence:
            by_method.setdefault(result.scored.method, []).append(result.column)
    ordinary = {}
    for method, names in by_method.items():
        ordinary.update(held.calibration.typical_scores(method, held.level, names))
    for result in results:
        if result.scored is None:
            yield result
        elif result.column not in ordinary:
            yield _verdict(result, None, result.scored)
        else:
            usual, found = ordinary[result.column], evidence[result.column]
            scored = replace(
                result.scored,
                noise_floor=usual.mean if math.isfinite(usual.mean) else result.scored.noise_floor,
                p_value=found.p_value,
                detectable=usual.detectable if math.isfinite(usual.detectable) else result.scored.detectable,
            )
            yield _verdict(result, LearnedEvidence(found, held.level, held.period), scored)


def _verdict(result: ColumnResult, learned: LearnedEvidence | None, scored: Score) -> ColumnResult:
    assert result.threshold is not None  # noqa: S101 - for the type checker; every scored column has one
    judged = judge(scored, result.threshold, learned)
    found = replace(result, verdict=judged.verdict, code=judged.code, message=judged.message, scored=scored)
    if learned is not None:
        found = replace(found, windows=learned.evidence.windows)
        if result.threshold.customary:
            found = replace(found, threshold=None, level=learned.level)
    if judged.verdict not in {Verdict.DRIFT, Verdict.WARN}:
        return found
    if learned is not None:
        found = replace(found, message=f"{_spoken(learned.evidence, found)}; {found.message}")
    return replace(found, message=f"{found.message}: {found.explanation}")


def _spoken(evidence: Evidence, result: ColumnResult) -> str:
    """The bin that speaks: ``missing 4.1 %, 0.0 % to 0.3 % in 60 reference windows``."""
    assert result.live is not None  # noqa: S101 - for the type checker; what was scored was counted
    label, share = result.live.labels[evidence.bin], result.live.counts[evidence.bin] / result.live.rows
    before = "never" if evidence.high == 0 else f"{evidence.low:.1%} to {evidence.high:.1%}"
    return f"{label} {share:.1%}, {before} in {evidence.windows} reference windows"


def _why_lost(name: str, live: Profile, held: SegmentReference) -> Uncounted:
    """Why a column has no histogram on one of the sides; the reference's reason first."""
    for side, uncounted in (("reference", held.uncounted), ("live", live.uncounted)):
        if (lost := uncounted.get(name)) is not None:
            return Uncounted(lost.fault, f"{side}: {lost.message}")
    if name not in held.histograms:
        return Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is new: the reference does not have it")
    return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is not in the live data")
