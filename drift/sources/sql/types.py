"""How the columns of a database are cut: for each type what is missing, and what an edge is compared as."""

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
"""What values are compared with; True where every value is below the edge, False where none is."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clocks are compared as such
_DAY: Final = 86_400 * 10**9
_MICROSECOND: Final = Fraction(1000)
_INT64: Final = (-(2**63), 2**63 - 1)


def _itself(x: SqlExpression) -> SqlExpression:
    return x


def not_null(x: SqlExpression) -> SqlExpression:
    """Present is what is not null."""
    return x.is_not(None)


def count_of(condition: SqlExpression) -> SqlExpression:
    """How many rows meet a condition; 0 of no rows. Standard SQL."""
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


@dataclass(frozen=True, slots=True)
class SqlType:
    """A column's type, as far as counting needs it.

    Parameters
    ----------
    kind : Kind or None
        None where values of this type cannot be cut into bins, for the reason in `message`.
    to_arrow : callable
        Python values as the driver hands them out (None among them), as the same rows in memory would be typed.
    bound : callable
        An edge as a value of this type: ``x < bound`` holds exactly where a value lies below the edge.
    value : callable
        What is compared and grouped.
    present : callable
        Where there is a value: neither null nor NaN.
    finite : callable
        The value where it is finite, else null.
    sampled : callable
        The value where the driver can hand it out, else null.
    segment : callable
        A segment's text (as in its key) as a value of this type; ValueError where it is none.
    message : str
        Why it cannot be cut.
    """

    kind: Kind | None
    to_arrow: Callable[[list[Any]], pa.Array] = pa.array
    bound: Callable[[Edge], Bound] | None = None
    value: Callable[[SqlExpression], SqlExpression] = _itself
    present: Callable[[SqlExpression], SqlExpression] = not_null
    finite: Callable[[SqlExpression], SqlExpression] = _itself
    sampled: Callable[[SqlExpression], SqlExpression] = _itself
    segment: Callable[[str], Any] | None = None
    message: str = ""

    def below(self, x: SqlExpression, edge: Edge) -> Bound:
        """Whether a value lies below an edge; never for a missing one."""
        bound = self.bound(edge) if self.bound is not None else True
        return bound if isinstance(bound, bool) else self.value(x) < bound


def unbinnable(what: str) -> SqlType:
    """A type whose values have no bins."""
    told = f"{what} values cannot be cut into bins; watch something derived from them (a length, a count), or exclude"
    return SqlType(None, message=f"{told} the column")


def arrow(type_: pa.DataType) -> Callable[[list[Any]], pa.Array]:
    """Values as an Arrow array of a type."""
    return lambda values: pa.array(values, type_)


def integers(low: int = _INT64[0], high: int = _INT64[1]) -> SqlType:
    """Integers of a range; edges outside of it are decided without asking the database."""

    def bound(edge: Edge) -> Bound:
        limit = ceiling(edge, Fraction(1))
        return limit > high if limit > high or limit <= low else literal(limit, BigInteger())

    return SqlType(Kind.NUMBER, arrow(pa.int64()), bound, segment=int)


def floats(present: Callable[[SqlExpression], SqlExpression], *, infinite: bool, single: bool = False) -> SqlType:
    """Doubles, or floats of 32 bits; `present` tells NaN from numbers, where the database knows it."""

    def finite(x: SqlExpression) -> SqlExpression:
        return case(((x > literal(-math.inf, Double())) & (x < literal(math.inf, Double())), x))

    def bound(edge: Edge) -> Bound:
        limit = ceiling(edge, None)
        return literal(limit, Double()) if infinite or math.isfinite(limit) else True

    return SqlType(
        Kind.NUMBER,
        arrow(pa.float32() if single else pa.float64()),
        bound,
        present=present,
        finite=finite if infinite else _itself,
        segment=float,
    )


def decimals(
    scale: int | None,
    present: Callable[[SqlExpression], SqlExpression] = not_null,
    finite: Callable[[SqlExpression], SqlExpression] = _itself,
) -> SqlType:
    """Exact decimals: an edge is bound as it is, all of its digits."""

    def bound(edge: Edge) -> Bound:
        return literal(Decimal(edge), Numeric())

    def to_arrow(values: list[Any]) -> pa.Array:
        return _decimal_array(values, scale)

    return SqlType(Kind.NUMBER, to_arrow, bound, present=present, finite=finite, sampled=finite, segment=Decimal)


def _decimal_array(values: list[Any], scale: int | None) -> pa.Array:
    """With as many digits behind the point as declared, else as any value has."""
    found = [v.as_tuple() for v in values if v is not None]
    exponents = [-t.exponent for t in found if isinstance(t.exponent, int)]
    scale = max([0, *exponents]) if scale is None else scale
    digits = max((len(t.digits) + t.exponent + scale for t in found if isinstance(t.exponent, int)), default=1)
    wide = pa.decimal128(38, scale) if digits <= 38 and scale <= 38 else pa.decimal256(76, min(scale, 76))
    return pa.array(values, wide)


def texts() -> SqlType:
    """Categories."""
    return SqlType(Kind.STRING, arrow(pa.string()), segment=str)


def booleans() -> SqlType:
    """Truth values; some databases hand them out as 0 and 1."""
    return SqlType(
        Kind.BOOLEAN, lambda values: pa.array(truths(values), pa.bool_()), segment=lambda text: text == "true"
    )


def truths(values: Iterable[Any]) -> list[bool | None]:
    """0 and 1 as truth values."""
    return [None if value is None else bool(value) for value in values]


def dates() -> SqlType:
    """Days; midnight of each, as UTC."""

    def bound(edge: Edge) -> Bound:
        days = ceiling(edge, Fraction(_DAY)) + _EPOCH.toordinal()
        if days < 1 or days > date.max.toordinal():
            return bool(days > 1)
        return literal(date.fromordinal(days), Date())

    return SqlType(Kind.DATETIME, arrow(pa.date32()), bound, segment=date.fromisoformat)


def timestamps(*, zoned: bool, finite: Callable[[SqlExpression], SqlExpression] = _itself) -> SqlType:
    """Instants; without a zone they are cut as if in UTC, as everywhere."""

    def bound(edge: Edge) -> Bound:
        try:
            moment = _EPOCH + timedelta(microseconds=ceiling(edge, _MICROSECOND))
        except OverflowError:
            return bool(edge > 0)
        return literal(moment.replace(tzinfo=UTC) if zoned else moment, DateTime(timezone=zoned))

    type_ = pa.timestamp("us", "UTC" if zoned else None)
    return SqlType(Kind.DATETIME, arrow(type_), bound, finite=finite, sampled=finite)


def clock_times() -> SqlType:
    """Times of day, as durations since midnight."""

    def bound(edge: Edge) -> Bound:
        ticks = ceiling(edge, _MICROSECOND)
        if ticks <= 0 or ticks >= _DAY // 1000:
            return bool(ticks > 0)
        return literal((_EPOCH + timedelta(microseconds=ticks)).time(), Time())

    return SqlType(Kind.DURATION, arrow(pa.time64("us")), bound)


def durations() -> SqlType:
    """Intervals; a month counts as 30 days, as the database compares them."""

    def bound(edge: Edge) -> Bound:
        try:
            return literal(timedelta(microseconds=ceiling(edge, _MICROSECOND)), Interval())
        except OverflowError:
            return bool(edge > 0)

    return SqlType(Kind.DURATION, arrow(pa.duration("us")), bound)


def empty() -> SqlType:
    """A column without a value: it fits every axis."""
    return SqlType(Kind.EMPTY, lambda values: pa.nulls(len(values)))
