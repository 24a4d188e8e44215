"""Databases whose names of types are not known here: types told from the values of their first rows."""

import math
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, Double, FromClause, literal, or_, select

from drift.sources.sql.types import (
    SqlExpression,
    SqlType,
    booleans,
    clock_times,
    dates,
    decimals,
    durations,
    empty,
    floats,
    integers,
    texts,
    timestamps,
    unbinnable,
)

_LOOK: Final = 1000
_WITHOUT_NAN: Final = {"mysql", "mariadb", "mssql", "oracle"}


def types(connection: Connection, relation: FromClause, names: Sequence[str]) -> dict[str, SqlType]:
    """The types of some columns, from the first values of each that are not null."""
    infinite = connection.dialect.name not in _WITHOUT_NAN
    return {name: _type(_look(connection, relation.c[name]), infinite=infinite) for name in names}


def _look(connection: Connection, x: SqlExpression) -> list[object]:
    return list(connection.execute(select(x).where(x.is_not(None)).limit(_LOOK)).scalars())


def _type(values: list[object], *, infinite: bool) -> SqlType:
    if not values:
        return empty()
    found = {type(value) for value in values}
    if len(found) > 1:
        return unbinnable("mixed (" + ", ".join(sorted(t.__name__ for t in found)) + ")")
    if datetime in found:
        return timestamps(zoned=isinstance(values[0], datetime) and values[0].tzinfo is not None)
    if float in found:
        return floats(_is_number if infinite else _is_not_null, infinite=infinite)
    kind = found.pop()
    return _PYTHON[kind]() if kind in _PYTHON else unbinnable(kind.__name__)


_PYTHON: Final[dict[type, Callable[[], SqlType]]] = {
    bool: booleans,
    int: integers,
    Decimal: lambda: decimals(None),
    str: texts,
    date: dates,
    time: clock_times,
    timedelta: durations,
}


def _is_number(x: SqlExpression) -> SqlExpression:
    """Not NaN, whether it is greater than every number (DuckDB, Snowflake) or equal to none, as IEEE has it."""
    return or_(x <= literal(sys.float_info.max, Double()), x == literal(math.inf, Double()))


def _is_not_null(x: SqlExpression) -> SqlExpression:
    return x.is_not(None)
