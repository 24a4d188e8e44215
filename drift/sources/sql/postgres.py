"""PostgreSQL: types by their OIDs. NaN sorts above every number, infinity included."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from drift.sources.sql import types as sql_types
from drift.sources.sql.types import SqlExpression, SqlType

_NUMERIC: Final = 1700


def _float_present(x: SqlExpression) -> SqlExpression:
    return x < sa.literal(math.nan, sa.Double())


def _numeric_present(x: SqlExpression) -> SqlExpression:
    return x < sa.literal(Decimal("NaN"), sa.Numeric())


def _numeric_finite(x: SqlExpression) -> SqlExpression:
    # A cast to double and back would round. Infinities of numeric exist since PostgreSQL 14; NaN always did.
    return sa.case((sa.and_(_numeric_present(x), sa.cast(x, sa.Text).not_in(["Infinity", "-Infinity"])), x))


def _time_finite(x: SqlExpression) -> SqlExpression:
    return sa.case((sa.and_(sa.func.isfinite(x), x >= _FIRST, x < _BEYOND), x))  # the range of Python's datetime


_FIRST: Final = sa.cast(sa.literal("0001-01-02", sa.Text()), sa.DateTime())
_BEYOND: Final = sa.cast(sa.literal("9999-12-31", sa.Text()), sa.DateTime())

_TYPES: Final[dict[int, Callable[[], SqlType]]] = {
    16: sql_types.booleans,
    20: sql_types.integers,
    21: lambda: sql_types.integers(-(2**15), 2**15 - 1),
    23: lambda: sql_types.integers(-(2**31), 2**31 - 1),
    26: lambda: sql_types.integers(0, 2**32 - 1),
    700: lambda: sql_types.floats(_float_present, infinite=True, single=True),
    701: lambda: sql_types.floats(_float_present, infinite=True),
    19: sql_types.texts,
    25: sql_types.texts,
    1042: sql_types.texts,
    1043: sql_types.texts,
    1082: sql_types.dates,
    1083: sql_types.clock_times,
    1114: lambda: sql_types.timestamps(zoned=False, finite=_time_finite),
    1184: lambda: sql_types.timestamps(zoned=True, finite=_time_finite),
    1186: sql_types.durations,
}


def postgres_types(connection: sa.Connection, relation: sa.FromClause, names: Sequence[str]) -> dict[str, SqlType]:
    """Return the types of some columns; reads no row."""
    if not names:
        return {}
    cursor = connection.execute(sa.select(*(relation.c[name] for name in names)).where(sa.false())).cursor
    described: Sequence[Any] = cursor.description or ()
    others = {d.type_code for d in described if d.type_code not in _TYPES and d.type_code != _NUMERIC}
    other_types = _types_of_catalog(connection, others)
    types = {}
    for name, d in zip(names, described, strict=True):
        if d.type_code == _NUMERIC:
            types[name] = sql_types.decimals(
                None if d.scale is None else max(d.scale, 0), _numeric_present, _numeric_finite
            )
        elif d.type_code in _TYPES:
            types[name] = _TYPES[d.type_code]()
        else:
            types[name] = other_types[d.type_code]
    return types


def _types_of_catalog(connection: sa.Connection, codes: set[int]) -> dict[int, SqlType]:
    """Return types that are not in `_TYPES`: enumerations are categorical, others cannot be cut into bins."""
    if not codes:
        return {}
    statement = sa.text("SELECT oid, typtype::text, format_type(oid, NULL) FROM pg_type WHERE oid IN :codes")
    rows = connection.execute(statement.bindparams(sa.bindparam("codes", sorted(codes), expanding=True))).all()
    return {oid: _enumeration() if type_ == "e" else sql_types.unbinnable(name) for oid, type_, name in rows}


def _enumeration() -> SqlType:
    return replace(sql_types.texts(), value=lambda x: sa.cast(x, sa.Text))
