"""The same rows give equal histograms, whichever library or file holds them.

Another engine is one more entry of `ENGINES`: a function from an Arrow table and axes to a profile, and the
columns that it has no way to hold, each with the reason.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drift
from drift.histogram import Axis, CategoricalAxis, Kind, NumericAxis, Profile
from tests.support import (
    databases,
    spark,
)
from tests.support.counting_oracle import exact, expected

INF, NAN, MAX, TINY = float("inf"), float("nan"), sys.float_info.max, 5e-324
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPRING = datetime(2011, 3, 13, 7, 0, 0, 1, tzinfo=UTC)


def naive(*instants: datetime | None) -> list[datetime | None]:
    return [instant and instant.replace(tzinfo=None) for instant in instants]


def instants(*edges: datetime) -> NumericAxis:
    return NumericAxis(tuple(int(exact(edge)) for edge in edges), Kind.DATETIME)


@dataclass(frozen=True)
class Column:
    """Eight rows of a type, and the axis they are counted on."""

    type: pa.DataType
    rows: list[Any]
    axis: Axis


COLUMNS = {
    "floats": Column(pa.float64(), [NAN, None, INF, -INF, -0.0, TINY, 1.5, MAX], NumericAxis((-0.0, TINY, 1.5, MAX))),
    "edges": Column(pa.float64(), [0.1, 0.2, 0.3, 0.1 + 0.2, 0.7, 1.0, 1.1, None], NumericAxis((0.1, 0.3, 0.7, 1.1))),
    "decimal edges": Column(
        pa.float64(), [0.1, 0.2, 0.3, 0.1 + 0.2, 0.7, 1.0, 1.1, None], NumericAxis((Decimal("0.1"), Decimal("0.3")))
    ),
    "float32": Column(pa.float32(), [0.1, 0.25, 0.5, NAN, None, INF, -INF, -0.0], NumericAxis((0, 0.1, 0.5))),
    "int64": Column(
        pa.int64(),
        [-(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**62, 2**63 - 1],
        NumericAxis((-(2**63), 0, 2**53 + 1, 2.0**62, 2**63)),
    ),
    "integers": Column(pa.int64(), [0, 1, 2, None, 4, 5, None, 7], NumericAxis((0, 2, 4.5, 7))),
    "int8": Column(pa.int8(), [-128, -1, 0, 1, 100, 127, 126, 5], NumericAxis((-1000, -128, 0, 126.5, 1000))),
    "uint64": Column(pa.uint64(), [0, 1, 2**63, 2**63 + 1, 2**64 - 1, 5, 6, 7], NumericAxis((1, 2**63 + 1, 2**64 - 1))),
    "decimals": Column(
        pa.decimal128(38, 2),
        [Decimal(text) for text in ("0.10", "0.09", "-0.01", "1e35", "0.00", "7.77", "0.11")] + [None],
        NumericAxis((Decimal("0.00"), Decimal("0.10"), 0.11, 10**35)),
    ),
    "truth": Column(
        pa.bool_(), [True, False, None, True, True, None, False, True], CategoricalAxis((True,), kind=Kind.BOOLEAN)
    ),
    "whole truth": Column(pa.bool_(), [True, False] * 4, CategoricalAxis((True,), frozenset({False}), Kind.BOOLEAN)),
    "text": Column(
        pa.string(),
        ["", "nan", None, "NA", "caf\u00e9", "cafe\u0301", 'line\nbreak, "quote"', "\U0001f6b2"],
        CategoricalAxis(("", "nan", "NA", "caf\u00e9", 'line\nbreak, "quote"'), frozenset({"\U0001f6b2"})),
    ),
    "dictionary": Column(
        pa.dictionary(pa.int8(), pa.string()), ["a", "b", None, "a", "c", "d", "a", "b"], CategoricalAxis(("b", "a"))
    ),
    "instants": Column(
        pa.timestamp("us", "UTC"),
        [
            SPRING,
            EPOCH,
            EPOCH - timedelta(microseconds=1),
            None,
            *[SPRING + timedelta(microseconds=i) for i in range(4)],
        ],
        instants(EPOCH, SPRING, SPRING + timedelta(microseconds=2)),
    ),
    "elsewhere": Column(
        pa.timestamp("ms", "Asia/Kolkata"),
        [EPOCH, None, *[EPOCH + timedelta(hours=i) for i in range(6)]],
        instants(EPOCH, EPOCH + timedelta(hours=2)),
    ),
    "wall clock": Column(
        pa.timestamp("us"), naive(SPRING, None, EPOCH, SPRING, EPOCH, SPRING, None, EPOCH), instants(EPOCH, SPRING)
    ),
    "ancient": Column(
        pa.timestamp("us"),
        naive(datetime(1, 1, 1, tzinfo=UTC), None, datetime(9999, 12, 31, tzinfo=UTC), *[EPOCH] * 5),
        instants(datetime(2, 1, 1, tzinfo=UTC), EPOCH),
    ),
    "dates": Column(
        pa.date32(),
        [date(1969, 12, 31), date(1970, 1, 1), date(1, 1, 1), date(9999, 12, 31), None, *[date(2011, 3, 13)] * 3],
        instants(EPOCH, datetime(2011, 3, 13, tzinfo=UTC)),
    ),
    "times": Column(
        pa.time64("us"),
        [time(0), time(23, 59, 59, 999999), time(12), None, time(12, 0, 0, 1), time(6), time(7), time(8)],
        NumericAxis((0, int(exact(time(12))), int(exact(time(12, 0, 0, 1)))), Kind.DURATION),
    ),
    "durations": Column(
        pa.duration("us"),
        [
            timedelta(0),
            timedelta(microseconds=-1),
            timedelta(days=400),
            None,
            *[timedelta(seconds=i) for i in range(4)],
        ],
        NumericAxis((0, 2 * 10**9), Kind.DURATION),
    ),
    "nothing": Column(pa.null(), [None] * 8, NumericAxis((0, 1))),
    'odd "name". with, \n\U0001f6b2': Column(pa.int64(), list(range(8)), NumericAxis((3,))),
}
AXES = {name: column.axis for name, column in COLUMNS.items()}


def arrow_table(columns: Mapping[str, Column] = COLUMNS) -> pa.Table:
    return pa.table({name: pa.array(column.rows, column.type) for name, column in columns.items()})


Count = Callable[[pa.Table, Mapping[str, Axis], Any], Profile]


@dataclass(frozen=True)
class Engine:
    """How an engine counts a table (where: in a folder, or at a server), and what it cannot hold: column to reason."""

    count: Count
    cannot: Mapping[str, str] = field(default_factory=dict)
    place: str = "tmp_path"


def frame(convert: Callable[[pa.Table], Any]) -> Count:
    return lambda table, axes, _: drift.profile(convert(table), axes=axes)


def file(write: Callable[[pa.Table, Path], Any], suffix: str) -> Count:
    def count(table: pa.Table, axes: Mapping[str, Axis], folder: Path) -> Profile:
        half = table.num_rows // 2  # two files: rows of one column never lie together
        write(table.slice(0, half), folder / f"a{suffix}")
        write(table.slice(half), folder / f"b{suffix}")
        return drift.profile(folder / f"?{suffix}", axes=axes)

    return count


NULLABLE = {
    pa.int64(): pd.Int64Dtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.float32(): pd.Float32Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype("python"),
}
CATEGORICAL = ["text", "dictionary", "integers", "truth"]


def to_objects(table: pa.Table) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(table[name].to_pylist(), dtype=object) for name in table.column_names})


def to_categories(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas().astype({name: "category" for name in CATEGORICAL if name in table.column_names})


def to_polars_categories(table: pa.Table) -> pl.DataFrame:
    held = pl.DataFrame(table)
    return held.with_columns(
        pl.col(name).cast(pl.Categorical) for name in ("text", "dictionary") if name in held.columns
    )


def to_duckdb(table: pa.Table) -> Any:
    return spark.needs("duckdb").connect().from_arrow(table)


def to_dask(table: pa.Table) -> Any:
    spark.needs("dask.dataframe")
    import dask.dataframe

    return dask.dataframe.from_pandas(table.to_pandas(types_mapper=pd.ArrowDtype), npartitions=2)


SPARK_CANNOT = {
    "uint64": "Spark has no integers without a sign",
    "times": "Spark's times of day are a preview, switched off",
}
CSV_CANNOT = {
    "float32": "written with digits enough for 32 bits, read as 64",
    "uint64": "numbers beyond 64 bits with a sign are read as doubles",
    "decimals": "read as doubles",
    "ancient": "fractions of seconds are read as nanoseconds, which reach from 1677 to 2262",
    "times": "fractions of seconds are read as text",
    "durations": "Arrow writes none",
}
SQLITE_CANNOT = {
    "float32": "REAL has 64 bits",
    "uint64": "INTEGER has 64 bits, one of them for the sign",
    "decimals": "NUMERIC is stored as integers or doubles",
    "durations": "no type holds them",
}
ENGINES = {
    "pyarrow": Engine(frame(lambda table: table)),
    "pyarrow, in chunks": Engine(frame(lambda table: pa.concat_tables([table.slice(0, 3), table.slice(3)]))),
    "pandas, numpy": Engine(frame(lambda table: table.to_pandas())),
    "pandas, nullable": Engine(frame(lambda table: table.to_pandas(types_mapper=NULLABLE.get))),
    "pandas, arrow": Engine(frame(lambda table: table.to_pandas(types_mapper=pd.ArrowDtype))),
    "pandas, object": Engine(frame(to_objects), {"uint64": "Arrow takes Python integers of 64 bits with a sign"}),
    "pandas, category": Engine(frame(to_categories)),
    "polars": Engine(frame(pl.DataFrame)),
    "polars, categorical": Engine(frame(to_polars_categories)),
    "parquet": Engine(file(pyarrow.parquet.write_table, ".parquet")),
    "parquet of polars": Engine(file(lambda table, path: pl.DataFrame(table).write_parquet(path), ".parquet")),
    "parquet of pandas": Engine(file(lambda table, path: table.to_pandas().to_parquet(path), ".parquet")),
    "csv": Engine(file(pyarrow.csv.write_csv, ".csv"), CSV_CANNOT),
    "polars, lazy": Engine(frame(pl.LazyFrame)),
    "polars, lazy and categorical": Engine(frame(lambda table: to_polars_categories(table).lazy())),
    "duckdb": Engine(frame(to_duckdb)),
    "dask": Engine(frame(to_dask)),
    "sqlite": Engine(
        lambda table, axes, folder: databases.count(databases.to_sqlite(table, folder / "rows.db"), axes), SQLITE_CANNOT
    ),
    "postgresql": Engine(
        lambda table, axes, url: databases.count(databases.to_postgres(table, url), axes), place="warehouse_url"
    ),
}
SPARK = {
    "spark": Engine(frame(lambda table: spark.frame(spark.classic(), table)), SPARK_CANNOT),
    "spark connect": Engine(frame(lambda table: spark.frame(spark.connect(), table)), SPARK_CANNOT),
}
SPARK_MARKS = (pytest.mark.spark, pytest.mark.filterwarnings(spark.QUIET))
every_engine = pytest.mark.parametrize(
    "engine",
    [
        *(
            pytest.param(engine, id=name, marks=pytest.mark.postgres if engine.place == "warehouse_url" else ())
            for name, engine in ENGINES.items()
        ),
        *(pytest.param(engine, id=name, marks=SPARK_MARKS) for name, engine in SPARK.items()),
    ],
)


@pytest.fixture
def place(engine: Engine, request: pytest.FixtureRequest) -> Any:
    """Where an engine holds its rows."""
    return request.getfixturevalue(engine.place)


@every_engine
def test_hostile_columns_are_counted_by_the_definition(engine: Engine, place: Any) -> None:
    assert set(engine.cannot) <= set(COLUMNS)
    held = {name: column for name, column in COLUMNS.items() if name not in engine.cannot}
    found = engine.count(arrow_table(held), {name: AXES[name] for name in held}, place)
    assert dict(found.uncounted) == {}
    counts = {name: histogram.counts.tolist() for name, histogram in found.items()}
    # Python's own rows, as the type holds them (0.1 in 32 bits is another number).
    truth = {name: expected(pa.array(c.rows, c.type).to_pylist(), c.axis) for name, c in held.items()}
    assert counts == truth
    assert found.rows == 8


@every_engine
def test_no_rows_are_counted_as_none(engine: Engine, place: Any) -> None:
    held = {name: column for name, column in COLUMNS.items() if name not in engine.cannot}
    found = engine.count(arrow_table(held).slice(0, 0), {name: AXES[name] for name in held}, place)
    assert dict(found.uncounted) == {}
    assert set(found) == set(held)
    assert sum(histogram.rows for histogram in found.values()) == found.rows == 0


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, engine in ENGINES.items()
        if not engine.cannot and "parquet" not in name and engine.place == "tmp_path"
    ],
)
@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats()),
            st.integers(-(2**63), 2**63 - 1),
            st.one_of(st.none(), st.text(max_size=2)),
        ),
        min_size=1,
    )
)
def test_any_rows_are_counted_by_the_definition(name: str, rows: list[tuple[Any, ...]]) -> None:
    reference = drift.profile(
        pa.table({"x": [0.0, 0.5, 1.0, 7.0], "n": [-5, 0, 5, 2**60], "text": ["a", "b", "", "0"]})
    )
    x, n, text = (list(column) for column in zip(*rows, strict=True))
    table = pa.table(
        {"x": pa.array(x, pa.float64()), "n": pa.array(n, pa.int64()), "text": pa.array(text, pa.string())}
    )
    found = ENGINES[name].count(table, reference.axes, Path())
    for column, values in (("x", x), ("n", n), ("text", text)):
        assert found[column].counts.tolist() == expected(values, reference[column].axis)


def test_numpy_columns_of_every_unit_of_time() -> None:
    ticks = np.array(["2011-03-13T07", "NaT", "1969-12-31"], dtype="datetime64[s]")
    axis = {"t": instants(EPOCH)}
    for unit in ("s", "ms", "us", "ns"):
        held = pd.DataFrame({"t": ticks.astype(f"datetime64[{unit}]")})
        assert drift.profile(held, axes=axis)["t"].counts.tolist() == [1, 1, 1]
