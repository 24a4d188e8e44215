"""A window that crashes its workers: real processes, each ended by SIGKILL at the same step."""

import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drift.runner.isolation import ISOLATE_AFTER_CRASHES
from drift.runner.lease import MAX_ATTEMPTS
from drift.sources.files import Files
from tests.support.nursery import Nursery

START = datetime(2024, 3, 1, tzinfo=UTC)
CONFIG = """
version: 1
store: sqlite:///drift.db
monitors:
  m:
    source: {path: data.parquet}
    timestamp: ts
    window: 1d
    start: 2024-03-05
    end: 2024-03-08
    reference: {from: 2024-03-01, to: 2024-03-05}
    threshold: 0.4
    alert: {notify: [log]}
channels:
  log: {type: file, path: notifications.jsonl}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    times = [START + timedelta(minutes=30 * n) for n in range(7 * 48)]
    pl.DataFrame({"ts": times, "x": rng.normal(size=len(times))}).write_parquet(tmp_path / "data.parquet")
    made = tmp_path / "drift.yaml"
    made.write_text(CONFIG)
    return made


def windows(folder: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "drift.db")) as store:
        query = "SELECT w.status, w.attempts, r.verdict, r.message FROM window w LEFT JOIN revision r "
        query += "ON r.window_id = w.id AND r.number = w.revision ORDER BY w.start_at"
        return store.execute(query).fetchall()


def crash_on(names: str) -> None:
    """In a child process: kill it when it counts `names`, as the system does if memory is short; slow down the rest."""
    whole = Files.count

    def count(self: Files, *query: Any) -> Any:
        if names in str(self.pattern):
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.6)
        return whole(self, *query)

    Files.count = count  # type: ignore[method-assign]


@pytest.mark.slow
def test_a_crashing_window_does_not_use_up_other_monitors_attempts(config: Path, nursery: Nursery) -> None:
    folder, log = config.parent, config.parent / "log"
    rows = (folder / "data.parquet").read_bytes()
    text = CONFIG.replace("2024-03-08", "2024-03-06")
    head, monitor, tail = (
        text.partition("  m:\n")[0],
        text.partition("  m:\n")[2].partition("channels:")[0],
        "channels:",
    )
    tail += text.partition("channels:")[2]
    for name in ("bad", "good"):
        (folder / f"{name}.parquet").write_bytes(rows)
        head += f"  {name}:\n" + monitor.replace("data.parquet", f"{name}.parquet")
    config.write_text(head + tail)
    serve = ["serve", "-c", str(config), "--port", "0", "--tick", "0.3"]
    stop = {"DRIFT_STOP_AT": "sent:1:SIGTERM"}  # after the notification of the abandoned window
    for _ in range(MAX_ATTEMPTS):
        assert (
            nursery.run(serve, log, before="tests.runner.test_crashing_window:crash_on:bad", **stop) == -signal.SIGKILL
        ), log.read_text()
    assert nursery.run(serve, log, before="tests.runner.test_crashing_window:crash_on:bad", **stop) == 0, (
        log.read_text()
    )
    with closing(sqlite3.connect(folder / "drift.db")) as store:
        query = "SELECT m.name, w.status, w.attempts, r.verdict FROM window w JOIN monitor m ON m.id = w.monitor_id "
        rows = store.execute(query + "JOIN revision r ON r.window_id = w.id ORDER BY m.name").fetchall()
    bad, good = rows
    assert bad == ("bad", "done", MAX_ATTEMPTS + 1, "error")
    assert (good[1], good[3]) == ("done", "ok")
    assert good[2] <= ISOLATE_AFTER_CRASHES + 1, "crashed with the other window until both were isolated"


@pytest.mark.slow
def test_a_crash_loop_ends_in_an_alert(config: Path, nursery: Nursery) -> None:
    folder, log = config.parent, config.parent / "log"
    for times in range(MAX_ATTEMPTS):
        status = nursery.run(["run", "-c", str(config)], log, DRIFT_STOP_AT="counted")
        assert status == -signal.SIGKILL, log.read_text()
        assert [row[:3] for row in windows(folder)] == [("claimed", times + 1, None), *[("due", 0, None)] * 2]
    # It would be killed at the third window that it counts; the abandoned one is not counted.
    assert nursery.run(["run", "-c", str(config)], log, DRIFT_STOP_AT="counted:3") == 3, log.read_text()
    first, *others = windows(folder)
    assert (first[0], first[2]) == ("done", "error")
    assert f"crashed {MAX_ATTEMPTS} times" in first[3]
    assert [(row[0], row[2]) for row in others] == [("done", "ok")] * 2
    messages = [json.loads(line) for line in (folder / "notifications.jsonl").read_text().splitlines()]
    assert [(one["status"], one["window"]["start"]) for one in messages] == [
        ("firing", "2024-03-05T00:00Z"),
        ("resolved", "2024-03-06T00:00Z"),
    ]
    again = ["backfill", "-c", str(config), "--from", "2024-03-05", "--to", "2024-03-06"]
    assert nursery.run(again, log) == 0, log.read_text()
    assert [row[2] for row in windows(folder)] == ["ok"] * 3
