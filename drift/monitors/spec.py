"""Monitors as configured: source, columns, reference, windows, schedule and rules. Values only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from drift.histogram.binning import Bins
from drift.monitors.verdict import Threshold, Verdict, default_threshold
from drift.monitors.window import Period, Window
from drift.stats.false_alarm_budget import Budget
from drift.stats.scoring import Method

WEEK: Final = timedelta(weeks=1)
MAX_SHORT_SEASON: Final = 13 * WEEK
"""Longest season with a reference from earlier seasons; a longer one uses weeks around the same time."""
_INDEX: Final = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How one column is binned, scored and judged.

    Parameters
    ----------
    bins : Bins
        How the axis is chosen from the reference.
    method : Method
        Metric, smoothing, base.
    limit : Threshold or None
        The user's threshold; None is `auto`.
    """

    bins: Bins = field(default_factory=Bins)
    method: Method = field(default_factory=Method)
    limit: Threshold | None = None

    @property
    def threshold(self) -> Threshold:
        """The threshold: the user's, or the default of the metric."""
        return self.limit or default_threshold(self.method.metric)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to monitor, and the rule of each: its own in `overrides`, else `default`.

    Only those in `include` (None: all), without those in `exclude`.
    """

    default: ColumnRule = field(default_factory=ColumnRule)
    overrides: Mapping[str, ColumnRule] = field(default_factory=dict)
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()

    def rule(self, column: str) -> ColumnRule:
        """Return the rule of one column."""
        return self.overrides.get(column, self.default)

    def watched(self, available: list[str]) -> list[str]:
        """Return the columns to monitor, in the order of those available; named ones even if they are missing.

        The unnamed index that pandas writes into Parquet numbers the rows: it is monitored only if named.
        """
        named = list(self.include) if self.include is not None else [c for c in available if not _INDEX.fullmatch(c)]
        named = [*named, *(c for c in self.overrides if c not in named)]
        return [c for c in named if c not in self.exclude]


class SourceSpec:
    """Base of the specifications of rows, one class for each engine. As text it is safe to show: without secrets."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FileSource(SourceSpec):
    """Files by path or glob; relative to the folder of the configuration."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class SqlSource(SourceSpec):
    """A table, or the rows of a query, in a database that SQLAlchemy supports; counted there.

    `url` may hold a password, so it is never shown. `table` is ``name`` or ``schema.name``; `query` is a SELECT,
    instead of a table. `timeout` is the limit of one statement; None for no limit.
    """

    url: str = field(repr=False)
    table: str | None = None
    query: str | None = None
    timeout: timedelta | None = None

    def __str__(self) -> str:
        return f"SQL table {self.table}" if self.table else "SQL query"


@dataclass(frozen=True, slots=True)
class SparkSource(SourceSpec):
    """A table, or the rows of a query, in Spark; counted there.

    `table` is ``db.table``; `query` is a SELECT, instead of a table. `remote` is a Spark Connect address
    (``sc://host:15002``); None is the session of this process.
    """

    table: str | None = None
    query: str | None = None
    remote: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"Spark table {self.table}" if self.table else "Spark query"


@dataclass(frozen=True, slots=True)
class Reference:
    """The data that windows are compared with, one of four kinds."""

    window: Window | None = None  # a range of the monitor's own source
    path: str | None = None  # a separate file
    rolling: timedelta | None = None  # the windows of this much time before the window that is evaluated
    seasonal: timedelta | None = None  # windows of whole weeks ago: the same hour of the week
    # Number of seasonal windows. With a season up to a quarter of a year: one from each of as many seasons; with a
    # longer one: as many weeks around the same time, in the newest season that there is.
    windows: int = 3

    @property
    def moves(self) -> bool:
        """Whether the reference moves with the windows: it is made of earlier evaluated windows."""
        return self.rolling is not None or self.seasonal is not None


@dataclass(frozen=True, slots=True)
class Alerting:
    """When a monitor alerts, and where notifications go.

    `for_windows` and `keep_firing_for` are those of `drift.monitors.alert_state.AlertRule`; `verdicts` are those that
    alert. `notify` has names of channels. Every notification has the `labels` and a link to the `runbook`; with `page`,
    the address of `drift serve`, also one to the page of the monitor there.
    """

    for_windows: int = 1
    keep_firing_for: int = 0
    notify: tuple[str, ...] = ()
    verdicts: frozenset[Verdict] = frozenset({Verdict.DRIFT, Verdict.SCHEMA_ERROR, Verdict.NO_DATA, Verdict.ERROR})
    labels: Mapping[str, str] = field(default_factory=dict)
    runbook: str | None = None
    page: str | None = None


@dataclass(frozen=True, slots=True)
class Monitor:
    """One monitor, as configured."""

    name: str
    source: SourceSpec
    # The column that assigns a row to a window. Instants without a time zone are wall-clock time in `timezone`.
    timestamp: str
    reference: Reference
    timezone: ZoneInfo  # time zone of calendar days and of the schedule
    period: Period  # length of a window
    schedule: str | None = None  # a cron line; None evaluates a window as soon as it is ready
    delay: timedelta = timedelta(0)  # time to wait for late rows
    deadline: timedelta = timedelta(hours=1)  # time limit of counting one window, or of reading the reference
    # Time after its end during which a window is re-checked if the source has changed
    lookback: timedelta = timedelta(0)
    catch_up: timedelta | None = None  # windows due longer ago are skipped; None skips none
    keep: timedelta | None = None  # retention of histograms and scores, from the start of a window; None keeps all
    columns: Columns = field(default_factory=Columns)
    segments: tuple[str, ...] = ()  # columns whose values split the rows into segments
    alerting: Alerting = field(default_factory=Alerting)
    # False-alarm budget of the whole monitor. It applies to columns without a threshold, if the reference has enough
    # windows.
    budget: Budget = field(default_factory=Budget)
    # start, end: the first window contains `start` (default: the end of the reference, else the first row of the
    # source); windows that end after `end` are not evaluated
    start: datetime | None = None
    end: datetime | None = None
    # The monitor as written, without secrets: the definition in the store
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rolling_windows(self) -> int:
        """Number of windows of a rolling reference."""
        return max(2, (self.reference.rolling or timedelta(0)) // self.period.length)

    def reference_range(self, span: tuple[datetime, datetime] | None) -> Window | None:
        """Return the range of the source to freeze as reference; None for a file, or if no row is known.

        A reference that moves begins with whole windows: before `start` if that is given, else at the first row. `span`
        is the first and the last instant in the source.
        """
        if not self.reference.moves:
            return self.reference.window
        length = self.reference_lookback
        if self.start is not None:
            end = self.period.window_at(self.start, self.timezone).start
            return Window(self.period.window_at(end - length, self.timezone).start, end)
        if span is None:
            return None
        begin = self.period.window_at(span[0], self.timezone).start
        last = self.period.window_at(begin + length, self.timezone)
        return Window(begin, last.start if last.start - begin >= length else last.end)

    @property
    def reference_lookback(self) -> timedelta:
        """How far back a reference that moves reaches."""
        reference = self.reference
        if reference.rolling is not None:
            return reference.rolling
        season = reference.seasonal or WEEK
        return season * reference.windows if season <= MAX_SHORT_SEASON else season + WEEK * (reference.windows // 2)
