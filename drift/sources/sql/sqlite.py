"""SQLite: any value may stand in any column, so what is there decides, not what is declared.

Numbers are columns of INTEGER and REAL values; NaN is stored as NULL. SQLite knows no times and no truth: a column
declared DATE, DATETIME, TIMESTAMP or TIME holds ISO 8601 text (with a blank or a T, whole or with any fraction, in
UTC where it says so), one declared BOOLEAN holds 0 and 1. Any other text is a category. A column in which values of
several of these stand side by side is not comparable, and the message counts them.
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
from drift.sources.sql.types import (
    Bound,
    SqlExpression,
    SqlType,
    booleans,
    count_of,
    empty,
    integers,
    not_null,
    texts,
    unbinnable,
)

_CLASSES: Final = ("integer", "real", "text", "blob")
_CHUNK: Final = 100
_D: Final = "[0-9]"
_DATE: Final = f"{_D * 4}-{_D * 2}-{_D * 2}"
_CLOCK: Final = f"{_D * 2}:{_D * 2}"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FORM: Final = re.compile(r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]00:00)?")


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How instants are written: what parts day and time, and what says that they are in UTC (nothing: local)."""

    separator: str = " "
    zone: str = ""

    @classmethod
    def of(cls, text: str | None) -> "TimeFormat":
        """The form of a text; the plain one where it has no time."""
        found = _FORM.fullmatch(text or "")
        return cls(found[1], found[2] or "") if found else cls()

    def body(self, x: SqlExpression) -> SqlExpression:
        """The text less its zone: texts of one form are ordered as their instants, whatever their precision."""
        return func.substr(x, 1, func.length(x) - len(self.zone)) if self.zone else x

    def fits(self, x: SqlExpression) -> SqlExpression:
        """Whether a text is of this form, or a day without a time."""
        body, timed = self.body(x), f"{_DATE}{self.separator}{_CLOCK}"
        zoned = func.substr(x, -len(self.zone)) == self.zone if self.zone else literal(1) == literal(1)
        return or_(_glob(x, _DATE), and_(zoned, _clock(body, timed, 17)))

    def write(self, nanoseconds: int) -> str | None:
        """The shortest text of an instant: a prefix of every longer one, and so not above it. None out of reach."""
        seconds, rest = divmod(nanoseconds, 10**9)
        try:
            moment = _EPOCH + timedelta(seconds=seconds)
        except OverflowError:
            return None
        day = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
        clock = _short_clock(moment.hour, moment.minute, moment.second, rest)
        return f"{day}{self.separator}{clock}" if clock else day


def _glob(x: SqlExpression, pattern: str) -> SqlExpression:
    return x.op("GLOB", is_comparison=True)(pattern)


def _clock(body: SqlExpression, start: str, seconds_at: int) -> SqlExpression:
    """Minutes, seconds, or fractions of them behind a start that ends with minutes."""
    fraction = func.substr(body, seconds_at + 4)
    return or_(
        _glob(body, start),
        _glob(body, f"{start}:{_D * 2}"),
        and_(_glob(body, f"{start}:{_D * 2}.{_D}*"), not_(_glob(fraction, "*[^0-9]*"))),
    )


def _short_clock(hour: int, minute: int, second: int, nanoseconds: int) -> str:
    fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
    seconds = f":{second:02}{fraction}" if second or nanoseconds else ""
    return f"{hour:02}:{minute:02}{seconds}" if hour or minute or seconds else ""


def types(
    connection: Connection, rows: Select[Any], relation: FromClause, names: Sequence[str], declared: Mapping[str, str]
) -> dict[str, SqlType]:
    """The types of some columns, from all the rows that are to be counted."""
    found: dict[str, SqlType] = {}
    for i in range(0, len(names), _CHUNK):
        chunk = names[i : i + _CHUNK]
        asked = [part for name in chunk for part in _survey(relation.c[name])]
        held = connection.execute(rows.with_only_columns(*asked)).one()
        width = len(_CLASSES) + 1
        for j, name in enumerate(chunk):
            *counts, largest = held[j * width : (j + 1) * width]
            numbers = dict(zip(_CLASSES, (int(n) for n in counts), strict=True))
            found[name] = _type(connection, rows, relation.c[name], declared.get(name, "").upper(), numbers, largest)
    return found


def _survey(x: SqlExpression) -> list[SqlExpression]:
    counts: list[SqlExpression] = [count_of(func.typeof(x) == name) for name in _CLASSES]
    return [*counts, func.max(case((func.typeof(x) == "text", x)))]


def _type(
    connection: Connection,
    rows: Select[Any],
    x: SqlExpression,
    declared: str,
    held: Mapping[str, int],
    largest: str | None,
) -> SqlType:
    there = {name for name, count in held.items() if count}
    if not there:
        return empty()
    told = ", ".join(f"{count} {name}" for name, count in held.items() if count)
    if "blob" in there or ("text" in there and len(there) > 1):
        return unbinnable("blob" if there == {"blob"} else f"mixed ({told})")
    if there == {"text"}:
        if "DATE" not in declared and "TIME" not in declared:
            return texts()
        if declared.startswith("TIME") and not declared.startswith("TIMESTAMP"):
            chosen, fits = _clock_times(), _clock(x, _CLOCK, 6)
        else:
            form = TimeFormat.of(largest)
            chosen, fits = _instants(form), form.fits(x)
        odd = connection.execute(rows.with_only_columns(count_of(not_(fits)))).scalar_one()
        return (
            unbinnable(f"{declared} (of which {odd} are not ISO 8601 of one form, as {largest!r})") if odd else chosen
        )
    if "BOOL" in declared:
        odd = connection.execute(rows.with_only_columns(count_of(x.not_in([0, 1])))).scalar_one()
        return unbinnable(f"BOOLEAN (of which {odd} are neither 0 nor 1)") if odd else booleans()
    return integers() if there == {"integer"} else _numbers()


def _numbers() -> SqlType:
    """REAL values, integers among them: SQLite compares the two exactly, so an edge is bound as what it is."""

    def bound(edge: Edge) -> Bound:
        exact = Fraction(edge)
        if exact.denominator == 1 or abs(exact) >= 2**52:  # doubles this large are whole
            whole = math.ceil(exact)
            if -(2**63) <= whole < 2**63:
                return literal(whole)
        limit = ceiling(edge, None)
        return literal(limit)

    def to_arrow(values: list[Any]) -> pa.Array:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())

    def finite(x: SqlExpression) -> SqlExpression:
        return case((and_(x > literal(-math.inf), x < literal(math.inf)), x))

    return SqlType(Kind.NUMBER, to_arrow, bound, finite=finite, segment=float)


def _instants(form: TimeFormat) -> SqlType:
    def bound(edge: Edge) -> Bound:
        text = form.write(int(edge))
        return bool(edge > 0) if text is None else literal(text, SqlText())

    def to_arrow(values: list[Any]) -> pa.Array:
        bodies = pa.array(values, pa.string())
        if all(text is None or len(text) == 10 for text in values):
            return bodies.cast(pa.date32())
        if form.separator == "T":
            bodies = pc.replace_substring(bodies, "T", " ")
        zone = "UTC" if form.zone else None
        try:
            return bodies.cast(pa.timestamp("us")).cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            return bodies.cast(pa.timestamp("ns")).cast(pa.timestamp("ns", zone))

    def value(x: SqlExpression) -> SqlExpression:
        return case((func.length(x) == 10, x), else_=form.body(x)) if form.zone else x

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
