"""The page that every format renders: columns, their bins, and their scores over time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from drift.errors import InputError
from drift.histogram import Histogram
from drift.monitors.comparison import Bin, ColumnResult
from drift.monitors.verdict import Threshold, Verdict, format_frequencies, format_frequency, severity, worst
from drift.monitors.window import Window

MAX_MOVED_BINS: Final = 3


class Side(NamedTuple):
    """Name and number of rows of the reference or the live data."""

    label: str
    rows: int


@dataclass(frozen=True, slots=True)
class Point:
    """One window in the history of a column; scores in the unit of its metric.

    `ratio` is the score relative to its limit (1.0 = drift). If `level` is a number, the limit was learned from
    reference windows: there is no threshold, and `detectable` is the smallest score that would have stood out.
    """

    start: datetime
    end: datetime
    score: float | None
    noise_floor: float | None
    threshold: float | None
    verdict: Verdict
    ratio: float | None = None
    level: float | None = None
    detectable: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one segment."""

    name: str
    verdict: Verdict
    code: str  # the reason as a stable name for programs
    message: str  # the reason for the verdict, in one line
    segment: str = ""
    kind: str | None = None  # `number`, `string`, ...; None if the column could not be counted
    metric: str | None = None  # the divergence; None if there is no score
    base: float | None = None  # base of its logarithm, which with the metric gives the unit
    # score, noise_floor, p_value: the divergence, its typical value for unchanged data, and how often unchanged data
    # scores as high
    score: float | None = None
    noise_floor: float | None = None
    p_value: float | None = None
    interval: tuple[float, float] | None = None  # 95 % interval of the divergence, without noise
    threshold: Threshold | None = None  # limit of the score; None if the limit was learned from reference windows
    level: float | None = None  # the p-value below which it is drift, if the limit was learned
    # Windows behind p-value and typical score; None if they come from the two samples alone
    reference_windows: int | None = None
    detectable: float | None = None  # the smallest score that would exceed the noise
    ratio: float | None = None  # score relative to its limit (1.0 = drift)
    window: timedelta | None = None  # length of a window, which turns a p-value into "once in 9 years"
    # missing_reference, missing_live: share of rows without a value, 0 to 1; None if unknown
    missing_reference: float | None = None
    missing_live: float | None = None
    bins: tuple[Bin, ...] = ()
    explanation: str = ""  # the bins that moved
    history: tuple[Point, ...] = ()

    @classmethod
    def from_result(
        cls, result: ColumnResult, segment: str = "", history: Sequence[Point] = (), window: timedelta | None = None
    ) -> "Column":
        """Build a column from a result of `drift.monitors.comparison` about a window of the given length."""
        scored = result.scored
        return cls(
            name=result.column,
            segment=segment,
            verdict=result.verdict,
            code=result.code,
            message=result.message,
            kind=None if result.kind is None else result.kind.value,
            metric=None if scored is None else scored.method.metric,
            base=None if scored is None else scored.method.log_base,
            score=result.score,
            noise_floor=result.noise_floor,
            p_value=result.p_value,
            interval=result.interval,
            threshold=result.threshold,
            level=result.level,
            reference_windows=result.windows,
            detectable=None if scored is None else scored.detectable,
            ratio=None if scored is None else result.ratio,
            window=window,
            missing_reference=_missing(result.reference),
            missing_live=_missing(result.live),
            bins=result.bins,
            explanation=result.explanation,
            history=tuple(history),
        )

    @property
    def label(self) -> str:
        """Name, with the segment if there is one."""
        return f"{self.name} ({self.segment})" if self.segment else self.name

    @property
    def expected(self) -> str | None:
        """How often chance gives such a window, ``once in 9 years``; None without reference windows."""
        if self.reference_windows is None or self.p_value is None or self.window is None:
            return None
        if self.level is None:
            return format_frequency(self.p_value, self.window)
        return format_frequencies(self.p_value, self.level, self.window)[0]

    @property
    def budget(self) -> str | None:
        """How rare drift must be to keep the false-alarm budget, ``once in 3 years``; None for a fixed threshold."""
        if self.level is None or self.window is None:
            return None
        return format_frequencies(self.level if self.p_value is None else self.p_value, self.level, self.window)[1]

    @property
    def moved(self) -> tuple[int, ...]:
        """Indices of the bins that contribute most to a score above its limit, the largest contribution first."""
        if self.verdict not in {Verdict.DRIFT, Verdict.WARN}:
            return ()
        smallest = 0.01 * (self.score or 0.0)
        parts = [(b.contribution, -i) for i, b in enumerate(self.bins) if b.contribution and b.contribution >= smallest]
        return tuple(-i for _, i in sorted(parts, reverse=True)[:MAX_MOVED_BINS])


def importance(column: Column) -> tuple[int, float, str, str]:
    """Return a sort key as `drift.monitors.comparison.importance_key`, with the segment last."""
    return -severity(column.verdict), -(column.ratio or 0.0), column.name, column.segment


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a report, independent of its format.

    Raises
    ------
    InputError
        If `generated_at` has no time zone.
    """

    title: str
    metric: str  # the divergence of most columns
    reference: Side
    live: Side
    columns: tuple[Column, ...]  # the columns, in any order; they are sorted by importance
    subtitle: str = ""
    generated_at: datetime | None = None  # time of creation, with a time zone; None omits it
    timeline: tuple[Window, ...] = ()  # the windows of the histories, oldest first; empty for an ad-hoc comparison
    window: Window | None = None  # the window of the verdicts
    older: datetime | None = None  # start of the newest window before `timeline`, if there is one
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    alerts: tuple[Mapping[str, Any], ...] = ()  # firing alerts, as from `StoreQueries.alerts`
    notes: tuple[str, ...] = ()
    credit: str | None = None  # origin of the data, if its licence requires attribution
    budget: str | None = None  # the false-alarm budget, ``1 per 90d``, if the limits were learned

    def __post_init__(self) -> None:
        if self.generated_at is not None:
            if self.generated_at.tzinfo is None:
                raise InputError(f"generated_at needs a time zone; got {self.generated_at}", code="timestamp-invalid")
            object.__setattr__(self, "generated_at", self.generated_at.astimezone(UTC))
        object.__setattr__(self, "columns", tuple(sorted(self.columns, key=importance)))

    @classmethod
    def from_results(
        cls,
        results: Sequence[ColumnResult],
        *,
        reference: tuple[str, int],
        live: tuple[str, int],
        metric: str = "js_distance",
        generated_at: datetime | None = None,
        title: str = "Drift report",
        subtitle: str = "",
        notes: Sequence[str] = (),
        credit: str | None = None,
    ) -> "Page":
        """Build the page of an ad-hoc comparison from the results of `drift.monitors.comparison.compare_profiles`.

        `reference` and `live` are name and number of rows of each side.
        """
        return cls(
            title=title,
            subtitle=subtitle,
            generated_at=generated_at,
            metric=metric,
            reference=Side(*reference),
            live=Side(*live),
            columns=tuple(Column.from_result(r) for r in results),
            notes=tuple(notes),
            credit=credit,
        )

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any column."""
        return worst([c.verdict for c in self.columns])

    @property
    def learned(self) -> int:
        """Largest number of reference windows behind the limits of any column; 0 if none were learned."""
        return max((c.reference_windows or 0 for c in self.columns), default=0)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """Number of columns by verdict, the worst first, without zeros."""
        counts = Counter(c.verdict for c in self.columns)
        return {v: counts[v] for v in sorted(counts, key=severity, reverse=True)}

    def column(self, name: str, segment: str = "") -> Column:
        """Return the column of that name.

        Raises
        ------
        InputError
            If there is none.
        """
        for column in self.columns:
            if (column.name, column.segment) == (name, segment):
                return column
        known = ", ".join(c.label for c in self.columns[:10])
        where = f" in segment {segment!r}" if segment else ""
        message = f"the report has no column {name!r}{where}; it has {known or 'none'}"
        raise InputError(message, code="column-missing")


def _missing(side: Histogram | None) -> float | None:
    return side.missing / side.rows if side is not None and side.rows else None
