"""The rows of a table or query, and those of a window: found by comparing the bare column, so that an index serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnClause,
    Connection,
    Date,
    DateTime,
    FromClause,
    Select,
    TextClause,
    column,
    false,
    func,
    literal,
    literal_column,
    not_,
    quoted_name,
    select,
    table,
    text,
)

from drift.errors import SourceError
from drift.histogram import Kind
from drift.monitors.spec import SqlSource
from drift.monitors.window import Window
from drift.sources.frames.table import distinct
from drift.sources.sql import generic, postgres, sqlite
from drift.sources.sql.types import SqlExpression, SqlType, count_of
from drift.sources.sql.wall_clock import wall_clock

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VIEW: Final = "drift rows"


@dataclass(frozen=True, slots=True)
class TableQuery:
    """A table or query, on one connection.

    Parameters
    ----------
    connection : Connection
        In a snapshot.
    rows : FromClause
        The table, or the query as a subquery.
    names : list of str
        Its columns, in order.
    timestamp : str or None
        The one that places rows in windows.
    timezone : ZoneInfo
        Of times without one.
    """

    connection: Connection
    rows: FromClause
    names: list[str]
    timestamp: str | None
    timezone: ZoneInfo

    def within(self, window: Window | None) -> Select[Any]:
        """The rows of a window; those without a timestamp belong to none.

        Raises
        ------
        SourceError
            Where the timestamp is not there or holds no dates or times.
        """
        if window is None or self.timestamp is None:
            return self._all()
        x = self.rows.c[self._placed()]
        if self.connection.dialect.name == "sqlite":
            return self._within_texts(x, window)
        start, end = self._moments((window.start, window.end))
        return self._all().where(x >= start, x < end)

    def edges(self, moments: Sequence[datetime]) -> tuple[SqlExpression, list[SqlExpression]] | None:
        """The timestamp and some moments, as they are to be compared; None where no row has a timestamp.

        Raises
        ------
        SourceError
            As `within`; single rows are not looked at.
        """
        x = self.rows.c[self._placed()]
        if self.connection.dialect.name != "sqlite":
            return x, self._moments(moments)
        if (form := self._form(x)) is None:
            return None
        written = [form.write(self._ticks(moment, form)) for moment in moments]
        return _comparable(form, x, written), [literal(text) for text in written]

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last instant; None without any."""
        if self.timestamp is None:
            return None
        x = self.rows.c[self._placed()]
        if self.connection.dialect.name == "sqlite":
            self._form(x)
        found = self.connection.execute(select(func.min(x), func.max(x))).one()
        return None if found[0] is None else (self._instant(found[0]), self._instant(found[1]))

    def types(self, rows: Select[Any], names: Sequence[str]) -> dict[str, SqlType]:
        """The types of some columns that are there."""
        match self.connection.dialect.name:
            case "postgresql":
                return postgres.types(self.connection, self.rows, names)
            case "sqlite":
                return sqlite.types(self.connection, rows, self.rows, names, self._declared())
            case _:
                return generic.types(self.connection, self.rows, names)

    def _all(self) -> Select[Any]:
        # Named as what is read from, whatever columns are asked for: count(*) has none.
        return select(self.rows).select_from(self.rows)

    def _placed(self) -> str:
        if self.timestamp not in self.names:
            raise SourceError(f"no timestamp column {self.timestamp!r}; there are {', '.join(self.names) or 'none'}")
        return self.timestamp

    def _moments(self, moments: Sequence[datetime]) -> list[SqlExpression]:
        """Edges of windows as the column holds them: instants, local times, or days."""
        type_ = self.types(self._all(), [self._placed()])[self._placed()]
        if type_.kind is Kind.EMPTY:
            return [literal(moment, DateTime(timezone=True)) for moment in moments]
        if type_.kind is not Kind.DATETIME:
            told = type_.message or f"it holds {type_.kind.value if type_.kind else 'other'} values"
            raise SourceError(f"timestamp column {self.timestamp!r}: expected dates or times; {told}")
        example = type_.bound(0) if type_.bound is not None else False
        held = example.type if not isinstance(example, bool) else DateTime()
        return [self._moment(moment, held) for moment in moments]

    def _moment(self, moment: datetime, held: Any) -> SqlExpression:
        local = wall_clock(moment, self.timezone)
        if isinstance(held, Date):
            day = local.date() + timedelta(days=local.time() != local.time().min)
            return literal(day, Date())
        zoned = isinstance(held, DateTime) and held.timezone
        return literal(moment if zoned else local, DateTime(timezone=zoned))

    def _within_texts(self, x: SqlExpression, window: Window) -> Select[Any]:
        form = self._form(x)
        if form is None:
            return self._all().where(x.is_not(None), literal(1) == literal(0))
        edges = [form.write(self._ticks(moment, form)) for moment in (window.start, window.end)]
        body = _comparable(form, x, edges)
        conditions = [body >= edges[0]] if edges[0] else []
        conditions += [body < edges[1]] if edges[1] else []
        rows = self._all().where(*conditions)
        if odd := self.connection.execute(rows.with_only_columns(count_of(not_(form.fits(x))))).scalar_one():
            raise SourceError(
                f"timestamp column {self.timestamp!r}: {odd} rows of {window} are not ISO 8601 of one form"
            )
        return rows

    def _ticks(self, moment: datetime, form: sqlite.TimeFormat) -> int:
        if not form.zone:
            moment = wall_clock(moment, self.timezone).replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000

    def _form(self, x: SqlExpression) -> sqlite.TimeFormat | None:
        """How the timestamps of a SQLite database are written; None where there are none."""
        asked = select(func.typeof(func.min(x)), func.typeof(func.max(x)), func.min(x), func.max(x))
        least, most, first, last = self.connection.execute(asked).one()
        if first is None:
            return None
        if (least, most) != ("text", "text"):  # numbers sort below texts, and blobs above
            raise SourceError(
                f"timestamp column {self.timestamp!r} holds {least} values; expected text in ISO 8601: name a query "
                "that makes it, with strftime('%Y-%m-%d %H:%M:%f', ts, 'unixepoch') or the like"
            )
        form = sqlite.TimeFormat.of(last)
        for held in (first, last):
            if not self.connection.execute(select(form.fits(literal(held)))).scalar_one():
                raise SourceError(
                    f"timestamp column {self.timestamp!r} holds {held!r}; expected text in ISO 8601, all of one form: "
                    "2024-03-01, 2024-03-01 06:00:00, 2024-03-01T06:00:00.5Z (a blank or T, UTC or local)"
                )
        return form

    def _instant(self, held: Any) -> datetime:
        if isinstance(held, str):
            try:
                held = datetime.fromisoformat(held)
            except ValueError as error:
                raise SourceError(f"timestamp column {self.timestamp!r} holds {held!r}, no instant: {error}") from error
        if isinstance(held, date) and not isinstance(held, datetime):
            held = datetime(held.year, held.month, held.day)  # noqa: DTZ001 - local
        if not isinstance(held, datetime):
            raise SourceError(f"timestamp column {self.timestamp!r} holds {held!r}; expected dates or times")
        return (held if held.tzinfo else held.replace(tzinfo=self.timezone)).astimezone(UTC)

    def _declared(self) -> dict[str, str]:
        rows = select(func.pragma_table_xinfo(_VIEW).table_valued("name", "type"))
        return {str(name): str(type_) for name, type_ in self.connection.execute(rows)}


def _comparable(form: sqlite.TimeFormat, x: SqlExpression, edges: Sequence[str | None]) -> SqlExpression:
    """What of a text is compared: a Z sorts above the digits of a fraction, which matters where an edge has seconds.

    Without it, no index serves.
    """
    exact = form.zone != "Z" or all(len(edge or "") <= 16 for edge in edges)
    return x if exact else form.body(x)


def open_table_query(connection: Connection, spec: SqlSource, timestamp: str | None, timezone: ZoneInfo) -> TableQuery:
    """The table or query of a source.

    Raises
    ------
    SourceError
        Where two of its columns bear one name.
    """
    if connection.dialect.name == "sqlite":
        _view(connection, spec)
        spec = SqlSource(spec.url, table=_VIEW)
        names = _names(connection, table(_VIEW))
        return TableQuery(connection, table(_VIEW, *_columns(names)), names, timestamp, timezone)
    if spec.query is not None:
        bare = _query(spec.query).columns().subquery("q")
        names = _names(connection, bare)
        return TableQuery(
            connection, _query(spec.query).columns(*_columns(names)).subquery("q"), names, timestamp, timezone
        )
    schema, name = _split(spec.table or "")
    names = _names(connection, table(name, schema=schema))
    return TableQuery(connection, table(name, *_columns(names), schema=schema), names, timestamp, timezone)


def _view(connection: Connection, spec: SqlSource) -> None:
    """SQLite tells what a column was declared as only of tables and views: one of this connection's own."""
    if spec.query is not None:
        rows = spec.query.strip().rstrip(";")
    else:
        schema, name = _split(spec.table or "")
        chosen: Select[Any] = select(literal_column("*")).select_from(table(name, schema=schema))
        rows = str(chosen.compile(dialect=connection.dialect))
    quoted = connection.dialect.identifier_preparer.quote(_VIEW)
    connection.exec_driver_sql(f"CREATE TEMP VIEW {quoted} AS {rows}")
    connection.exec_driver_sql("PRAGMA query_only = ON")


def _query(query: str) -> TextClause:
    # A colon is a colon: nothing in the user's text is a parameter.
    return text(query.strip().rstrip(";").replace(":", "\\:"))


def _split(name: str) -> tuple[str | None, str]:
    schema, dot, rest = name.partition(".")
    return (schema, rest) if dot else (None, name)


def _columns(names: Sequence[str]) -> list[ColumnClause[Any]]:
    # The database's own spelling; which words are reserved differs from version to version.
    return [column(quoted_name(name, quote=True)) for name in names]


def _names(connection: Connection, rows: FromClause) -> list[str]:
    asked: Select[Any] = select(literal_column("*")).select_from(rows).where(false())
    with connection.execute(asked) as result:
        return distinct([str(each[0]) for each in result.cursor.description or ()])
