"""`drift serve` as a process, with a source that hangs: a table locked by another session."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from drift.monitors.window import Window
from drift.store import Store
from tests.support.paths import ROOT

CONFIG = """
version: 1
store: sqlite:///drift.db
monitors:
  locked:
    source: {{url: {url}, table: rows}}
    timestamp: ts
    reference: {{from: 2024-01-01, to: 2024-01-08}}
    end: 2024-01-14
    threshold: 0.3
  free:
    source: {{path: rows.parquet}}
    timestamp: ts
    reference: {{from: 2024-01-01, to: 2024-01-08}}
    end: 2024-01-14
    threshold: 0.3
"""


@contextmanager
def serving(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the command on a free port, ticking often."""
    words = ["-W", "error", "-m", "drift", "--log-format", "json", "serve", "--port", "0", "--tick", "0.3"]
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


@pytest.fixture
def project(
    tmp_path: Path, data: Path, own_postgres_url: str, builders: SimpleNamespace
) -> Iterator[psycopg.Connection]:
    """Two monitors, one of them on a table; return the session that can lock it."""
    (tmp_path / "drift.yaml").write_text(CONFIG.format(url=json.dumps(own_postgres_url)), encoding="utf-8")
    with psycopg.connect(own_postgres_url) as session:
        session.execute("CREATE TABLE rows (ts timestamptz, amount double precision)")
        start: datetime = builders.FIRST - timedelta(days=7)
        with session.cursor() as cursor, cursor.copy("COPY rows FROM STDIN") as copy:
            for n in range((7 + builders.DAYS) * 48):
                copy.write_row((start + n * timedelta(minutes=30), (n * 37 % 100) / 100))
        session.commit()
        yield session


@pytest.mark.postgres
@pytest.mark.slow
def test_a_locked_table_blocks_its_own_monitor_only(
    project: psycopg.Connection, tmp_path: Path, sqlite_url: str, builders: SimpleNamespace
) -> None:
    statuses: Callable[..., list[str]] = builders.statuses
    with Store.open(sqlite_url) as store:
        with serving(tmp_path):
            builders.wait_for(lambda: statuses(store, "locked").count("done") == builders.DAYS)
        project.execute("LOCK TABLE rows IN ACCESS EXCLUSIVE MODE")
        _make_due(store, "locked", "free")
        with serving(tmp_path) as process:
            builders.wait_for(lambda: "claimed" in statuses(store, "locked"))
            builders.wait_for(lambda: statuses(store, "free") == ["done"] * builders.DAYS)
            process.send_signal(signal.SIGTERM)
            time.sleep(1)
            assert process.poll() is None, "the running window gets time to end"
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == -signal.SIGTERM
            assert time.monotonic() - begun < 15
        project.rollback()
        with serving(tmp_path):
            builders.wait_for(lambda: statuses(store, "locked") == ["done"] * builders.DAYS)
        assert {row["revision"] for row in store.queries.windows()} == {2}, "each is evaluated once more, none twice"


def _make_due(store: Store, *names: str) -> None:
    """Make all windows of these monitors due again."""
    now = store.now()
    for name in names:
        known = store.monitors.find(name)
        assert known is not None
        rows = store.queries.windows(name)
        instants = [(row["window_start"], row["window_end"]) for row in rows]
        windows = [(Window(datetime.fromisoformat(a), datetime.fromisoformat(b)), now) for a, b in instants]
        assert store.windows.plan_backfill(known, windows) == len(rows)
