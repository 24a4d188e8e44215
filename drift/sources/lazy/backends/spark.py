"""Spark, classic and Connect: operations that Narwhals does not provide, or provides slowly."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import narwhals as nw

from drift.sources.lazy.backends.backend import Backend, BackendRules, Condition, SelectedColumns, make_plain

SPARK_IMPLEMENTATIONS: Final = (nw.Implementation.PYSPARK, nw.Implementation.PYSPARK_CONNECT)
_MAX_FIELDS: Final = "spark.sql.codegen.maxFields"


def spark_functions(native: Any) -> Any:
    """Return the functions module for a frame's kind of session: a process may have sessions of both kinds."""
    if type(native).__module__.startswith("pyspark.sql.connect"):
        from pyspark.sql.connect import functions as remote  # noqa: PLC0415 - optional, and slow to load

        return remote
    from pyspark.sql import functions  # noqa: PLC0415 - optional, and slow to load

    return functions


def spark_column(native: Any, name: str) -> Any:
    """Return a column by its name, which may contain any character."""
    return spark_functions(native).col(f"`{name.replace('`', '``')}`")


def _select(native: Any, columns: SelectedColumns) -> Any:
    f = spark_functions(native)
    epoch = f.expr("TIMESTAMP_NTZ'1970-01-01'")

    def microseconds(local: Any) -> Any:
        # From parts, without a zone: `timestampdiff` shifts times that the clocks of the session's zone skipped.
        days, second = f.unix_date(local.cast("date")), f.date_part(f.lit("SECOND"), local)
        minutes = (days.cast("bigint") * 24 + f.hour(local)) * 60 + f.minute(local)
        return minutes * 60_000_000 + (second * 1_000_000).cast("bigint")

    rules: BackendRules = {
        "nulls": lambda column: column.cast("boolean"),
        "float": lambda column: f.nanvl(column.cast("double"), f.lit(None)),
        "date": lambda column: f.unix_date(column).cast("bigint"),
        "instant": f.unix_micros,
        "local time": microseconds,
        "duration": lambda column: microseconds(epoch + column),
    }
    return native.select(
        *[make_plain(rules, spark_column(native, name), dtype).alias(alias) for name, alias, dtype in columns]
    )


def _count(frame: Any, keys: Sequence[str], conditions: Mapping[str, Condition]) -> Any:
    """Count by Spark's own functions: Narwhals makes 70 calls to the JVM for each sum, most of a second in total.

    A count is faster than a sum, because it has no null to handle.
    """
    native = frame.to_native()
    f = spark_functions(native)
    counts = [_count_of(f, condition).alias(name) for name, condition in conditions.items()]
    return nw.from_native(native.groupBy(*keys).agg(f.count(f.lit(1)).alias("n"), *counts))


def _count_of(f: Any, condition: Condition) -> Any:
    if condition.test == "present":
        return f.count(condition.alias)
    if condition.test == "==":  # a literal, because text in an expression would need the session's quoting rules
        return f.count(f.when(f.col(condition.alias) == f.lit(condition.value), 1))
    number = f"{condition.value:f}" if isinstance(condition.value, Decimal) else str(condition.value)
    limit = f"cast('{number}' AS {_sql_type(condition.type)})"
    return f.expr(f"count(CASE WHEN {condition.alias} >= {limit} THEN 1 END)")


def _sql_type(dtype: Any) -> str:
    if isinstance(dtype, nw.Decimal):
        return f"decimal({dtype.precision}, {dtype.scale})"
    return {"Int8": "tinyint", "Int16": "smallint", "Int32": "int", "Int64": "bigint", "Float64": "double"}[str(dtype)]


def _unknown(native: Any, name: str) -> Any:
    type_ = str(native.schema[name].dataType.simpleString())
    if type_.startswith("interval ") and "month" not in type_ and "year" not in type_:
        return nw.Duration("us")
    return None if type_ == "void" else type_


def _sample(native: Any, fraction: float, seed: int) -> Any:
    return native.sample(fraction=fraction, seed=seed)


BACKEND: Final = Backend(_select, lambda _: "us", _unknown, _sample, _count)


@contextlib.contextmanager
def compiled_wide_rows(implementation: nw.Implementation, query: Any) -> Iterator[None]:
    """Let Spark compile rows of many sums: it interprets those of more than 100 fields, three times as slowly."""
    if implementation not in SPARK_IMPLEMENTATIONS:
        yield
        return
    settings = query.to_native().sparkSession.conf
    before = settings.get(_MAX_FIELDS, None)
    settings.set(_MAX_FIELDS, "100000")
    try:
        yield
    finally:
        if before is None:
            settings.unset(_MAX_FIELDS)
        else:
            settings.set(_MAX_FIELDS, before)
