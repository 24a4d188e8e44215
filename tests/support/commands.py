"""The command as a user runs it: a process of its own, in a folder of its own."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.support.nursery import Nursery

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def drift(tmp_path: Path, nursery: Nursery) -> Run:
    """Runs ``drift ARGS`` in the test's folder; any exit status, output as text."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DRIFT_")}

    def run(*args: object, **more: str) -> "subprocess.CompletedProcess[str]":
        return nursery.command(list(map(str, args)), tmp_path, {**environ, **more})

    return run


def mixed(rows: int, seed: int, *, moved: bool = False) -> pl.DataFrame:
    """Twenty columns of every kind; `moved` shifts n0, rescales n1, adds an unseen category and nulls."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {f"n{i}": rng.normal(0, 1, rows) for i in range(8)}
    columns |= {f"i{i}": rng.integers(0, 3 + 40 * i, rows) for i in range(3)}
    columns |= {f"c{i}": rng.choice([f"v{j}" for j in range(2 + 4 * i)], rows) for i in range(4)}
    columns["flag"] = rng.random(rows) < 0.3
    columns["day"] = pl.Series(rng.integers(0, 300, rows)).cast(pl.Int32).cast(pl.Date)
    columns["when"] = pl.Series(rng.integers(0, 10**9, rows)).cast(pl.Datetime("us", "UTC"))
    columns["took"] = pl.Series(rng.integers(0, 10**9, rows)).cast(pl.Duration("us"))
    columns["price"] = pl.Series(rng.integers(0, 10**4, rows)).cast(pl.Decimal(12, 2))
    frame = pl.DataFrame(columns)
    if not moved:
        return frame
    return frame.with_columns(
        pl.col("n0") + 0.5,
        pl.col("n1") * 3.6,
        pl.when(pl.Series(rng.random(rows) < 0.03)).then(pl.lit("new")).otherwise(pl.col("c1")).alias("c1"),
        pl.when(pl.Series(rng.random(rows) < 0.2)).then(None).otherwise(pl.col("n2")).alias("n2"),
    )
