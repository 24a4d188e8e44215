"""How the columns of a database are cut into bins: for each type what is missing, and what an edge is compared as."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TypeAlias

import pyarrow as pa
from sqlalchemy import BigInteger, ColumnElement, Date, DateTime, Double, Interval, Numeric, Time, case, func, literal

from drift.histogram import Edge, Kind
from drift.histogram.counting import ceiling

SqlExpression: TypeAlias = ColumnElement[Any]
Bound: TypeAlias = SqlExpression | bool
"""What values are compared with; True if every value is below the edge, False if none is."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are compared as they are
_DAY: Final = 86_400 * 10**9
_MICROSECOND: Final = Fraction(1000)
_INT64: Final = (-(2**63), 2**63 - 1)


def _itself(x: SqlExpression) -> SqlExpression:
    return x


def not_null(x: SqlExpression) -> SqlExpression:
    """Return the condition that a value is not null."""
    return x.is_not(None)


def count_of(condition: SqlExpression) -> SqlExpression:
    """Count the rows that meet a condition, in standard SQL; 0 if there are no rows."""
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


@dataclass(frozen=True, slots=True)
class SqlType:
    """The type of a column, as far as counting needs it."""

    kind: Kind | None  # None if values of this type cannot be cut into bins, for the reason in `message`
    # Converts the driver's Python values (None among them) to the Arrow type of the same rows in memory.
    to_arrow: Callable[[list[Any]], pa.Array] = pa.array
    # Converts an edge to a value of this type: ``x < bound`` is true exactly for the values below the edge.
    bound: Callable[[Edge], Bound] | None = None
    value: Callable[[SqlExpression], SqlExpression] = _itself  # the expression that is compared and grouped
    present: Callable[[SqlExpression], SqlExpression] = not_null  # the condition that it is neither null nor NaN
    finite: Callable[[SqlExpression], SqlExpression] = _itself  # the value if it is finite, else null
    sampled: Callable[[SqlExpression], SqlExpression] = _itself  # the value if the driver can return it, else null
    # Converts a segment's text (as in its key) to a value; ValueError if it is none. None: values name no segments.
    parse_segment: Callable[[str], Any] | None = None
    message: str = ""  # why values cannot be cut into bins

    def below(self, x: SqlExpression, edge: Edge) -> Bound:
        """Return the condition that a value is below an edge; a missing value never is."""
        bound = self.bound(edge) if self.bound is not None else True
        return bound if isinstance(bound, bool) else self.value(x) < bound


def unbinnable(what: str) -> SqlType:
    remedy = "watch a column derived from them (a length, a count), or exclude the column"
    return SqlType(None, message=f"{what} values cannot be cut into bins; {remedy}")


def _arrow(type_: pa.DataType) -> Callable[[list[Any]], pa.Array]:
    return lambda values: pa.array(values, type_)


def integers(low: int = _INT64[0], high: int = _INT64[1]) -> SqlType:
    """Integers of a range; edges outside of it are decided without asking the database."""

    def bound(edge: Edge) -> Bound:
        limit = ceiling(edge, Fraction(1))
        return limit > high if limit > high or limit <= low else literal(limit, BigInteger())

    return SqlType(Kind.NUMBER, _arrow(pa.int64()), bound, parse_segment=int)


def floats(present: Callable[[SqlExpression], SqlExpression], *, infinite: bool, single: bool = False) -> SqlType:
    """Floats of 64 bits, or 32 bits if `single`; `present` tells NaN from numbers, if the database has NaN."""

    def finite(x: SqlExpression) -> SqlExpression:
        return case(((x > literal(-math.inf, Double())) & (x < literal(math.inf, Double())), x))

    def bound(edge: Edge) -> Bound:
        limit = ceiling(edge, None)
        return literal(limit, Double()) if infinite or math.isfinite(limit) else True

    return SqlType(
        Kind.NUMBER,
        _arrow(pa.float32() if single else pa.float64()),
        bound,
        present=present,
        finite=finite if infinite else _itself,
        parse_segment=float,
    )


def decimals(
    scale: int | None,
    present: Callable[[SqlExpression], SqlExpression] = not_null,
    finite: Callable[[SqlExpression], SqlExpression] = _itself,
) -> SqlType:
    """Exact decimals: an edge is bound with all of its digits."""

    def bound(edge: Edge) -> Bound:
        return literal(Decimal(edge), Numeric())

    def to_arrow(values: list[Any]) -> pa.Array:
        return _decimal_array(values, scale)

    return SqlType(Kind.NUMBER, to_arrow, bound, present=present, finite=finite, sampled=finite, parse_segment=Decimal)


def _decimal_array(values: list[Any], scale: int | None) -> pa.Array:
    """Return decimals of the declared scale, else of the largest scale of any value."""
    tuples = [t for value in values if value is not None and isinstance((t := value.as_tuple()).exponent, int)]
    scale = max([0, *(-t.exponent for t in tuples)]) if scale is None else scale
    digits = max((len(t.digits) + t.exponent + scale for t in tuples), default=1)
    wide = pa.decimal128(38, scale) if digits <= 38 and scale <= 38 else pa.decimal256(76, min(scale, 76))
    return pa.array(values, wide)


def texts() -> SqlType:
    """Text, which is categorical."""
    return SqlType(Kind.STRING, _arrow(pa.string()), parse_segment=str)


def booleans() -> SqlType:
    """Booleans; some drivers return them as 0 and 1."""
    return SqlType(
        Kind.BOOLEAN, lambda values: pa.array(truths(values), pa.bool_()), parse_segment=lambda text: text == "true"
    )


def truths(values: Iterable[Any]) -> list[bool | None]:
    """Convert 0 and 1 to booleans."""
    return [None if value is None else bool(value) for value in values]


def dates() -> SqlType:
    """Days; each stands for its midnight in UTC."""

    def bound(edge: Edge) -> Bound:
        days = ceiling(edge, Fraction(_DAY)) + _EPOCH.toordinal()
        if days < 1 or days > date.max.toordinal():
            return bool(days > 1)
        return literal(date.fromordinal(days), Date())

    return SqlType(Kind.DATETIME, _arrow(pa.date32()), bound, parse_segment=date.fromisoformat)


def timestamps(*, zoned: bool, finite: Callable[[SqlExpression], SqlExpression] = _itself) -> SqlType:
    """Instants; without a zone they are cut as if in UTC, as in every engine."""

    def bound(edge: Edge) -> Bound:
        try:
            instant = _EPOCH + timedelta(microseconds=ceiling(edge, _MICROSECOND))
        except OverflowError:
            return bool(edge > 0)
        return literal(instant.replace(tzinfo=UTC) if zoned else instant, DateTime(timezone=zoned))

    type_ = pa.timestamp("us", "UTC" if zoned else None)
    return SqlType(Kind.DATETIME, _arrow(type_), bound, finite=finite, sampled=finite)


def clock_times() -> SqlType:
    """Times of day, as durations from midnight."""

    def bound(edge: Edge) -> Bound:
        ticks = ceiling(edge, _MICROSECOND)
        if ticks <= 0 or ticks >= _DAY // 1000:
            return bool(ticks > 0)
        return literal((_EPOCH + timedelta(microseconds=ticks)).time(), Time())

    return SqlType(Kind.DURATION, _arrow(pa.time64("us")), bound)


def durations() -> SqlType:
    """Intervals; a month counts as 30 days, as in the database's comparisons."""

    def bound(edge: Edge) -> Bound:
        try:
            return literal(timedelta(microseconds=ceiling(edge, _MICROSECOND)), Interval())
        except OverflowError:
            return bool(edge > 0)

    return SqlType(Kind.DURATION, _arrow(pa.duration("us")), bound)


def empty() -> SqlType:
    """Type of a column without a value: it fits every axis."""
    return SqlType(Kind.EMPTY, lambda values: pa.nulls(len(values)))
