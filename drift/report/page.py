"""What every format is rendered from: one page, its columns, their bins and their scores over time."""

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
    """The reference or the live data: what it is called, and its rows."""

    label: str
    rows: int


@dataclass(frozen=True, slots=True)
class Point:
    """One window of a column's history; scores in the unit of the column's metric.

    `ratio` is how far it was on the way to drift, 1 at the limit. Where `level` is a number, reference windows judged:
    there was no threshold, and `detectable` is the smallest score that would have stood out from them.
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
    """One column (of one segment) as the report tells it.

    Parameters
    ----------
    name, segment : str
        Its name; the segment's, "" for all rows.
    verdict : Verdict
        What became of it; `message` says why.
    code : str
        The reason as a stable name for programs.
    message : str
        One line for a person.
    kind : str or None
        `number`, `string`, ...; None where it could not be counted.
    metric : str or None
        The divergence; None where there is no score.
    base : float or None
        Base of its logarithm: with the metric it says the unit.
    score, noise_floor, p_value : float or None
        The divergence, what unchanged data would give, and how often that is as large.
    interval : tuple of float, or None
        95 % interval of the divergence, noise taken out.
    threshold : Threshold or None
        What the score was held against; None where what reference windows taught judged.
    level : float or None
        The p-value below which it is drift, where that judged.
    reference_windows : int or None
        Windows behind the p-value and the noise; None where they follow from the two samples alone.
    detectable : float or None
        The smallest score that would stand out from the noise.
    ratio : float or None
        How far it is on the way to drift: 1 at the limit.
    window : timedelta or None
        Length of a window: it turns a p-value into "once in 9 years".
    missing_reference, missing_live : float or None
        Share of rows without a value, 0 to 1; None where it is not known.
    bins : tuple of Bin
        Counts of both sides, special bins included.
    explanation : str
        Which bins moved.
    history : tuple of Point
        Its newest windows, oldest first.
    """

    name: str
    verdict: Verdict
    code: str
    message: str
    segment: str = ""
    kind: str | None = None
    metric: str | None = None
    base: float | None = None
    score: float | None = None
    noise_floor: float | None = None
    p_value: float | None = None
    interval: tuple[float, float] | None = None
    threshold: Threshold | None = None
    level: float | None = None
    reference_windows: int | None = None
    detectable: float | None = None
    ratio: float | None = None
    window: timedelta | None = None
    missing_reference: float | None = None
    missing_live: float | None = None
    bins: tuple[Bin, ...] = ()
    explanation: str = ""
    history: tuple[Point, ...] = ()

    @classmethod
    def from_result(
        cls,
        result: ColumnResult,
        segment: str = "",
        history: Sequence[Point] = (),
        window: timedelta | None = None,
    ) -> "Column":
        """The view of one result of `drift.monitors.comparison`, about a window of that length."""
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
        """The name, with the segment where there is one."""
        return f"{self.name} ({self.segment})" if self.segment else self.name

    @property
    def expected(self) -> str | None:
        """How often reference windows are as strange, ``once in 9 years``; None where they do not tell."""
        if self.reference_windows is None or self.p_value is None or self.window is None:
            return None
        if self.level is None:
            return format_frequency(self.p_value, self.window)
        return format_frequencies(self.p_value, self.level, self.window)[0]

    @property
    def budget(self) -> str | None:
        """How rarely the false-alarm budget asks for, ``once in 3 years``; None where a threshold judged."""
        if self.level is None or self.window is None:
            return None
        return format_frequencies(self.level if self.p_value is None else self.p_value, self.level, self.window)[1]

    @property
    def moved(self) -> tuple[int, ...]:
        """Indices of the bins that carry most of a score that was too high, the largest part first."""
        if self.verdict not in {Verdict.DRIFT, Verdict.WARN}:
            return ()
        least = 0.01 * (self.score or 0.0)
        parts = [(b.contribution, -i) for i, b in enumerate(self.bins) if b.contribution and b.contribution >= least]
        return tuple(-i for _, i in sorted(parts, reverse=True)[:MAX_MOVED_BINS])


def importance(column: Column) -> tuple[int, float, str, str]:
    """Sort key of `drift.monitors.comparison.importance_key`, with the segment last."""
    return -severity(column.verdict), -(column.ratio or 0.0), column.name, column.segment


@dataclass(frozen=True, slots=True)
class Page:
    """A report: everything that is rendered, and nothing of how.

    Parameters
    ----------
    title, subtitle : str
        What it is about.
    metric : str
        The divergence of most columns.
    reference, live : Side
        What was compared.
    columns : tuple of Column
        Sorted by importance, whatever order they came in.
    generated_at : datetime or None
        When, with a time zone; None leaves it unsaid.
    timeline : tuple of Window
        The windows of the columns' histories, oldest first; empty for an ad-hoc comparison.
    window : Window or None
        The window that the verdicts are about.
    older : datetime or None
        Where the newest window begins that is older than those of `timeline`, if one was left out.
    timezone : ZoneInfo
        In which days are named.
    alerts : tuple of mapping
        Those firing, as `Store.alerts` gives them.
    notes : tuple of str
        Warnings to the reader.
    credit : str or None
        Where the data comes from, if its licence wants that said.
    budget : str or None
        How many false alarms the monitor may give, where that judged: ``1 per 90d``.

    Raises
    ------
    InputError
        Where `generated_at` is without time zone.
    """

    title: str
    metric: str
    reference: Side
    live: Side
    columns: tuple[Column, ...]
    subtitle: str = ""
    generated_at: datetime | None = None
    timeline: tuple[Window, ...] = ()
    window: Window | None = None
    older: datetime | None = None
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    alerts: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    credit: str | None = None
    budget: str | None = None

    def __post_init__(self) -> None:
        if self.generated_at is not None:
            if self.generated_at.tzinfo is None:
                raise InputError(f"a report is made at an instant with a time zone; got {self.generated_at}")
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
        """The page of an ad-hoc comparison, from the results of `drift.monitors.comparison.compare_profiles`.

        `reference` and `live` are what to call either side, and its rows.
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
        """The worst column's."""
        return worst([c.verdict for c in self.columns])

    @property
    def learned(self) -> int:
        """Reference windows that were learned from, at most in any column; 0 where none was."""
        return max((c.reference_windows or 0 for c in self.columns), default=0)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """Columns by verdict, the worst first; verdicts that none has are left out."""
        found = Counter(c.verdict for c in self.columns)
        return {v: found[v] for v in sorted(found, key=severity, reverse=True)}

    def column(self, name: str, segment: str = "") -> Column:
        """The column of that name.

        Raises
        ------
        InputError
            Where the page holds none such.
        """
        for column in self.columns:
            if (column.name, column.segment) == (name, segment):
                return column
        known = ", ".join(c.label for c in self.columns[:10])
        where = f" in segment {segment!r}" if segment else ""
        raise InputError(f"the report holds no column {name!r}{where}; it holds {known or 'none'}")


def _missing(side: Histogram | None) -> float | None:
    return side.missing / side.rows if side is not None and side.rows else None
