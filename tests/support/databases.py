"""Arrow tables written into databases, by the databases' own types, for the tests of SQL sources."""

import sqlite3
import uuid
from collections.abc import Mapping
from contextlib import closing
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pyarrow as pa
from psycopg import sql

from drift.histogram import Axis, Profile
from drift.monitors.spec import SqlSource
from drift.sources.sql import Sql

UTC = ZoneInfo("UTC")
SQLITE_TYPES = {
    pa.float64(): "REAL",
    pa.int64(): "INTEGER",
    pa.int8(): "SMALLINT",
    pa.bool_(): "BOOLEAN",
    pa.string(): "TEXT",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.null(): "TEXT",
}
POSTGRES_TYPES = {
    pa.float64(): "double precision",
    pa.float32(): "real",
    pa.int64(): "bigint",
    pa.int8(): "smallint",
    pa.uint64(): "numeric(20, 0)",
    pa.decimal128(38, 2): "numeric",
    pa.bool_(): "boolean",
    pa.string(): "text",
    pa.date32(): "date",
    pa.time64("us"): "time",
    pa.duration("us"): "interval",
    pa.timestamp("us"): "timestamp",
    pa.null(): "text",
}


def sqlite_type(type_: pa.DataType) -> str:
    if pa.types.is_dictionary(type_) or pa.types.is_large_string(type_):
        return "VARCHAR"
    return "TIMESTAMP" if pa.types.is_timestamp(type_) else SQLITE_TYPES[type_]


def postgres_type(type_: pa.DataType) -> str:
    if pa.types.is_dictionary(type_) or pa.types.is_large_string(type_):
        return "varchar"
    return "timestamptz" if pa.types.is_timestamp(type_) and type_.tz else POSTGRES_TYPES[type_]


def sqlite_value(value: Any) -> Any:
    """Convert times as the adapters of Python's sqlite3 did: ISO 8601 with a blank."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ") if value.tzinfo else value.isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else value


def to_sqlite(table: pa.Table, file: Path, name: str = "t", types: Mapping[str, str] | None = None) -> SqlSource:
    """Create a table in a SQLite file; `types` are declared types by column."""
    columns = ", ".join(
        f"{_quoted(n)} {(types or {}).get(n) or sqlite_type(table.schema.field(n).type)}" for n in table.column_names
    )
    rows = [tuple(map(sqlite_value, row.values())) for row in table.to_pylist()]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"CREATE TABLE {_quoted(name)} ({columns})")
        connection.executemany(f"INSERT INTO {_quoted(name)} VALUES ({', '.join('?' * table.num_columns)})", rows)
    connection.close()
    return SqlSource(f"sqlite:///{file}", table=name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def to_postgres(
    table: pa.Table, url: str, name: str | None = None, types: Mapping[str, str] | None = None
) -> SqlSource:
    """Create a table in a PostgreSQL database; `types` are declared types by column."""
    name = name or f"t_{uuid.uuid4().hex[:12]}"
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(
            sql.Identifier(n), sql.SQL((types or {}).get(n) or postgres_type(table.schema.field(n).type))
        )
        for n in table.column_names
    )
    rows = [tuple(row.values()) for row in table.to_pylist()]
    with psycopg.connect(url, options="-c timezone=UTC") as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(name), columns))
        marks = sql.SQL(", ").join([sql.Placeholder()] * table.num_columns)
        cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), marks), rows)
    return SqlSource(url, table=name)


def count(spec: SqlSource, axes: Mapping[str, Axis]) -> Profile:
    """Count all rows on given axes."""
    return Sql(spec, None, UTC).count(axes, None, (), ())[""]
