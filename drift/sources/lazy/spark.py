"""A table or query in Spark, by Spark Connect or the session of this process; counted there."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any, Final
from zoneinfo import ZoneInfo

import narwhals as nw

from drift.errors import SourceError
from drift.histogram import Axis, Kind, Profile, Uncounted
from drift.monitors.spec import Columns, SparkSource
from drift.monitors.window import Window
from drift.sources.lazy import LazyTable
from drift.sources.lazy.backends import reading
from drift.sources.lazy.backends.spark import spark_column, spark_functions
from drift.sources.lazy.plain_columns import ColumnForm, plain, schema_of

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def open_spark(spec: SparkSource, timestamp: str | None, timezone: ZoneInfo) -> "Spark":
    """A source of rows in Spark; nothing is asked of it yet.

    Parameters
    ----------
    spec : SparkSource
        Which rows, and where.
    timestamp : str or None
        The column that places rows in windows; None where all rows are one window.
    timezone : ZoneInfo
        Of dates and of times without a zone (TIMESTAMP_NTZ).
    """
    return Spark(spec, timestamp, timezone)


class Spark:
    """A source in Spark; see `drift.sources.Source`.

    Every question is a query of its own: rows that change while a window is counted end it with an error.
    """

    def __init__(self, spec: SparkSource, timestamp: str | None, timezone: ZoneInfo) -> None:
        self.spec = spec
        self.timestamp = timestamp
        self.timezone = timezone
        self._opened: Any = None

    def columns(self) -> list[str]:
        """Names of the columns, the timestamp's excepted."""
        return [name for name in schema_of(self._frame()) if name != self.timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last instant; None where no row has one."""
        return self._extent()[1]

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window, and count them; by segment, "" is all rows."""
        return self._rows(window).learn_by(names, columns, segments)

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on axes chosen before, by the segments known to the reference."""
        return self._rows(window).count_by(axes, segments, known)

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        """Count each of several windows, one after the other."""
        return [self.count(axes, window, segments, known) for window in windows]

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:  # noqa: ARG002 - of the interface
        """None: the number of all rows, which `provenance` asks for, tells whether any came."""
        return None

    def provenance(self) -> dict[str, Any]:
        """What is read: the table or the query's digest, its rows and its last instant."""
        rows, span = self._extent()
        what = {"table": self.spec.table}
        if self.spec.query is not None:
            what = {"query": hashlib.sha256(self.spec.query.encode()).hexdigest()[:32]}
        return {**what, "rows": rows, "last": None if span is None else span[1].isoformat()}

    def _frame(self) -> Any:
        if self._opened is None:
            try:
                session = _session(self.spec.remote)
            except ModuleNotFoundError as error:
                raise SourceError(f"Spark is not installed ({error}): pip install 'driftgauge[spark]'") from error
            with reading(nw.Implementation.PYSPARK_CONNECT if self.spec.remote else nw.Implementation.PYSPARK):
                self._opened = (
                    session.sql(self.spec.query) if self.spec.query is not None else session.table(self.spec.table)
                )
        return self._opened

    def _rows(self, window: Window | None) -> LazyTable:
        frame = self._frame()
        if window is None or self.timestamp is None:
            return LazyTable(frame)
        make = spark_functions(frame)
        column = spark_column(frame, self.timestamp)
        start, end = (self._limit(make, moment) for moment in (window.start, window.end))
        return LazyTable(frame.where((column >= start) & (column < end)))

    def _limit(self, make: Any, moment: datetime) -> Any:
        """The least value of the timestamp column's own type that is not before a moment, as a constant."""
        dtype = self._instants()[1]
        if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
            return make.timestamp_micros(make.lit((moment - _EPOCH) // _MICROSECOND))
        wall = wall_clock(moment, self.timezone)
        if isinstance(dtype, nw.Datetime):
            return make.lit(wall.isoformat(" ")).cast("timestamp_ntz")
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        day = midnight if midnight == wall else midnight + timedelta(days=1)
        return make.lit(day.date().isoformat()).cast("date")

    def _instants(self) -> tuple[str, Any]:
        """Name and type of the timestamp column."""
        schema, name = schema_of(self._frame()), str(self.timestamp)
        if name not in schema:
            raise SourceError(f"no timestamp column {name!r}; there are {', '.join(schema) or 'none'}")
        if not isinstance(schema[name], nw.Datetime | nw.Date):
            times = [n for n, dtype in schema.items() if isinstance(dtype, nw.Datetime | nw.Date)]
            raise SourceError(
                f"timestamp column {name!r} holds {schema[name]} values; expected dates or times (cast it in a "
                f"query); columns of dates or times: {', '.join(times) or 'none'}"
            )
        return name, schema[name]

    def _extent(self) -> tuple[int, tuple[datetime, datetime] | None]:
        """The number of rows, and the first and last instant."""
        if self.timestamp is None:
            table = plain(self._frame(), [])
            return int(table.fetch(table.frame.select(nw.len().alias("n")))["n"][0].as_py()), None
        name, dtype = self._instants()
        table = plain(self._frame(), [name])
        form = table.forms[name]
        if isinstance(form, Uncounted) or form.kind is not Kind.DATETIME:
            raise SourceError(f"timestamp column {name!r} holds {dtype} values; expected dates or times")
        ticks = nw.col(form.alias)
        row = table.fetch(table.frame.select(nw.len().alias("n"), ticks.min().alias("a"), ticks.max().alias("z")))
        n, first, last = (row[key][0].as_py() for key in ("n", "a", "z"))
        if first is None:
            return int(n), None
        return int(n), (self._moment(first, form, dtype), self._moment(last, form, dtype))

    def _moment(self, ticks: int, form: ColumnForm, dtype: Any) -> datetime:
        try:
            moment = _EPOCH + timedelta(microseconds=int(ticks * (form.step or 1) / 1000))
        except OverflowError as error:
            raise SourceError(f"timestamp column {self.timestamp!r} holds instants beyond the year 9999") from error
        if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
            return moment
        return instant(moment.replace(tzinfo=None), self.timezone)


def _session(remote: str | None) -> Any:
    if find_spec("pyspark") is None:
        raise SourceError("Spark sources need PySpark: pip install 'driftgauge[spark]', and Java 17")
    if remote is None:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - optional, and slow to load

        return SparkSession.builder.getOrCreate()
    from pyspark.sql.connect.session import SparkSession as Connected  # noqa: PLC0415 - optional, and slow to load

    with reading(nw.Implementation.PYSPARK_CONNECT):
        return Connected.builder.remote(remote).create()


def wall_clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """The first wall-clock time that is not before a moment, as `instant` places it."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    day = timedelta(days=1)
    return _first(local - day, local + day, lambda wall: instant(wall, zone) >= moment)


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When a wall clock showed that: the earlier of two instants; of none, the moment clocks were set forward."""
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()
    return _first(before, found, lambda moment: moment.astimezone(zone).utcoffset() != offset)


def _first(low: datetime, high: datetime, holds: Callable[[datetime], bool]) -> datetime:
    """The first microsecond after `low` from which on something holds; it does at `high`."""
    while high - low > _MICROSECOND:
        middle = low + (high - low) // 2 // _MICROSECOND * _MICROSECOND
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
