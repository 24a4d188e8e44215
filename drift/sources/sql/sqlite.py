"""SQLite: any value may be in any column, so the values decide the type, not the declaration alone.

Numbers are columns of INTEGER and REAL values; NaN is stored as NULL. SQLite has neither times nor booleans: a column
declared DATE, DATETIME, TIMESTAMP or TIME holds ISO 8601 text (with a blank or a T, with any or no fraction of seconds,
in UTC if it says so); one declared BOOLEAN holds 0 and 1. Any other text is categorical. A column that mixes several
of these is not comparable, and the message counts them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, FromClause, Select, and_, case, func, literal, not_, or_
from sqlalchemy import Text as SqlText

from drift.histogram import Edge, Kind
from drift.histogram.counting import ceiling
from drift.sources.sql import types as sql_types
from drift.sources.sql.types import Bound, SqlExpression, SqlType, count_of, not_null

_CLASSES: Final = ("integer", "real", "text", "blob")
_CHUNK: Final = 100
_D: Final = "[0-9]"
_DATE: Final = f"{_D * 4}-{_D * 2}-{_D * 2}"
_CLOCK: Final = f"{_D * 2}:{_D * 2}"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]00:00)?")


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How instants are written."""

    separator: str = " "  # between day and time
    zone: str = ""  # suffix that says that the time is in UTC; empty for local times

    @classmethod
    def of(cls, text: str | None) -> "TimeFormat":
        """Return the format of a text; the default format if it contains no time."""
        match = _ISO.fullmatch(text or "")
        return cls(match[1], match[2] or "") if match else cls()

    def without_zone(self, x: SqlExpression) -> SqlExpression:
        """Return the text without its zone: such texts sort as their instants, whatever their precision."""
        return func.substr(x, 1, func.length(x) - len(self.zone)) if self.zone else x

    def matches(self, x: SqlExpression) -> SqlExpression:
        """Return the condition that a text has this format, or is a day without a time."""
        body, start = self.without_zone(x), f"{_DATE}{self.separator}{_CLOCK}"
        zoned = func.substr(x, -len(self.zone)) == self.zone if self.zone else literal(1) == literal(1)
        return or_(_glob(x, _DATE), and_(zoned, _clock(body, start, 17)))

    def write(self, nanoseconds: int) -> str | None:
        """Return the shortest text of an instant: a prefix of all longer ones, hence not above them.

        None if the year is not between 1 and 9999.
        """
        seconds, rest = divmod(nanoseconds, 10**9)
        try:
            instant = _EPOCH + timedelta(seconds=seconds)
        except OverflowError:
            return None
        day = f"{instant.year:04}-{instant.month:02}-{instant.day:02}"
        clock = _short_clock(instant.hour, instant.minute, instant.second, rest)
        return f"{day}{self.separator}{clock}" if clock else day


def _glob(x: SqlExpression, pattern: str) -> SqlExpression:
    return x.op("GLOB", is_comparison=True)(pattern)


def _clock(text: SqlExpression, start: str, seconds_at: int) -> SqlExpression:
    """Return the condition that only seconds, fractions of them or nothing follow a start that ends with minutes."""
    fraction = func.substr(text, seconds_at + 4)
    return or_(
        _glob(text, start),
        _glob(text, f"{start}:{_D * 2}"),
        and_(_glob(text, f"{start}:{_D * 2}.{_D}*"), not_(_glob(fraction, "*[^0-9]*"))),
    )


def _short_clock(hour: int, minute: int, second: int, nanoseconds: int) -> str:
    fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
    seconds = f":{second:02}{fraction}" if second or nanoseconds else ""
    return f"{hour:02}:{minute:02}{seconds}" if hour or minute or seconds else ""


def sqlite_types(
    connection: Connection, rows: Select[Any], relation: FromClause, names: Sequence[str], declared: Mapping[str, str]
) -> dict[str, SqlType]:
    """Determine the types of some columns of a table or view from all `rows` that are to be counted."""
    types: dict[str, SqlType] = {}
    width = len(_CLASSES) + 1
    for i in range(0, len(names), _CHUNK):
        chunk = names[i : i + _CHUNK]
        expressions = [expression for name in chunk for expression in _survey(relation.c[name])]
        results = connection.execute(rows.with_only_columns(*expressions)).one()
        for j, name in enumerate(chunk):
            *numbers, largest = results[j * width : (j + 1) * width]
            counts = {class_: int(n) for class_, n in zip(_CLASSES, numbers, strict=True) if n}
            types[name] = _type(connection, rows, relation.c[name], declared.get(name, "").upper(), counts, largest)
    return types


def _survey(x: SqlExpression) -> list[SqlExpression]:
    counts: list[SqlExpression] = [count_of(func.typeof(x) == name) for name in _CLASSES]
    return [*counts, func.max(case((func.typeof(x) == "text", x)))]


def _type(
    connection: Connection,
    rows: Select[Any],
    x: SqlExpression,
    declared: str,
    counts: Mapping[str, int],
    largest: str | None,
) -> SqlType:
    """Return the type of a column by its storage classes, with their counts, and by its largest text."""
    classes = set(counts)
    if not classes:
        return sql_types.empty()
    if "blob" in classes or ("text" in classes and len(classes) > 1):
        mixture = ", ".join(f"{count} {class_}" for class_, count in counts.items())
        return sql_types.unbinnable("blob" if classes == {"blob"} else f"mixed ({mixture})")
    if classes == {"text"}:
        return _type_of_texts(connection, rows, x, declared, largest)
    if "BOOL" in declared:
        odd = connection.execute(rows.with_only_columns(count_of(x.not_in([0, 1])))).scalar_one()
        return sql_types.unbinnable(f"BOOLEAN (of which {odd} are neither 0 nor 1)") if odd else sql_types.booleans()
    return sql_types.integers() if classes == {"integer"} else _numbers()


def _type_of_texts(
    connection: Connection, rows: Select[Any], x: SqlExpression, declared: str, largest: str | None
) -> SqlType:
    if "DATE" not in declared and "TIME" not in declared:
        return sql_types.texts()
    if declared.startswith("TIME") and not declared.startswith("TIMESTAMP"):
        type_, matches = _clock_times(), _clock(x, _CLOCK, 6)
    else:
        time_format = TimeFormat.of(largest)
        type_, matches = _instants(time_format), time_format.matches(x)
    odd = connection.execute(rows.with_only_columns(count_of(not_(matches)))).scalar_one()
    mixture = f"{declared} (of which {odd} are not ISO 8601 of one format, as {largest!r})"
    return sql_types.unbinnable(mixture) if odd else type_


def _numbers() -> SqlType:
    """REAL values, some of which may be INTEGER: SQLite compares the two exactly, so edges are bound as either."""

    def bound(edge: Edge) -> Bound:
        exact = Fraction(edge)
        if exact.denominator == 1 or abs(exact) >= 2**52:  # doubles this large are whole
            whole = math.ceil(exact)
            if -(2**63) <= whole < 2**63:
                return literal(whole)
        return literal(ceiling(edge, None))

    def to_arrow(values: list[Any]) -> pa.Array:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())

    def finite(x: SqlExpression) -> SqlExpression:
        return case((and_(x > literal(-math.inf), x < literal(math.inf)), x))

    return SqlType(Kind.NUMBER, to_arrow, bound, finite=finite, parse_segment=float)


def _instants(time_format: TimeFormat) -> SqlType:
    def bound(edge: Edge) -> Bound:
        text = time_format.write(int(edge))
        return bool(edge > 0) if text is None else literal(text, SqlText())

    def to_arrow(values: list[Any]) -> pa.Array:
        bodies = pa.array(values, pa.string())
        if all(text is None or len(text) == 10 for text in values):
            return bodies.cast(pa.date32())
        if time_format.separator == "T":
            bodies = pc.replace_substring(bodies, "T", " ")
        zone = "UTC" if time_format.zone else None
        try:
            return bodies.cast(pa.timestamp("us")).cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            return bodies.cast(pa.timestamp("ns")).cast(pa.timestamp("ns", zone))

    def value(x: SqlExpression) -> SqlExpression:
        return case((func.length(x) == 10, x), else_=time_format.without_zone(x)) if time_format.zone else x

    return SqlType(Kind.DATETIME, to_arrow, bound, value=value, present=not_null)


def _clock_times() -> SqlType:
    def bound(edge: Edge) -> Bound:
        seconds, rest = divmod(int(edge), 10**9)
        if not 0 < edge < 86_400 * 10**9:
            return bool(edge > 0)
        return literal(_short_clock(seconds // 3600, seconds // 60 % 60, seconds % 60, rest), SqlText())

    def to_arrow(values: list[Any]) -> pa.Array:
        padded = [v if v is None or len(v) > 5 else f"{v}:00" for v in values]
        return pa.array(padded, pa.string()).cast(pa.time64("us"))

    return SqlType(Kind.DURATION, to_arrow, bound)
