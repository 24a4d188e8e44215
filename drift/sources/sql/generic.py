"""Databases without type rules of their own: a column's type is inferred from its first values."""

import math
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, Double, FromClause, literal, or_, select

from drift.sources.sql import types as sql_types
from drift.sources.sql.types import SqlExpression, SqlType

_MAX_VALUES: Final = 1000
_WITHOUT_NAN: Final = {"mysql", "mariadb", "mssql", "oracle"}


def generic_types(connection: Connection, relation: FromClause, names: Sequence[str]) -> dict[str, SqlType]:
    """Infer the types of some columns from the first values of each that are not null."""
    infinite = connection.dialect.name not in _WITHOUT_NAN
    return {name: _type(_first_values(connection, relation.c[name]), infinite=infinite) for name in names}


def _first_values(connection: Connection, x: SqlExpression) -> list[object]:
    return list(connection.execute(select(x).where(x.is_not(None)).limit(_MAX_VALUES)).scalars())


def _type(values: list[object], *, infinite: bool) -> SqlType:
    if not values:
        return sql_types.empty()
    classes = {type(value) for value in values}
    if len(classes) > 1:
        return sql_types.unbinnable("mixed (" + ", ".join(sorted(class_.__name__ for class_ in classes)) + ")")
    if datetime in classes:
        return sql_types.timestamps(zoned=isinstance(values[0], datetime) and values[0].tzinfo is not None)
    if float in classes:
        return sql_types.floats(_is_number if infinite else sql_types.not_null, infinite=infinite)
    class_ = classes.pop()
    return _PYTHON[class_]() if class_ in _PYTHON else sql_types.unbinnable(class_.__name__)


_PYTHON: Final[dict[type, Callable[[], SqlType]]] = {
    bool: sql_types.booleans,
    int: sql_types.integers,
    Decimal: lambda: sql_types.decimals(None),
    str: sql_types.texts,
    date: sql_types.dates,
    time: sql_types.clock_times,
    timedelta: sql_types.durations,
}


def _is_number(x: SqlExpression) -> SqlExpression:
    """Exclude NaN, whether it sorts above every number (DuckDB, Snowflake) or equals nothing (IEEE 754)."""
    return or_(x <= literal(sys.float_info.max, Double()), x == literal(math.inf, Double()))
