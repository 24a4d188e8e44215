"""Time of counting lazy frames, as ratios within one run: ``python benchmarks/lazy.py [ROWS]``.

Each engine counts the same Parquet file, 15 columns of doubles on ten quantile bins each, and is compared with its own
bare ``count(*), sum(c0), ...`` of the same columns. The goal for Spark is a ratio of at most 3. Time should grow in
proportion to the rows.
"""

import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

import drift

ROUNDS, WARM = 5, 2
COLUMNS = [f"c{i}" for i in range(15)]
EngineQueries = tuple[Callable[[], Any], Any]


def polars(path: Path) -> EngineQueries:
    """Open a lazy scan."""
    import polars as pl  # noqa: PLC0415 - an extra

    frame = pl.scan_parquet(path)
    return lambda: frame.select(pl.len(), pl.col(COLUMNS).sum()).collect(), frame


def duckdb(path: Path) -> EngineQueries:
    """Open a relation."""
    import duckdb  # noqa: PLC0415 - an extra

    connection = duckdb.connect()
    frame = connection.read_parquet(str(path))
    sums = ", ".join(f"sum({name})" for name in COLUMNS)
    return lambda: frame.aggregate(f"count(*), {sums}").fetchall(), frame


def dask(path: Path) -> EngineQueries:
    """Open a frame with a partition per row group, computed by threads."""
    import dask.dataframe  # noqa: PLC0415 - an extra

    frame = dask.dataframe.read_parquet(path, split_row_groups=True)
    return lambda: dask.compute(frame.shape[0], *(frame[name].sum() for name in COLUMNS)), frame


def spark(path: Path) -> EngineQueries:
    """Open a frame in a local Spark of two threads."""
    from pyspark.sql import SparkSession, functions  # noqa: PLC0415 - an extra

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.ui.showConsoleProgress", "false").config("spark.log.level", "ERROR").getOrCreate()
    frame = session.read.parquet(str(path))
    sums = [functions.count(functions.lit(1)), *(functions.sum(name) for name in COLUMNS)]
    return lambda: frame.agg(*sums).collect(), frame


ENGINES = {"polars": polars, "duckdb": duckdb, "dask": dask, "pyspark": spark}


def seconds(function: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    """Run all installed engines, both queries in turn, so that a slow period of the machine affects both."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rng = np.random.default_rng(0)
    reference = drift.profile(pa.table({name: rng.normal(size=100_000) for name in COLUMNS}))
    with tempfile.TemporaryDirectory() as folder:
        for n in (rows, 4 * rows):
            path = Path(folder) / f"{n}.parquet"
            table = pa.table({name: rng.normal(size=n) for name in COLUMNS})
            pyarrow.parquet.write_table(table, path, row_group_size=250_000, use_dictionary=False)
            for name, open_engine in ENGINES.items():
                if importlib.util.find_spec(name) is None:
                    print(f"{name:8} is not installed")
                    continue
                bare, frame = open_engine(path)
                queries: list[Callable[[], Any]] = [bare, lambda frame=frame: drift.profile(frame, axes=reference)]
                timings = [[seconds(query) for query in queries] for _ in range(WARM + ROUNDS)][WARM:]
                sums, counts = (statistics.median(times) for times in zip(*timings, strict=True))
                print(f"{name:8} {n:>10,} rows   bare {sums:6.3f} s   counts {counts:6.3f} s {counts / sums:5.2f} x")


if __name__ == "__main__":
    main()
