"""What Narwhals does not say alike on Polars, DuckDB and Spark, in this one place."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

import narwhals as nw

from drift.errors import SourceError

_SPARK: Final = (nw.Implementation.PYSPARK, nw.Implementation.PYSPARK_CONNECT)
_WIDE_ROW: Final = "spark.sql.codegen.maxFields"
Wanted = Sequence[tuple[str, str, Any]]
Rules = Mapping[str, Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class Backend:
    """What is said differently on each.

    Parameters
    ----------
    select : callable
        From a native frame, and (name, alias, type) of some columns: a native frame of plain columns.
    unit : callable
        From the type of a column of times: the unit that its plain column counts.
    unknown : callable
        From a native frame and the name of a column whose type Narwhals does not know: the type, if we do; None
        is the type that holds nothing; else its name.
    sample : callable
        From a native frame, a share and a seed: about that share of its rows.
    count : callable
        From a Narwhals frame, keys and questions by name: a frame of the number of rows ("n") and the number of rows
        of which each is true, for each group of rows with the same keys; of all rows where there are none.
    """

    select: Callable[[Any, Wanted], Any]
    unit: Callable[[Any], str]
    unknown: Callable[[Any, str], Any]
    sample: Callable[[Any, float, int], Any]
    count: Callable[[Any, Sequence[str], Mapping[str, "Question"]], Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a plain column in every row; where the value is missing, none is true.

    Parameters
    ----------
    alias : str
        The column.
    asks : str
        "there": is there a value? "at least": is it >= `value`? "just": is it == `value`?
    type : narwhals data type
        Of the column, and of `value`.
    value : int, float, Decimal, bool or str, optional
        Of that type.
    """

    alias: str
    asks: Literal["there", "at least", "just"]
    type: Any
    value: Any = None


def _treatment(dtype: Any) -> str:
    """By which of a backend's rules a column becomes plain; "as it is" where there is none."""
    if dtype is None:
        return "nothing"
    if isinstance(dtype, nw.Datetime):
        return "wall clock" if dtype.time_zone is None else "instant"
    if dtype.is_float():
        return "float"
    named: dict[str, Any] = {
        "text": (nw.Categorical, nw.Enum),
        "date": nw.Date,
        "time": nw.Time,
        "duration": nw.Duration,
    }
    return next((rule for rule, type_ in named.items() if isinstance(dtype, type_)), "as it is")


def _plain(rules: Rules, column: Any, dtype: Any) -> Any:
    rule = rules.get(_treatment(dtype))
    return column if rule is None else rule(column)


def _count(frame: Any, keys: Sequence[str], asked: Mapping[str, Question]) -> Any:
    """Polars and DuckDB add up truth values as they are; as integers they took four and three times as long."""
    rows, truths = nw.len().alias("n"), [_truth(question).sum().alias(name) for name, question in asked.items()]
    return frame.group_by(keys).agg(rows, *truths) if keys else frame.select(rows, *truths)


def _truth(question: Question) -> nw.Expr:
    column, value = nw.col(question.alias), nw.lit(question.value, question.type)
    if question.asks == "there":
        return ~column.is_null()
    return column >= value if question.asks == "at least" else column == value


def _polars_select(native: Any, columns: Wanted) -> Any:
    import polars as pl  # noqa: PLC0415 - optional, and slow to load

    rules: Rules = {
        "nothing": lambda column: column.cast(pl.Boolean),
        "float": lambda column: column.cast(pl.Float64).fill_nan(None),
        "text": lambda column: column.cast(pl.String),
        **dict.fromkeys(
            ("date", "time", "duration", "instant", "wall clock"), lambda column: column.to_physical().cast(pl.Int64)
        ),
    }
    return native.select(_plain(rules, pl.col(name), dtype).alias(alias) for name, alias, dtype in columns)


def _polars_unknown(native: Any, name: str) -> Any:
    type_ = str(native.collect_schema()[name])
    return None if type_ == "Null" else type_


def _polars_sample(native: Any, fraction: float, seed: int) -> Any:
    import polars as pl  # noqa: PLC0415 - optional, and slow to load

    return native.filter(pl.int_range(pl.len(), dtype=pl.UInt32).hash(seed) < int(fraction * 2**64))


def _duckdb_select(native: Any, columns: Wanted) -> Any:
    from duckdb import CaseExpression, ColumnExpression, ConstantExpression, FunctionExpression  # noqa: PLC0415 - optional

    epoch = ConstantExpression("1970-01-01").cast("DATE")

    def ticks(of: str) -> Callable[[Any], Any]:
        return lambda column: _duckdb_instant(column, FunctionExpression(of, column))

    rules: Rules = {
        "nothing": lambda column: column.cast("BOOLEAN"),
        "float": lambda column: CaseExpression(FunctionExpression("isnan", column), ConstantExpression(None)).otherwise(
            column.cast("DOUBLE")
        ),
        "text": lambda column: column.cast("VARCHAR"),
        "date": lambda column: FunctionExpression("date_diff", ConstantExpression("day"), epoch, column),
        "instant": ticks("epoch_us"),
        "wall clock": ticks("epoch_us"),
        "time": lambda column: FunctionExpression("epoch_us", column),
        "duration": lambda column: FunctionExpression("epoch_us", column),
    }
    finer = {**rules, "instant": ticks("epoch_ns"), "wall clock": ticks("epoch_ns")}
    # Names are quoted here, once: before 2.0 DuckDB takes some apart at their dots and quotes.
    quoted = ((name.replace('"', '""'), alias) for name, alias, _ in columns)
    named = ", ".join(f'"{name}" AS {alias}' for name, alias in quoted)
    return native.query("drift_names", f"SELECT {named} FROM drift_names").select(  # noqa: S608
        *[
            _plain(finer if _duckdb_unit(dtype) == "ns" else rules, ColumnExpression(alias), dtype).alias(alias)
            for _, alias, dtype in columns
        ]
    )


def _duckdb_instant(column: Any, ticks: Any) -> Any:
    """Ticks since 1970; of DuckDB's infinite instants it makes null, but they stand beyond all others."""
    from duckdb import CaseExpression, ConstantExpression  # noqa: PLC0415 - optional

    def infinite(name: str) -> Any:
        return column.cast("TIMESTAMP") == ConstantExpression(name).cast("TIMESTAMP")

    first, last = (ConstantExpression(tick).cast("BIGINT") for tick in (-(2**63), 2**63 - 1))
    return CaseExpression(infinite("infinity"), last).when(infinite("-infinity"), first).otherwise(ticks)


def _duckdb_unit(dtype: Any) -> str:
    return "ns" if isinstance(dtype, nw.Datetime) and dtype.time_unit == "ns" else "us"


def _duckdb_unknown(native: Any, name: str) -> Any:
    type_ = str(dict(zip(native.columns, native.types, strict=True))[name])
    return None if type_ == '"NULL"' else type_


def _duckdb_sample(native: Any, fraction: float, seed: int) -> Any:
    drawn = f"USING SAMPLE {100 * fraction:.9f} PERCENT (bernoulli, {int(seed)})"
    return native.query("drift_rows", f"SELECT * FROM drift_rows {drawn}")  # noqa: S608 - two numbers of our own


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


def _spark_select(native: Any, columns: Wanted) -> Any:
    make = spark_functions(native)
    epoch = make.expr("TIMESTAMP_NTZ'1970-01-01'")

    def ticks(wall: Any) -> Any:
        # By parts, without a zone: `timestampdiff` moves times that clocks set forward in the session's zone left out.
        days, second = make.unix_date(wall.cast("date")), make.date_part(make.lit("SECOND"), wall)
        minutes = (days.cast("bigint") * 24 + make.hour(wall)) * 60 + make.minute(wall)
        return minutes * 60_000_000 + (second * 1_000_000).cast("bigint")

    rules: Rules = {
        "nothing": lambda column: column.cast("boolean"),
        "float": lambda column: make.nanvl(column.cast("double"), make.lit(None)),
        "date": lambda column: make.unix_date(column).cast("bigint"),
        "instant": make.unix_micros,
        "wall clock": ticks,
        "duration": lambda column: ticks(epoch + column),
    }
    return native.select(
        *[_plain(rules, spark_column(native, name), dtype).alias(alias) for name, alias, dtype in columns]
    )


def _spark_count(frame: Any, keys: Sequence[str], asked: Mapping[str, Question]) -> Any:
    """Said in Spark's own words: Narwhals takes 70 calls to the JVM for a sum, together most of a second.

    A count has no null of its own to look after, as a sum has, and is quicker.
    """
    native = frame.to_native()
    make = spark_functions(native)
    counts = [_spark_true(make, question).alias(name) for name, question in asked.items()]
    return nw.from_native(native.groupBy(*keys).agg(make.count(make.lit(1)).alias("n"), *counts))


def _spark_true(make: Any, question: Question) -> Any:
    if question.asks == "there":
        return make.count(question.alias)
    if question.asks == "just":  # text, which would have to be quoted by the session's rules
        return make.count(make.when(make.col(question.alias) == make.lit(question.value), 1))
    number = f"{question.value:f}" if isinstance(question.value, Decimal) else str(question.value)
    limit = f"cast('{number}' AS {_spark_type(question.type)})"
    return make.expr(f"count(CASE WHEN {question.alias} >= {limit} THEN 1 END)")


def _spark_type(dtype: Any) -> str:
    if isinstance(dtype, nw.Decimal):
        return f"decimal({dtype.precision}, {dtype.scale})"
    return {"Int8": "tinyint", "Int16": "smallint", "Int32": "int", "Int64": "bigint", "Float64": "double"}[str(dtype)]


def _spark_unknown(native: Any, name: str) -> Any:
    type_ = str(native.schema[name].dataType.simpleString())
    if type_.startswith("interval ") and "month" not in type_ and "year" not in type_:
        return nw.Duration("us")
    return None if type_ == "void" else type_


BACKENDS: Final[Mapping[nw.Implementation, Backend]] = {
    nw.Implementation.POLARS: Backend(
        _polars_select,
        lambda dtype: "ns" if isinstance(dtype, nw.Time) else str(dtype.time_unit),
        _polars_unknown,
        _polars_sample,
        _count,
    ),
    nw.Implementation.DUCKDB: Backend(_duckdb_select, _duckdb_unit, _duckdb_unknown, _duckdb_sample, _count),
    **dict.fromkeys(
        _SPARK,
        Backend(
            _spark_select,
            lambda _: "us",
            _spark_unknown,
            lambda native, fraction, seed: native.sample(fraction=fraction, seed=seed),
            _spark_count,
        ),
    ),
}


@contextlib.contextmanager
def reading(implementation: nw.Implementation) -> Iterator[None]:
    """What a backend raises becomes a SourceError in its words.

    Raises
    ------
    SourceError
        Where the backend fails.
    """
    try:
        yield
    except _failures(implementation) as error:
        told = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise SourceError(f"cannot read the data in {implementation.value}: {told.strip()}") from error


def _failures(implementation: nw.Implementation) -> tuple[type[BaseException], ...]:
    general: tuple[type[BaseException], ...] = (nw.exceptions.NarwhalsError, OSError)
    if implementation is nw.Implementation.POLARS:
        import polars as pl  # noqa: PLC0415 - optional, and slow to load

        return (*general, pl.exceptions.PolarsError)
    if implementation is nw.Implementation.DUCKDB:
        import duckdb  # noqa: PLC0415 - optional

        return (*general, duckdb.Error)
    from pyspark.errors import PySparkException  # noqa: PLC0415 - optional, and slow to load

    if implementation is nw.Implementation.PYSPARK_CONNECT:
        import grpc  # noqa: PLC0415 - comes with pyspark[connect]

        return (*general, PySparkException, grpc.RpcError)
    from py4j.protocol import Py4JError  # noqa: PLC0415 - comes with pyspark

    return (*general, PySparkException, Py4JError)


@contextlib.contextmanager
def wide_rows(implementation: nw.Implementation, query: Any) -> Iterator[None]:
    """Let Spark compile rows of many sums: beyond 100 fields it interprets them, three times as slow."""
    if implementation not in _SPARK:
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
