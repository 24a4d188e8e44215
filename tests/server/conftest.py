"""Thirteen days of rows, monitors on them, and schedulers over a store."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.monitors.spec import Alerting, ColumnRule, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Threshold
from drift.monitors.window import Period, Window
from drift.notify.channels.file import FileChannel, FileOptions
from drift.runner.worker import Worker
from drift.server import Scheduler
from drift.store import Store

FROM = datetime(2024, 1, 1, tzinfo=UTC)
FIRST = datetime(2024, 1, 8, tzinfo=UTC)
DAYS = 6


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write thirteen days of rows; the last two are shifted."""
    rng = np.random.default_rng(3)
    rows = (7 + DAYS) * 240
    moments = [FROM + timedelta(days=1) / 240 * i for i in range(rows)]
    amount = rng.normal(0, 1, rows) + 3 * (np.arange(rows) >= rows - 480)
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"ts": pa.array(moments, pa.timestamp("us", "UTC")), "amount": amount}), path)
    return path


def make_monitor(data: Path, name: str = "one", window: str = "1d", **more: Any) -> Monitor:
    """Return a monitor on these rows."""
    return Monitor(
        name=name,
        source=FileSource(str(data)),
        timestamp="ts",
        reference=Reference(Window(FROM, FIRST)),
        timezone=ZoneInfo("UTC"),
        period=Period.parse(window),
        columns=Columns(default=ColumnRule(limit=Threshold(0.3))),
        alerting=Alerting(notify=("team",)),
        document={"name": name},
        **more,
    )


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """A store in a SQLite file."""
    with Store.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def make(store: Store, tmp_path: Path) -> Iterator[Callable[..., Scheduler]]:
    """Make schedulers over the store; they are stopped after the test."""
    schedulers: list[Scheduler] = []

    def make_scheduler(
        *monitors: Monitor, now: Callable[[], datetime], interval: float = 30.0, **more: Any
    ) -> Scheduler:
        channels = {
            "team": FileChannel("team", FileOptions(path=tmp_path / "notifications.jsonl")),
            **more.pop("channels", {}),
        }
        rng = np.random.default_rng(1)
        scheduler = Scheduler(
            store, monitors, channels, now=now, worker=Worker("test"), rng=rng, interval=interval, **more
        )
        schedulers.append(scheduler)
        return schedulers[-1]

    yield make_scheduler
    for scheduler in schedulers:
        scheduler.stop()


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait until a condition is true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"still not true after {seconds} s"
        time.sleep(0.01)


def statuses(store: Store, monitor: str = "one") -> list[str]:
    """Return the statuses of a monitor's windows, oldest first."""
    return [row["status"] for row in store.queries.windows(monitor)]


@pytest.fixture(scope="session")
def builders() -> SimpleNamespace:
    """The builders above (test modules do not import conftest)."""
    return SimpleNamespace(make_monitor=make_monitor, wait_for=wait_for, statuses=statuses, FIRST=FIRST, DAYS=DAYS)
