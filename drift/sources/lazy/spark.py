"""A table or query in Spark as a source, counted there; through Spark Connect or the session of this process."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any, Final
from zoneinfo import ZoneInfo

import narwhals as nw

from drift.errors import SourceError
from drift.histogram import Axis, Kind, Profile, Uncounted
from drift.monitors.spec import Columns, SparkSource
from drift.monitors.window import Window
from drift.sources.lazy.backends import backend_errors
from drift.sources.lazy.backends.spark import spark_column, spark_functions
from drift.sources.lazy.lazy_table import LazyTable
from drift.sources.lazy.plain_columns import PlainColumn, plain_frame, schema_of
from drift.sources.local_time import first_local_time, instant_of

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Spark:
    """Rows in Spark as a source; see `drift.sources.Source`.

    A method may run several queries: if the rows change while a window is counted, it raises an error.

    Parameters
    ----------
    spec : SparkSource
        Table or query, and the session.
    timestamp : str or None
        Column that assigns rows to windows; None if all rows are one window.
    timezone : ZoneInfo
        Zone of dates and of times without one (TIMESTAMP_NTZ).
    """

    def __init__(self, spec: SparkSource, timestamp: str | None, timezone: ZoneInfo) -> None:
        self.spec = spec
        self.timestamp = timestamp
        self.timezone = timezone
        self._opened: Any = None

    def columns(self) -> list[str]:
        """Return the column names except the timestamp's."""
        return [name for name in schema_of(self._frame()) if name != self.timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        """Return the first and last instant; None if no row has one."""
        return self._extent()[1]

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window and count them, by segment; the key "" holds all rows."""
        return self._rows_in(window).learn_by(names, columns, segments)

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on given axes, by the segments known to the reference."""
        return self._rows_in(window).count_by(axes, segments, known)

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        """Count several windows, one after the other."""
        return [self.count(axes, window, segments, known) for window in windows]

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:  # noqa: ARG002 - part of the protocol
        """Return None: `provenance` contains the number of all rows, which shows late rows."""
        return None

    def provenance(self) -> dict[str, Any]:
        """Return the table or the query's digest, its number of rows and its last instant."""
        rows, span = self._extent()
        source = {"table": self.spec.table}
        if self.spec.query is not None:
            source = {"query": hashlib.sha256(self.spec.query.encode()).hexdigest()[:32]}
        return {**source, "rows": rows, "last": None if span is None else span[1].isoformat()}

    def _frame(self) -> Any:
        if self._opened is None:
            try:
                session = _session(self.spec.remote)
            except ModuleNotFoundError as error:
                raise SourceError(
                    f"Spark is not installed ({error}): pip install 'driftgauge[spark]'", code="dependency-missing"
                ) from error
            with backend_errors(nw.Implementation.PYSPARK_CONNECT if self.spec.remote else nw.Implementation.PYSPARK):
                self._opened = (
                    session.sql(self.spec.query) if self.spec.query is not None else session.table(self.spec.table)
                )
        return self._opened

    def _rows_in(self, window: Window | None) -> LazyTable:
        frame = self._frame()
        if window is None or self.timestamp is None:
            return LazyTable(frame)
        f = spark_functions(frame)
        column = spark_column(frame, self.timestamp)
        start, end = (self._limit(f, instant) for instant in (window.start, window.end))
        return LazyTable(frame.where((column >= start) & (column < end)))

    def _limit(self, f: Any, instant: datetime) -> Any:
        """Return the least value of the timestamp column's type that is not before an instant, as a constant."""
        dtype = self._timestamp_type()
        if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
            return f.timestamp_micros(f.lit((instant - _EPOCH) // _MICROSECOND))
        local = first_local_time(instant, self.timezone)
        if isinstance(dtype, nw.Datetime):
            return f.lit(local.isoformat(" ")).cast("timestamp_ntz")
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        day = midnight if midnight == local else midnight + timedelta(days=1)
        return f.lit(day.date().isoformat()).cast("date")

    def _timestamp_type(self) -> Any:
        """Return the Narwhals type of the timestamp column."""
        schema, name = schema_of(self._frame()), str(self.timestamp)
        if name not in schema:
            raise SourceError(
                f"no timestamp column {name!r}; there are {', '.join(schema) or 'none'}", code="timestamp-missing"
            )
        if not isinstance(schema[name], nw.Datetime | nw.Date):
            times = [n for n, dtype in schema.items() if isinstance(dtype, nw.Datetime | nw.Date)]
            raise SourceError(
                f"timestamp column {name!r} holds {schema[name]} values; expected dates or times: convert it in a "
                f"query; columns of dates or times: {', '.join(times) or 'none'}",
                code="timestamp-invalid",
            )
        return schema[name]

    def _extent(self) -> tuple[int, tuple[datetime, datetime] | None]:
        """Return the number of rows, and the first and last instant."""
        if self.timestamp is None:
            table = plain_frame(self._frame(), [])
            return int(table.fetch(table.frame.select(nw.len().alias("n")))["n"][0].as_py()), None
        name, dtype = self.timestamp, self._timestamp_type()
        table = plain_frame(self._frame(), [name])
        column = table.columns[name]
        if isinstance(column, Uncounted) or column.kind is not Kind.DATETIME:
            raise SourceError(
                f"timestamp column {name!r} holds {dtype} values; expected dates or times", code="timestamp-invalid"
            )
        ticks = nw.col(column.alias)
        row = table.fetch(table.frame.select(nw.len().alias("n"), ticks.min().alias("a"), ticks.max().alias("z")))
        n_rows, first, last = (row[key][0].as_py() for key in ("n", "a", "z"))
        if first is None:
            return int(n_rows), None
        return int(n_rows), (self._instant(first, column, dtype), self._instant(last, column, dtype))

    def _instant(self, ticks: int, column: PlainColumn, dtype: Any) -> datetime:
        try:
            instant = _EPOCH + timedelta(microseconds=int(ticks * (column.step or 1) / 1000))
        except OverflowError as error:
            raise SourceError(
                f"timestamp column {self.timestamp!r} holds instants beyond the year 9999", code="timestamp-invalid"
            ) from error
        if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
            return instant
        return instant_of(instant.replace(tzinfo=None), self.timezone)


def _session(remote: str | None) -> Any:
    if find_spec("pyspark") is None:
        raise SourceError(
            "Spark sources need PySpark: pip install 'driftgauge[spark]', and Java 17", code="dependency-missing"
        )
    if remote is None:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - optional, and slow to load

        return SparkSession.builder.getOrCreate()
    from pyspark.sql.connect.session import SparkSession as ConnectSession  # noqa: PLC0415 - optional, and slow to load

    with backend_errors(nw.Implementation.PYSPARK_CONNECT):
        return ConnectSession.builder.remote(remote).create()
