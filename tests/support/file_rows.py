"""Rows of many types for sources of files, and writers of each format."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from drift.monitors.window import Window
from drift.sources.files import Files

START = datetime(2011, 3, 1, tzinfo=UTC)
WINDOW = Window(START + timedelta(hours=5), START + timedelta(hours=31))
UTC_ZONE = ZoneInfo("UTC")
WRITERS: dict[str, Callable[[pa.Table, Path], Any]] = {
    ".parquet": lambda table, path: pyarrow.parquet.write_table(table, path, row_group_size=7000),
    ".feather": lambda table, path: pyarrow.feather.write_feather(table, str(path), chunksize=4000),
    ".csv": pyarrow.csv.write_csv,
}


def file_rows(n: int = 30_000) -> pa.Table:
    """Return rows from `START` on, one every five seconds."""
    rng = np.random.default_rng(3)
    return pa.table(
        {
            "t": pa.array([START + timedelta(seconds=5 * i) for i in range(n)], pa.timestamp("us", "UTC")),
            "x": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.1),
            "n": rng.integers(-5, 500, n),
            "few": rng.choice([0.5, 1.5], n, p=[0.9999, 0.0001]),
            "name": pa.array(rng.choice(["a", "b", "c", "rare"], n, p=[0.6, 0.3, 0.099, 0.001])),
            "country": pa.array(rng.choice(["DE", "FR", "US"], n), mask=rng.random(n) < 0.01),
        }
    )


def write_parquet(path: Path, **columns: Any) -> Path:
    """Write a Parquet file of these columns, and return its path."""
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def files_source(path: Path, timestamp: str | None = "t", zone: ZoneInfo = UTC_ZONE, seed: int = 0) -> Files:
    """Return a source of the files of a path or glob."""
    return Files(str(path), timestamp, zone, seed)
