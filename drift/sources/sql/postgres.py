"""PostgreSQL: types by their OIDs. NaN sorts above every number, infinity included."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    Connection,
    DateTime,
    Double,
    FromClause,
    Numeric,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    select,
    text,
)

from drift.sources.sql.types import (
    SqlExpression,
    SqlType,
    booleans,
    clock_times,
    dates,
    decimals,
    durations,
    floats,
    integers,
    texts,
    timestamps,
    unbinnable,
)

_NUMERIC: Final = 1700


def _float_present(x: SqlExpression) -> SqlExpression:
    return x < literal(math.nan, Double())


def _numeric_present(x: SqlExpression) -> SqlExpression:
    return x < literal(Decimal("NaN"), Numeric())


def _numeric_finite(x: SqlExpression) -> SqlExpression:
    # A cast to double and back would round. Infinities of numeric exist since PostgreSQL 14; NaN always did.
    return case((and_(_numeric_present(x), cast(x, Text).not_in(["Infinity", "-Infinity"])), x))


def _time_finite(x: SqlExpression) -> SqlExpression:
    return case((and_(func.isfinite(x), x >= _FIRST, x < _BEYOND), x))  # the range of Python's datetime


_FIRST: Final = cast(literal("0001-01-02", Text()), DateTime())
_BEYOND: Final = cast(literal("9999-12-31", Text()), DateTime())

_TYPES: Final[dict[int, Callable[[], SqlType]]] = {
    16: booleans,
    20: integers,
    21: lambda: integers(-(2**15), 2**15 - 1),
    23: lambda: integers(-(2**31), 2**31 - 1),
    26: lambda: integers(0, 2**32 - 1),
    700: lambda: floats(_float_present, infinite=True, single=True),
    701: lambda: floats(_float_present, infinite=True),
    19: texts,
    25: texts,
    1042: texts,
    1043: texts,
    1082: dates,
    1083: clock_times,
    1114: lambda: timestamps(zoned=False, finite=_time_finite),
    1184: lambda: timestamps(zoned=True, finite=_time_finite),
    1186: durations,
}


def postgres_types(connection: Connection, relation: FromClause, names: Sequence[str]) -> dict[str, SqlType]:
    """Return the types of some columns; reads no row."""
    if not names:
        return {}
    cursor = connection.execute(select(*(relation.c[name] for name in names)).where(false())).cursor
    described: Sequence[Any] = cursor.description or ()
    others = {d.type_code for d in described if d.type_code not in _TYPES and d.type_code != _NUMERIC}
    other_types = _types_of_catalog(connection, others)
    types = {}
    for name, d in zip(names, described, strict=True):
        if d.type_code == _NUMERIC:
            types[name] = decimals(None if d.scale is None else max(d.scale, 0), _numeric_present, _numeric_finite)
        elif d.type_code in _TYPES:
            types[name] = _TYPES[d.type_code]()
        else:
            types[name] = other_types[d.type_code]
    return types


def _types_of_catalog(connection: Connection, codes: set[int]) -> dict[int, SqlType]:
    """Return types that are not in `_TYPES`: enumerations are categorical, others cannot be cut into bins."""
    if not codes:
        return {}
    statement = text("SELECT oid, typtype::text, format_type(oid, NULL) FROM pg_type WHERE oid IN :codes")
    rows = connection.execute(statement.bindparams(bindparam("codes", sorted(codes), expanding=True))).all()
    return {oid: _enumeration() if type_ == "e" else unbinnable(name) for oid, type_, name in rows}


def _enumeration() -> SqlType:
    return replace(texts(), value=lambda x: cast(x, Text))
