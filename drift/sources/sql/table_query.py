"""The rows of a table or query, and those of a window: the bare timestamp column is compared, to use its index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from drift.errors import SourceError
from drift.histogram import Kind
from drift.monitors.spec import SqlSource
from drift.monitors.window import Window
from drift.sources.frames.table import require_unique
from drift.sources.local_time import first_local_time
from drift.sources.sql.generic import generic_types
from drift.sources.sql.postgres import postgres_types
from drift.sources.sql.sqlite import TimeFormat, sqlite_types
from drift.sources.sql.types import SqlExpression, SqlType, count_of

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VIEW: Final = "drift rows"


@dataclass(frozen=True, slots=True)
class TableQuery:
    """A table or query, on one connection in a snapshot."""

    connection: sa.Connection
    rows: sa.FromClause  # the table, or the query as a subquery
    names: list[str]  # of its columns, in order
    timestamp: str | None  # the column that assigns rows to windows
    timezone: ZoneInfo  # of times without one

    def rows_in(self, window: Window | None) -> sa.Select[Any]:
        """Select the rows of a window; those without a timestamp belong to none.

        Raises
        ------
        SourceError
            If the timestamp column does not exist or holds no dates or times.
        """
        if window is None or self.timestamp is None:
            return self._select_all()
        x = self.rows.c[self._timestamp_name()]
        if self.connection.dialect.name == "sqlite":
            return self._sqlite_rows_in(x, window)
        start, end = self._literals((window.start, window.end))
        return self._select_all().where(x >= start, x < end)

    def comparable_edges(self, instants: Sequence[datetime]) -> tuple[SqlExpression, list[SqlExpression]] | None:
        """Return the timestamp and some instants in a comparable form; None if no row has a timestamp.

        Raises as `rows_in`, but the format of single rows is not checked.
        """
        x = self.rows.c[self._timestamp_name()]
        if self.connection.dialect.name != "sqlite":
            return x, self._literals(instants)
        if (time_format := self._time_format(x)) is None:
            return None
        texts = [time_format.write(self._nanoseconds(instant, time_format)) for instant in instants]
        return _comparable(time_format, x, texts), [sa.literal(text) for text in texts]

    def span(self) -> tuple[datetime, datetime] | None:
        """Return the first and last instant; None if no row has one."""
        if self.timestamp is None:
            return None
        x = self.rows.c[self._timestamp_name()]
        if self.connection.dialect.name == "sqlite":
            self._time_format(x)
        first, last = self.connection.execute(sa.select(sa.func.min(x), sa.func.max(x))).one()
        return None if first is None else (self._instant(first), self._instant(last))

    def column_types(self, rows: sa.Select[Any], names: Sequence[str]) -> dict[str, SqlType]:
        """Return the types of some existing columns."""
        match self.connection.dialect.name:
            case "postgresql":
                return postgres_types(self.connection, self.rows, names)
            case "sqlite":
                return sqlite_types(self.connection, rows, self.rows, names, self._declared_types())
            case _:
                return generic_types(self.connection, self.rows, names)

    def _select_all(self) -> sa.Select[Any]:
        # FROM is explicit, whatever columns are selected later: count(*) has none.
        return sa.select(self.rows).select_from(self.rows)

    def _timestamp_name(self) -> str:
        if self.timestamp not in self.names:
            columns = ", ".join(self.names) or "none"
            raise SourceError(f"no timestamp column {self.timestamp!r}; there are {columns}", code="timestamp-missing")
        return self.timestamp

    def _literals(self, instants: Sequence[datetime]) -> list[SqlExpression]:
        """Convert instants to values of the timestamp column: instants, local times or days."""
        name = self._timestamp_name()
        type_ = self.column_types(self._select_all(), [name])[name]
        if type_.kind is Kind.EMPTY:
            return [sa.literal(instant, sa.DateTime(timezone=True)) for instant in instants]
        if type_.kind is not Kind.DATETIME:
            reason = type_.message or f"it holds {type_.kind.value if type_.kind else 'other'} values"
            raise self._invalid(f": expected dates or times; {reason}")
        example = type_.bound(0) if type_.bound is not None else False
        sql_type = example.type if not isinstance(example, bool) else sa.DateTime()
        return [self._literal(instant, sql_type) for instant in instants]

    def _literal(self, instant: datetime, sql_type: Any) -> SqlExpression:
        local = first_local_time(instant, self.timezone)
        if isinstance(sql_type, sa.Date):
            day = local.date() + timedelta(days=local.time() != local.time().min)
            return sa.literal(day, sa.Date())
        zoned = isinstance(sql_type, sa.DateTime) and sql_type.timezone
        return sa.literal(instant if zoned else local, sa.DateTime(timezone=zoned))

    def _sqlite_rows_in(self, x: SqlExpression, window: Window) -> sa.Select[Any]:
        time_format = self._time_format(x)
        if time_format is None:
            return self._select_all().where(x.is_not(None), sa.literal(1) == sa.literal(0))
        start, end = (time_format.write(self._nanoseconds(edge, time_format)) for edge in (window.start, window.end))
        comparable = _comparable(time_format, x, (start, end))
        conditions = [comparable >= start] if start else []
        conditions += [comparable < end] if end else []
        rows = self._select_all().where(*conditions)
        is_odd = sa.not_(time_format.matches(x))
        if odd := self.connection.execute(rows.with_only_columns(count_of(is_odd))).scalar_one():
            raise self._invalid(f": {odd} rows of {window} are not ISO 8601 of one format")
        return rows

    def _nanoseconds(self, instant: datetime, time_format: TimeFormat) -> int:
        if not time_format.zone:
            instant = first_local_time(instant, self.timezone).replace(tzinfo=UTC)
        return (instant - _EPOCH) // timedelta(microseconds=1) * 1000

    def _time_format(self, x: SqlExpression) -> TimeFormat | None:
        """Return the format of the timestamps in a SQLite database; None if there are none."""
        low, high = sa.func.min(x), sa.func.max(x)
        extremes = sa.select(sa.func.typeof(low), sa.func.typeof(high), low, high)
        lowest_type, highest_type, first, last = self.connection.execute(extremes).one()
        if first is None:
            return None
        if (lowest_type, highest_type) != ("text", "text"):  # numbers sort below texts, and blobs above
            raise self._invalid(
                f" holds {lowest_type} values; expected text in ISO 8601: write a query that converts them, with "
                "strftime('%Y-%m-%d %H:%M:%f', ts, 'unixepoch') or the like"
            )
        time_format = TimeFormat.of(last)
        for value in (first, last):
            if not self.connection.execute(sa.select(time_format.matches(sa.literal(value)))).scalar_one():
                raise self._invalid(
                    f" holds {value!r}; expected text in ISO 8601, all of one format: 2024-03-01, 2024-03-01 06:00:00, "
                    "2024-03-01T06:00:00.5Z (a blank or T, UTC or local)"
                )
        return time_format

    def _instant(self, value: Any) -> datetime:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError as error:
                raise self._invalid(f" holds {value!r}, which is no instant: {error}") from error
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local
        if not isinstance(value, datetime):
            raise self._invalid(f" holds {value!r}; expected dates or times")
        return (value if value.tzinfo else value.replace(tzinfo=self.timezone)).astimezone(UTC)

    def _invalid(self, problem: str) -> SourceError:
        return SourceError(f"timestamp column {self.timestamp!r}{problem}", code="timestamp-invalid")

    def _declared_types(self) -> dict[str, str]:
        rows = sa.select(sa.func.pragma_table_xinfo(_VIEW).table_valued("name", "type"))
        return {str(name): str(type_) for name, type_ in self.connection.execute(rows)}


def _comparable(time_format: TimeFormat, x: SqlExpression, edges: Sequence[str | None]) -> SqlExpression:
    """Return the part of a text that is compared with edges.

    A Z sorts above the digits of a fraction, so it must be cut off if an edge has seconds; then no index can be used.
    """
    exact = time_format.zone != "Z" or all(len(edge or "") <= 16 for edge in edges)
    return x if exact else time_format.without_zone(x)


def open_table_query(
    connection: sa.Connection, spec: SqlSource, timestamp: str | None, timezone: ZoneInfo
) -> TableQuery:
    """Return the table or query of a source.

    Raises
    ------
    SourceError
        If two of its columns have the same name.
    """
    if connection.dialect.name == "sqlite":
        _create_view(connection, spec)
        names = _column_names(connection, sa.table(_VIEW))
        return TableQuery(connection, sa.table(_VIEW, *_columns(names)), names, timestamp, timezone)
    if spec.query is not None:
        names = _column_names(connection, _text(spec.query).columns().subquery("q"))
        rows: sa.FromClause = _text(spec.query).columns(*_columns(names)).subquery("q")
    else:
        schema, name = _split_schema(spec.table or "")
        names = _column_names(connection, sa.table(name, schema=schema))
        rows = sa.table(name, *_columns(names), schema=schema)
    return TableQuery(connection, rows, names, timestamp, timezone)


def _create_view(connection: sa.Connection, spec: SqlSource) -> None:
    """Create a temporary view of the rows: SQLite knows the declared types of tables and views only."""
    if spec.query is not None:
        rows = spec.query.strip().rstrip(";")
    else:
        schema, name = _split_schema(spec.table or "")
        statement: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(sa.table(name, schema=schema))
        rows = str(statement.compile(dialect=connection.dialect))
    quoted = connection.dialect.identifier_preparer.quote(_VIEW)
    connection.exec_driver_sql(f"CREATE TEMP VIEW {quoted} AS {rows}")
    connection.exec_driver_sql("PRAGMA query_only = ON")


def _text(query: str) -> sa.TextClause:
    # A colon is a colon: nothing in the user's text is a parameter.
    return sa.text(query.strip().rstrip(";").replace(":", "\\:"))


def _split_schema(name: str) -> tuple[str | None, str]:
    schema, dot, rest = name.partition(".")
    return (schema, rest) if dot else (None, name)


def _columns(names: Sequence[str]) -> list[sa.ColumnClause[Any]]:
    # Always quoted, in the database's spelling: which words are reserved differs from version to version.
    return [sa.column(sa.quoted_name(name, quote=True)) for name in names]


def _column_names(connection: sa.Connection, rows: sa.FromClause) -> list[str]:
    statement: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(rows).where(sa.false())
    with connection.execute(statement) as result:
        return require_unique([str(description[0]) for description in result.cursor.description or ()])
