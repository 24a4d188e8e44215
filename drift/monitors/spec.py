"""What is watched: a named source + columns + reference + window + schedule + rules. Values only."""

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
"""Of a season up to so long, earlier seasons are the reference; of a longer one, weeks about the same time."""
_INDEX: Final = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How one column is cut, scored and judged.

    Parameters
    ----------
    bins : Bins
        How its axis is chosen from the reference.
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
        """The threshold that judges: the user's, or the metric's customary one."""
        return self.limit or default_threshold(self.method.metric)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are watched, and by which rule each.

    Parameters
    ----------
    default : ColumnRule
        The rule of every column without one of its own.
    overrides : mapping of str to ColumnRule
        Rules of single columns.
    include : tuple of str, or None
        Only these columns; None is every one.
    exclude : tuple of str
        Never these.
    """

    default: ColumnRule = field(default_factory=ColumnRule)
    overrides: Mapping[str, ColumnRule] = field(default_factory=dict)
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()

    def rule(self, column: str) -> ColumnRule:
        """The rule of one column."""
        return self.overrides.get(column, self.default)

    def watched(self, available: list[str]) -> list[str]:
        """The columns to watch out of those available, in their order; named ones always, even if gone.

        The index without a name that pandas writes into Parquet numbers the rows: it is watched only if named.
        """
        named = list(self.include) if self.include is not None else [c for c in available if not _INDEX.fullmatch(c)]
        named = [*named, *(c for c in self.overrides if c not in named)]
        return [c for c in named if c not in self.exclude]


class SourceSpec:
    """Base of the specifications of rows, one class for each engine. As text it is safe to show: without secrets."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FileSource(SourceSpec):
    """Files by path or glob; relative ones from the configuration's folder."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class SqlSource(SourceSpec):
    """A table, or the rows of a query, in a database that SQLAlchemy reaches; counted there.

    Parameters
    ----------
    url : str
        Where; holds a password, so it is never shown.
    table : str or None
        ``name`` or ``schema.name``.
    query : str or None
        A SELECT, instead of a table.
    timeout : timedelta or None
        How long one statement may take; None is as long as it needs.
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

    Parameters
    ----------
    table : str or None
        ``db.table``.
    query : str or None
        A SELECT, instead of a table.
    remote : str or None
        A Spark Connect address (``sc://host:15002``); None is the session of this process.
    """

    table: str | None = None
    query: str | None = None
    remote: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"Spark table {self.table}" if self.table else "Spark query"


@dataclass(frozen=True, slots=True)
class Reference:
    """The distribution held against, one of four kinds.

    Parameters
    ----------
    window : Window or None
        A stretch of the monitor's own source.
    path : str or None
        A file of its own.
    rolling : timedelta or None
        The newest windows of so much time before the one that is checked.
    seasonal : timedelta or None
        Windows of so long ago, whole weeks: the same hour of the week.
    windows : int
        How many of these. Of a season up to a quarter of a year, of as many seasons; of a longer one, as many weeks
        about the same time, in the newest season that there is.
    """

    window: Window | None = None
    path: str | None = None
    rolling: timedelta | None = None
    seasonal: timedelta | None = None
    windows: int = 3

    @property
    def moves(self) -> bool:
        """Whether it moves with the windows: taken from what was checked before."""
        return self.rolling is not None or self.seasonal is not None


@dataclass(frozen=True, slots=True)
class Alerting:
    """What becomes of bad verdicts.

    Parameters
    ----------
    for_windows, keep_firing_for : int
        See `drift.monitors.alert_state.AlertRule`.
    notify : tuple of str
        Names of channels.
    verdicts : frozenset of Verdict
        Which verdicts alert at all.
    labels : mapping of str to str
        Sent along.
    runbook : str or None
        A link sent along.
    page : str or None
        Where `drift serve` is reached; messages link to the monitor's page there.
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
    """One monitor, as configured.

    Parameters
    ----------
    name : str
        Its name in the configuration.
    source : SourceSpec
        Where the rows are.
    timestamp : str
        The column that places a row in a window. Instants without a time zone are wall-clock time of
        `timezone`.
    timezone : ZoneInfo
        Of calendar days and of the schedule.
    period : Period
        Length of a window.
    schedule : str or None
        A cron line; None checks a window as soon as it is ready.
    delay : timedelta
        How long late rows are waited for.
    deadline : timedelta
        How long counting one window may take, or reading the reference.
    lookback : timedelta
        How long after its end a window is looked at again, whenever the source has changed.
    catch_up : timedelta or None
        Windows whose turn is longer ago are skipped; None checks every one, however late.
    keep : timedelta or None
        How long histograms and scores are kept, counted from a window's start; None keeps them all.
    reference : Reference
        What is held against.
    columns : Columns
        Which columns, by which rules.
    segments : tuple of str
        Columns whose values split the rows.
    alerting : Alerting
        What becomes of bad verdicts.
    budget : Budget
        How rarely an alarm may come where nothing changed, over the whole monitor; where no limit is named and
        the reference holds windows enough.
    start, end : datetime or None
        The first window watched holds `start` (default: the reference's end, else the source's first
        row); windows that end after `end` are not watched.
    document : mapping
        The monitor as written, secrets not filled in: what the store keeps as its definition.
    """

    name: str
    source: SourceSpec
    timestamp: str
    reference: Reference
    timezone: ZoneInfo
    period: Period
    schedule: str | None = None
    delay: timedelta = timedelta(0)
    deadline: timedelta = timedelta(hours=1)
    lookback: timedelta = timedelta(0)
    catch_up: timedelta | None = None
    keep: timedelta | None = None
    columns: Columns = field(default_factory=Columns)
    segments: tuple[str, ...] = ()
    alerting: Alerting = field(default_factory=Alerting)
    budget: Budget = field(default_factory=Budget)
    start: datetime | None = None
    end: datetime | None = None
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rolling_windows(self) -> int:
        """How many windows a rolling reference holds."""
        return max(2, (self.reference.rolling or timedelta(0)) // self.period.length)

    def stretch(self, span: tuple[datetime, datetime] | None) -> Window | None:
        """The stretch of the source that the reference is frozen from; None where it is a file, or no row is known.

        One that moves begins with whole windows: before `start` where that is given, else at the first row.

        Parameters
        ----------
        span : tuple of datetime, or None
            First and last instant of the source.
        """
        if not self.reference.moves:
            return self.reference.window
        if self.start is None and span is None:
            return None
        length = self.memory
        if self.start is not None:
            end = self.period.window_at(self.start, self.timezone).start
            return Window(self.period.window_at(end - length, self.timezone).start, end)
        begin = self.period.window_at(span[0], self.timezone).start if span else None
        assert begin is not None  # noqa: S101 - for the type checker; one of the two is known
        last = self.period.window_at(begin + length, self.timezone)
        return Window(begin, last.start if last.start - begin >= length else last.end)

    @property
    def memory(self) -> timedelta:
        """How far back a reference that moves looks."""
        reference = self.reference
        if reference.rolling is not None:
            return reference.rolling
        season = reference.seasonal or WEEK
        return season * reference.windows if season <= MAX_SHORT_SEASON else season + WEEK * (reference.windows // 2)
