"""Spark, as far as Narwhals does not say it, or says it slowly."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import narwhals as nw

from drift.sources.lazy.backends.backend import Backend, BackendRules, Question, Wanted, plain

SPARK: Final = (nw.Implementation.PYSPARK, nw.Implementation.PYSPARK_CONNECT)
_WIDE_ROW: Final = "spark.sql.codegen.maxFields"


def spark_functions(native: Any) -> Any:
    """The functions that make this frame's kind of columns: a process may hold both kinds of sessions."""
    if type(native).__module__.startswith("pyspark.sql.connect"):
        from pyspark.sql.connect import functions as remote  # noqa: PLC0415 - optional, and slow to load

        return remote
    from pyspark.sql import functions  # noqa: PLC0415 - optional, and slow to load

    return functions


def spark_column(native: Any, name: str) -> Any:
    """A column by its name, whatever is in it."""
    return spark_functions(native).col(f"`{name.replace('`', '``')}`")


def _select(native: Any, columns: Wanted) -> Any:
    make = spark_functions(native)
    epoch = make.expr("TIMESTAMP_NTZ'1970-01-01'")

    def ticks(wall: Any) -> Any:
        # By parts, without a zone: `timestampdiff` moves times that clocks set forward in the session's zone left out.
        days, second = make.unix_date(wall.cast("date")), make.date_part(make.lit("SECOND"), wall)
        minutes = (days.cast("bigint") * 24 + make.hour(wall)) * 60 + make.minute(wall)
        return minutes * 60_000_000 + (second * 1_000_000).cast("bigint")

    rules: BackendRules = {
        "nothing": lambda column: column.cast("boolean"),
        "float": lambda column: make.nanvl(column.cast("double"), make.lit(None)),
        "date": lambda column: make.unix_date(column).cast("bigint"),
        "instant": make.unix_micros,
        "wall clock": ticks,
        "duration": lambda column: ticks(epoch + column),
    }
    return native.select(
        *[plain(rules, spark_column(native, name), dtype).alias(alias) for name, alias, dtype in columns]
    )


def _count(frame: Any, keys: Sequence[str], asked: Mapping[str, Question]) -> Any:
    """Said in Spark's own words: Narwhals takes 70 calls to the JVM for a sum, together most of a second.

    A count has no null of its own to look after, as a sum has, and is quicker.
    """
    native = frame.to_native()
    make = spark_functions(native)
    counts = [_true(make, question).alias(name) for name, question in asked.items()]
    return nw.from_native(native.groupBy(*keys).agg(make.count(make.lit(1)).alias("n"), *counts))


def _true(make: Any, question: Question) -> Any:
    if question.asks == "there":
        return make.count(question.alias)
    if question.asks == "just":  # text, which would have to be quoted by the session's rules
        return make.count(make.when(make.col(question.alias) == make.lit(question.value), 1))
    number = f"{question.value:f}" if isinstance(question.value, Decimal) else str(question.value)
    limit = f"cast('{number}' AS {_type(question.type)})"
    return make.expr(f"count(CASE WHEN {question.alias} >= {limit} THEN 1 END)")


def _type(dtype: Any) -> str:
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
def wide_rows(implementation: nw.Implementation, query: Any) -> Iterator[None]:
    """Let Spark compile rows of many sums: beyond 100 fields it interprets them, three times as slow."""
    if implementation not in SPARK:
        yield
        return
    settings = query.to_native().sparkSession.conf
    before = settings.get(_WIDE_ROW, None)
    settings.set(_WIDE_ROW, "100000")
    try:
        yield
    finally:
        if before is None:
            settings.unset(_WIDE_ROW)
        else:
            settings.set(_WIDE_ROW, before)
