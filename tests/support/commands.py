"""Commands in processes of their own, and projects to run them in."""

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store import Outcome, Store
from tests.support.nursery import Nursery

Run = Callable[..., "subprocess.CompletedProcess[str]"]

DAYS = 30


@pytest.fixture
def drift(tmp_path: Path, nursery: Nursery) -> Run:
    """Runs ``drift ARGS`` in the test's folder; any exit status, output as text."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DRIFT_")}

    def run(*args: object, **more: str) -> "subprocess.CompletedProcess[str]":
        return nursery.command(list(map(str, args)), tmp_path, {**environ, **more})

    return run


def strict_json(text: str) -> dict[str, Any]:
    """Parse JSON; NaN and infinity are errors."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    document: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return document


def words(text: str) -> str:
    """Join a table's wrapped cells: rules become spaces, and all white space one space."""
    return " ".join(text.replace("│", " ").split())


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


def daily(days: int = DAYS, *, moved_from: int | None = None, rows: int = 300) -> pl.DataFrame:
    """`rows` rows a day from 2024-01-01; from day `moved_from`, `x` is shifted by two standard deviations."""
    rng = np.random.default_rng(5)
    parts = []
    for day in range(days):
        shift = 2.0 if moved_from is not None and day >= moved_from else 0.0
        start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
        columns = {
            "ts": [start + timedelta(minutes=4 * i) for i in range(rows)],
            "x": rng.normal(shift, 1, rows),
            "kind": rng.choice(["a", "b", "c"], rows),
        }
        parts.append(pl.DataFrame(columns))
    return pl.concat(parts)


def configuration(**changes: Any) -> str:
    """Configuration of one monitor `m` over `daily` rows in data.parquet, as JSON; a change to None drops the key."""
    monitor: dict[str, Any] = {
        "source": {"path": "data.parquet"},
        "timestamp": "ts",
        "reference": {"from": "2024-01-01", "to": "2024-01-11"},
        "end": "2024-01-31",
        "threshold": 0.3,
        "alert": {"notify": ["log"]},
        **changes,
    }
    document = {
        "version": 1,
        "monitors": {"m": {key: value for key, value in monitor.items() if value is not None}},
        "channels": {"log": {"type": "file", "path": "alerts.jsonl"}},
    }
    return json.dumps(document)


def fail_window(store: Store, retry_after: timedelta, window: Window) -> None:
    """Store a check of a window of monitor `m` whose source could not be read."""
    definition = store.monitors.find("m")
    assert definition is not None
    store.windows.plan(definition, [(window, store.now())])
    (due,) = store.windows.due(definition, store.now())
    claim = store.windows.claim(due.id, definition, "another:1", store.now(), timedelta(minutes=10))
    assert claim is not None
    outcome = Outcome(
        rows=0,
        verdict=Verdict.ERROR,
        message="gone",
        source={},
        baseline_id=None,
        segments=(),
        transitions=(),
        events=(),
        notification=None,
        channels=(),
        retry_at=store.now() + retry_after,
    )
    store.windows.commit(claim, outcome, store.now())
