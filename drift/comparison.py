"""Two profiles side by side: each column of either has a result, whatever became of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter

import numpy as np

from drift.errors import InputError
from drift.histogram import Fault, Histogram, Kind, Profile, Uncounted
from drift.monitor import ColumnRule, Columns
from drift.scoring import Score, score
from drift.verdict import Threshold, Verdict, badness, judge, worst


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
    message : str
        One line for a person.
    threshold : Threshold or None
        What it was held against.
    scored : Score or None
        The score with its provenance.
    live, reference : Histogram or None
        Both sides, where they could be counted.
    """

    column: str
    verdict: Verdict
    message: str
    threshold: Threshold | None = None
    scored: Score | None = None
    live: Histogram | None = None
    reference: Histogram | None = None

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


def compare_profiles(
    live: Profile, reference: Profile, columns: Columns, rng: np.random.Generator
) -> tuple[ColumnResult, ...]:
    """Hold every column of a live profile against the reference, by its own rule.

    Parameters
    ----------
    live, reference : Profile
        Counted on the reference's axes.
    columns : Columns
        The rule of each column.
    rng : numpy.random.Generator
        Drives intervals; each column draws from a stream of its own, whatever columns stand beside it.

    Returns
    -------
    tuple of ColumnResult
        One for every column of either side, sorted by `by_importance`.
    """
    names = sorted({*live, *live.uncounted, *reference, *reference.uncounted})
    base = int(rng.integers(2**63))
    results = [_compare(name, live, reference, columns.rule(name), _stream(base, name)) for name in names]
    return tuple(sorted(results, key=by_importance))


def _stream(base: int, column: str) -> np.random.Generator:
    named = hashlib.sha256(column.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng([base, int.from_bytes(named[:8], "little")])


def by_importance(result: ColumnResult) -> tuple[int, float, str]:
    """Sort key: the worst verdict first, then the largest score in units of its threshold, then the name."""
    ratio = result.score / result.threshold.drift if result.score and result.threshold else 0.0
    return -badness(result.verdict), -ratio, result.column


_FAULTS: Mapping[Fault, Verdict] = {
    Fault.SCHEMA_ERROR: Verdict.SCHEMA_ERROR,
    Fault.NOT_COMPARABLE: Verdict.NOT_COMPARABLE,
    Fault.ERROR: Verdict.ERROR,
    Fault.ABSENT: Verdict.NOT_COMPARABLE,
}


def _compare(name: str, live: Profile, reference: Profile, rule: ColumnRule, rng: np.random.Generator) -> ColumnResult:
    now, then = live.histograms.get(name), reference.histograms.get(name)
    if live.rows == 0 and then is not None:
        return ColumnResult(name, Verdict.NO_DATA, "the window holds no rows", None, None, now, then)
    if now is None or then is None:
        lost = _why_lost(name, live, reference)
        return ColumnResult(name, _FAULTS[lost.fault], lost.message, None, None, now, then)
    if then.rows == 0:
        return ColumnResult(name, Verdict.NO_DATA, "the reference holds no rows", None, None, now, then)
    try:
        scored = score(now, then, rule.method, rng)
        threshold = rule.threshold
    except InputError as error:  # the metric does not fit this column: its verdict says so, others go on
        return ColumnResult(name, Verdict.NOT_COMPARABLE, str(error), None, None, now, then)
    judged = judge(scored, threshold)
    result = ColumnResult(name, judged.verdict, judged.reason, threshold, scored, now, then)
    if judged.verdict in {Verdict.DRIFT, Verdict.WARN}:
        return replace(result, message=f"{judged.reason}: {result.explanation}")
    return result


def _why_lost(name: str, live: Profile, reference: Profile) -> Uncounted:
    """Why a column has no histogram on one of the sides; the reference's reason first."""
    for side, profile in (("reference", reference), ("live", live)):
        if (lost := profile.uncounted.get(name)) is not None:
            return Uncounted(lost.fault, f"{side}: {lost.message}")
    if name not in reference:
        return Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is new: the reference does not have it")
    return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is not in the live data")
