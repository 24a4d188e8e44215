"""Every way to count rows: libraries of frames, formats of files, databases and clusters.

To test another engine, add one entry to `ENGINES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

import drift
from drift.histogram import Axis, Profile
from tests.support import databases, optional, spark

Count = Callable[[pa.Table, Mapping[str, Axis], Any], Profile]


@dataclass(frozen=True)
class Engine:
    """One way to count a table.

    Parameters
    ----------
    count : callable
        Counts a table on axes, with the rows stored at a location.
    unsupported : mapping of str to str
        The columns that the engine cannot hold, each with the reason.
    location : str
        The fixture of that location: a folder, or the URL of a server.
    """

    count: Count
    unsupported: Mapping[str, str] = field(default_factory=dict)
    location: str = "tmp_path"


def of_frame(convert: Callable[[pa.Table], Any]) -> Count:
    return lambda table, axes, _: drift.profile(convert(table), axes=axes)


def of_files(write: Callable[[pa.Table, Path], Any], suffix: str) -> Count:
    def count(table: pa.Table, axes: Mapping[str, Axis], folder: Path) -> Profile:
        half = table.num_rows // 2  # two files: a column is never in one chunk
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
CATEGORICAL = ["text", "dictionary", "integers", "booleans"]


def to_objects(table: pa.Table) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(table[name].to_pylist(), dtype=object) for name in table.column_names})


def to_categories(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas().astype({name: "category" for name in CATEGORICAL if name in table.column_names})


def to_polars_categories(table: pa.Table) -> pl.DataFrame:
    frame = pl.DataFrame(table)
    return frame.with_columns(
        pl.col(name).cast(pl.Categorical) for name in ("text", "dictionary") if name in frame.columns
    )


def to_duckdb(table: pa.Table) -> Any:
    return optional.require("duckdb").connect().from_arrow(table)


def to_dask(table: pa.Table) -> Any:
    optional.require("dask.dataframe")
    import dask.dataframe

    return dask.dataframe.from_pandas(table.to_pandas(types_mapper=pd.ArrowDtype), npartitions=2)


SPARK_UNSUPPORTED = {
    "uint64": "Spark has no unsigned integers",
    "times": "Spark's times of day are a preview that is off by default",
}
CSV_UNSUPPORTED = {
    "float32": "written with the digits of 32 bits, read as 64 bits",
    "uint64": "numbers beyond signed 64 bits are read as doubles",
    "decimals": "read as doubles",
    "ancient": "fractions of seconds are read as nanoseconds, which cover 1677 to 2262",
    "times": "fractions of seconds are read as text",
    "durations": "Arrow cannot write them",
}
SQLITE_UNSUPPORTED = {
    "float32": "REAL has 64 bits",
    "uint64": "INTEGER has signed 64 bits",
    "decimals": "NUMERIC is stored as integers or doubles",
    "durations": "no such type",
}
ENGINES = {
    "pyarrow": Engine(of_frame(lambda table: table)),
    "pyarrow, in chunks": Engine(of_frame(lambda table: pa.concat_tables([table.slice(0, 3), table.slice(3)]))),
    "pandas, numpy": Engine(of_frame(lambda table: table.to_pandas())),
    "pandas, nullable": Engine(of_frame(lambda table: table.to_pandas(types_mapper=NULLABLE.get))),
    "pandas, arrow": Engine(of_frame(lambda table: table.to_pandas(types_mapper=pd.ArrowDtype))),
    "pandas, object": Engine(of_frame(to_objects), {"uint64": "Arrow takes Python integers of signed 64 bits"}),
    "pandas, category": Engine(of_frame(to_categories)),
    "polars": Engine(of_frame(pl.DataFrame)),
    "polars, categorical": Engine(of_frame(to_polars_categories)),
    "parquet": Engine(of_files(pyarrow.parquet.write_table, ".parquet")),
    "parquet of polars": Engine(of_files(lambda table, path: pl.DataFrame(table).write_parquet(path), ".parquet")),
    "parquet of pandas": Engine(of_files(lambda table, path: table.to_pandas().to_parquet(path), ".parquet")),
    "csv": Engine(of_files(pyarrow.csv.write_csv, ".csv"), CSV_UNSUPPORTED),
    "polars, lazy": Engine(of_frame(pl.LazyFrame)),
    "polars, lazy and categorical": Engine(of_frame(lambda table: to_polars_categories(table).lazy())),
    "duckdb": Engine(of_frame(to_duckdb)),
    "dask": Engine(of_frame(to_dask)),
    "sqlite": Engine(
        lambda table, axes, folder: databases.count(databases.to_sqlite(table, folder / "rows.db"), axes),
        SQLITE_UNSUPPORTED,
    ),
    "postgresql": Engine(
        lambda table, axes, url: databases.count(databases.to_postgres(table, url), axes), location="warehouse_url"
    ),
}
SPARK = {
    "spark": Engine(of_frame(lambda table: spark.frame(spark.classic(), table)), SPARK_UNSUPPORTED),
    "spark connect": Engine(of_frame(lambda table: spark.frame(spark.connect(), table)), SPARK_UNSUPPORTED),
}
SPARK_MARKS = (pytest.mark.spark, pytest.mark.filterwarnings(spark.QUIET))
every_engine = pytest.mark.parametrize(
    "engine",
    [
        *(
            pytest.param(engine, id=name, marks=pytest.mark.postgres if engine.location == "warehouse_url" else ())
            for name, engine in ENGINES.items()
        ),
        *(pytest.param(engine, id=name, marks=SPARK_MARKS) for name, engine in SPARK.items()),
    ],
)
