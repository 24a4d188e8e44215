"""Catching up, skipping, and re-checks because of late rows; on both databases."""

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from drift.errors import SourceError
from drift.monitors.alert_state import State
from drift.monitors.spec import ColumnRule, Columns, FileSource, Monitor, Reference, SqlSource
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Period, Window, format_instant
from drift.runner.check import RecheckSkipped, WindowResult, run_all
from drift.runner.outcome import RETRY_DELAYS
from drift.runner.plan import plan_backfill
from drift.runner.retention import prune_monitors
from drift.runner.worker import Worker
from drift.sources import open_source
from drift.sources.files import Files
from drift.sources.sql import Sql
from drift.store import Claim, Store

DAY = timedelta(days=1)
START = datetime(2024, 3, 1, tzinfo=UTC)
REFERENCE = 10  # days


def write_days(path: Path, days: int, *, moved: frozenset[int] = frozenset(), rows: int = 200) -> None:
    """Write so many rows a day; `x` is shifted on the days `moved`."""
    rng = np.random.default_rng(3)
    drawn = rng.normal(0, 1, (days, rows)) + 3.0 * np.isin(np.arange(days), list(moved))[:, None]
    times = [START + day * DAY + n * DAY / (rows + 1) for day in range(days) for n in range(rows)]
    pl.DataFrame({"ts": times, "x": drawn.ravel()}).write_parquet(path)


def add_rows(path: Path, day: int, rows: int, at: float) -> None:
    """Add late rows, all of them near one value."""
    frame = pl.read_parquet(path)
    times = [START + day * DAY + n * DAY / (rows + 1) for n in range(rows)]
    values = np.random.default_rng(day).normal(at, 0.1, rows)
    late = pl.DataFrame({"ts": times, "x": values}, schema=frame.schema)
    pl.concat([frame, late]).write_parquet(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data.parquet"


@pytest.fixture
def monitor(data: Path) -> Monitor:
    return Monitor(
        name="m",
        source=FileSource(str(data)),
        timestamp="ts",
        reference=Reference(Window(START, START + REFERENCE * DAY)),
        timezone=ZoneInfo("UTC"),
        period=Period.parse("1d"),
        columns=Columns(ColumnRule(limit=Threshold(0.4))),
        document={"name": "m"},
    )


def check(store: Store, monitor: Monitor, day: float, limit: int | None = None) -> list[WindowResult]:
    moment = START + day * DAY
    results = list(run_all(store, [monitor], worker=Worker("test"), now=lambda: moment, limit=limit))
    assert all(isinstance(one, WindowResult | RecheckSkipped) for one in results), results
    return [one for one in results if isinstance(one, WindowResult)]


def days_of(checked: list[WindowResult]) -> list[int]:
    return [(one.window.start - START) // DAY for one in checked]


def starts(store: Store, status: str) -> list[int]:
    wanted = {format_instant(START + day * DAY): day for day in range(100)}
    return [wanted[row["window_start"]] for row in store.queries.windows("m") if row["status"] == status]


@pytest.mark.parametrize("outage", [1, 30])
def test_after_an_outage_every_window_is_checked_oldest_first(
    store: Store, monitor: Monitor, data: Path, outage: int
) -> None:
    write_days(data, 50, moved=frozenset({13}))
    check(store, monitor, 12)
    results = check(store, monitor, 12 + outage)
    assert days_of(results) == list(range(12, 12 + outage))
    assert starts(store, "done") == list(range(REFERENCE, 12 + outage))


def test_catch_up_skips_windows_with_a_warning(
    store: Store, monitor: Monitor, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_days(data, 50)
    limited = replace(monitor, catch_up=7 * DAY)
    check(store, limited, 12)
    assert days_of(check(store, limited, 42)) == list(range(34, 42)), "due on day 35 and later"
    assert starts(store, "skipped") == list(range(12, 34))
    (row,) = [row for row in store.queries.windows("m") if row["window_start"] == format_instant(START + 12 * DAY)]
    assert (row["verdict"], row["revision"]) == (None, None)
    assert "catch_up: 7d" in row["message"]
    assert "`drift backfill`" in row["message"]
    assert store.queries.counts_by_status()["windows"] == {"done": 10, "skipped": 22}
    (record,) = [r for r in caplog.records if getattr(r, "code", "") == "windows-skipped"]
    assert record.levelno == logging.WARNING
    assert "22 windows" in record.getMessage()
    assert check(store, limited, 42) == []


def test_a_backfill_checks_skipped_windows(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 50)
    limited = replace(monitor, catch_up=7 * DAY)
    check(store, limited, 30)
    before = starts(store, "skipped")
    now = START + 30 * DAY
    assert plan_backfill(store, limited, open_source(limited), START + 11 * DAY, START + 13 * DAY, now) == 2
    assert days_of(check(store, limited, 30)) == [11, 12]
    assert starts(store, "skipped") == [day for day in before if day not in {11, 12}]


def test_a_started_window_is_never_skipped(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 12)
    check(store, monitor, 11)
    good = data.read_bytes()
    data.write_bytes(b"")
    check(store, monitor, 12)
    data.write_bytes(good)
    results = check(store, replace(monitor, catch_up=DAY, end=START + 12 * DAY), 40)
    assert days_of(results) == [11]


def test_late_rows_make_a_revision_and_fire_once(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 12)
    with_lookback = replace(monitor, lookback=2 * DAY)
    assert days_of(check(store, with_lookback, 12)) == [10, 11]
    assert check(store, with_lookback, 12.1) == [], "nothing has changed"
    add_rows(data, 11, 400, at=8.0)
    (again,) = check(store, with_lookback, 12.2)
    assert (days_of([again]), again.revision, again.outcome.verdict) == ([11], 2, Verdict.DRIFT)
    assert [e.transition.after.state for e in again.outcome.events] == [State.FIRING]
    assert check(store, with_lookback, 12.3) == []
    revisions = [(row["revision"], row["rows"]) for row in store.queries.windows("m", revisions="all")]
    assert revisions == [(1, 200), (1, 200), (2, 600)]
    assert len(store.outbox.due(START + 13 * DAY)) == 0, "no channel is named"


def test_a_changed_source_without_new_rows_writes_nothing(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 12)
    with_lookback = replace(monitor, lookback=5 * DAY)
    check(store, with_lookback, 12)
    before = store.queries.windows("m", revisions="all")
    add_rows(data, 11, 1, at=0.0)
    assert days_of(check(store, with_lookback, 12.1)) == [11], "the other window was counted, and is unchanged"
    after = store.queries.windows("m", revisions="all")
    assert [row for row in after if row["revision"] == 1][:1] == [{**before[0], "attempts": 1}]
    assert {row["status"] for row in after} == {"done"}
    data.touch()
    assert check(store, with_lookback, 12.2) == []
    assert len(store.queries.windows("m", revisions="all")) == 3


def test_windows_older_than_the_lookback_are_not_rechecked(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 14)
    with_lookback = replace(monitor, lookback=2 * DAY)
    check(store, with_lookback, 14)
    add_rows(data, 10, 400, at=8.0)
    add_rows(data, 12, 400, at=8.0)
    assert days_of(check(store, with_lookback, 14)) == [12]
    assert days_of(check(store, monitor, 14)) == [], "without a lookback, never"


def test_a_recheck_reports_only_what_is_new(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 14, moved=frozenset({11}))
    with_lookback = replace(monitor, lookback=5 * DAY)
    states = {(one.window.start - START) // DAY: [e.transition.after.state for e in one.outcome.events]
              for one in check(store, with_lookback, 14)}  # fmt: skip
    assert states == {10: [], 11: [State.FIRING], 12: [State.RESOLVED], 13: []}
    add_rows(data, 11, 5, at=3.0)  # still drifted, which was reported
    add_rows(data, 12, 400, at=8.0)  # drifted only now
    results = check(store, with_lookback, 14.1)
    turned = {day: [e.transition.after.state for e in one.outcome.events]
              for day, one in zip(days_of(results), results, strict=True)}  # fmt: skip
    assert turned == {11: [], 12: [State.FIRING]}


def test_a_failed_recheck_leaves_the_window_and_is_repeated(
    store: Store, monitor: Monitor, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_days(data, 12)
    with_lookback = replace(monitor, lookback=2 * DAY, end=START + 12 * DAY)
    check(store, with_lookback, 12)
    good = data.read_bytes()
    data.write_bytes(b"")
    assert check(store, with_lookback, 12.1) == []
    assert [r.levelname for r in caplog.records if getattr(r, "code", "") == "recheck-failed"] == ["WARNING"] * 2
    caplog.clear()
    assert check(store, with_lookback, 12.2) == []
    failures = [r for r in caplog.records if getattr(r, "code", "") == "recheck-failed"]
    assert len(failures) == 2, "the new rows are still unknown"
    assert [(row["status"], row["verdict"]) for row in store.queries.windows("m")] == [("done", "ok")] * 2
    data.write_bytes(good)
    add_rows(data, 11, 400, at=8.0)
    assert [one.outcome.verdict for one in check(store, with_lookback, 12.3)] == [Verdict.DRIFT]


def test_late_rows_are_seen_after_a_failed_recheck(store: Store, table: tuple[Monitor, Path]) -> None:
    monitor, path = table
    put_days(path, range(13))
    check(store, monitor, 13)
    put_days(path, range(11, 12), rows=300, at=8.0, offset=timedelta(seconds=1))

    def reset(*_: object) -> None:
        raise SourceError("the connection was reset")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Sql, "count", reset)
        assert check(store, monitor, 13.1) == []
    (again,) = check(store, monitor, 13.2)
    assert (days_of([again]), again.outcome.rows, again.outcome.verdict) == ([11], 500, Verdict.DRIFT)
    assert check(store, monitor, 13.3) == []


def test_a_killed_recheck_is_repeated(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 12)
    with_lookback = replace(monitor, lookback=1 * DAY)
    check(store, with_lookback, 12)
    definition = store.monitors.find("m")
    assert definition is not None
    (ended,) = store.windows.checked_since(definition.monitor_id, START + 11 * DAY)
    now = START + 12 * DAY
    assert store.windows.recheck({ended.id: "else"}, now) == 1
    claim = store.windows.claim(ended.id, definition, "elsewhere:1", now, timedelta(minutes=1))
    assert claim is not None
    assert claim.is_recheck
    assert check(store, with_lookback, 12.1) == [], "its rows have not changed"
    assert starts(store, "done") == [10, 11]


def test_retries_are_spread_bounded_and_visible(
    store: Store, monitor: Monitor, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(data, 14)
    check(store, monitor, 10)
    waits = {}
    for name in ("m", "other", "third"):
        one = replace(monitor, name=name)
        check(store, one, 11)
        good = data.read_bytes()
        data.write_bytes(b"")
        check(store, one, 12)
        data.write_bytes(good)
        (row,) = [row for row in store.queries.windows(name) if row["status"] == "due"]
        assert (row["attempts"], row["verdict"]) == (1, "error")
        assert "data.parquet" in row["message"]
        waits[name] = datetime.fromisoformat(row["next_attempt_at"]) - (START + 12 * DAY)
    assert all(0.75 * RETRY_DELAYS[0] <= wait <= RETRY_DELAYS[0] for wait in waits.values())
    assert len(set(waits.values())) == 3
    assert {row["next_attempt_at"] for row in store.queries.windows() if row["status"] == "done"} == {None}


def put_days(path: Path, days: range, *, rows: int = 200, at: float = 0.0, offset: timedelta = timedelta(0)) -> None:
    """Insert rows of some days into a table of a SQLite database."""
    drawn = np.random.default_rng(list(days)).normal(at, 1, (len(days), rows))
    values = [
        ((START + day * DAY + n * DAY / (rows + 1) + offset).isoformat(" "), float(drawn[number, n]))
        for number, day in enumerate(days)
        for n in range(rows)
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (ts TIMESTAMP, x REAL)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", values)


@pytest.fixture
def table(monitor: Monitor, tmp_path: Path) -> tuple[Monitor, Path]:
    """A monitor on a table of a database, with a lookback of two days."""
    path = tmp_path / "rows.db"
    with_lookback = replace(monitor, source=SqlSource(f"sqlite:///{path}", table="t"), lookback=2 * DAY)
    return with_lookback, path


def test_late_rows_before_the_newest_of_a_database_are_seen(store: Store, table: tuple[Monitor, Path]) -> None:
    monitor, path = table
    put_days(path, range(14))
    assert days_of(check(store, monitor, 13)) == [10, 11, 12], "rows of day 13 exist already"
    assert check(store, monitor, 13.1) == []
    put_days(path, range(11, 12), rows=300, at=8.0, offset=timedelta(seconds=1))
    (again,) = check(store, monitor, 13.2)
    assert (days_of([again]), again.revision, again.outcome.rows) == ([11], 2, 500)
    assert check(store, monitor, 13.3) == []


@pytest.mark.parametrize("database", [False, True])
def test_late_rows_of_an_empty_window_are_seen(
    store: Store, monitor: Monitor, data: Path, table: tuple[Monitor, Path], database: bool
) -> None:
    with_lookback, path = table if database else (replace(monitor, lookback=2 * DAY), data)
    if database:
        put_days(path, range(11))
        put_days(path, range(13, 14), rows=1)
    else:
        write_days(path, 13)
        pl.read_parquet(path).filter(pl.col("ts") < START + 11 * DAY).write_parquet(path)
    assert [one.outcome.verdict for one in check(store, with_lookback, 13)][1:] == [Verdict.NO_DATA] * 2
    if database:
        put_days(path, range(12, 13), rows=300, at=8.0)
    else:
        add_rows(path, 12, 300, at=8.0)
    (again,) = check(store, with_lookback, 13.1)
    assert (days_of([again]), again.outcome.rows, again.outcome.verdict) == ([12], 300, Verdict.DRIFT)
    assert events_of([again]) == [(12, "no_data", State.RESOLVED), (12, "drift", State.FIRING)]


def test_newer_rows_of_a_database_cause_no_recheck(
    store: Store, table: tuple[Monitor, Path], caplog: pytest.LogCaptureFixture
) -> None:
    monitor, path = table
    put_days(path, range(13))
    check(store, monitor, 13)
    put_days(path, range(13, 14))
    counted: list[Window] = []
    original = Sql.count

    def watched(self: Sql, axes: Any, window: Window, *rest: Any) -> Any:
        counted.append(window)
        return original(self, axes, window, *rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Sql, "count", watched)
        assert days_of(check(store, monitor, 14)) == [13]
    assert [(window.start - START) // DAY for window in counted] == [13], "the others are not even counted"


def test_deleted_rows_of_a_database_are_seen(store: Store, table: tuple[Monitor, Path]) -> None:
    monitor, path = table
    put_days(path, range(13))
    check(store, monitor, 13)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM t WHERE ts >= '2024-03-13' AND ts < '2024-03-13 12'")
    (again,) = check(store, monitor, 13.1)
    assert (days_of([again]), again.outcome.rows) == ([12], 200 - 101)


def test_rechecks_come_after_new_windows_and_all_are_reached(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 30)
    with_lookback = replace(monitor, lookback=5 * DAY)
    check(store, with_lookback, 20)
    turns: list[int] = []
    settled = store.windows.close_recheck

    def settle(claim: Claim, **rest: Any) -> None:
        turns.append((claim.window.start - START) // DAY)
        settled(claim, **rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store.windows, "close_recheck", settle)
        for hour in range(1, 13):  # the source changes before each run, and a run checks one window
            data.touch()
            os.utime(data, (hour, hour))
            turns += days_of(check(store, with_lookback, 20 + hour / 24, limit=1))
        os.utime(data, (99, 99))
        now = 21.0
        first = days_of(check(store, with_lookback, now, limit=1))
    assert turns[:10] == [15, 16, 17, 18, 19] * 2, "the second pass begins when the first is through"
    assert first == [20], "a window that was never checked comes first"


def events_of(checked: list[WindowResult]) -> list[tuple[int, str, State]]:
    """Return the changes of alerts: day of the window, rule, new state."""
    return [
        (day, e.transition.fingerprint.rule, e.transition.after.state)
        for day, one in zip(days_of(checked), checked, strict=True)
        for e in one.outcome.events
    ]


def count_of_files(monkeypatch: pytest.MonkeyPatch, instead: Callable[[Callable[[], Any], Window], Any]) -> None:
    """Call `instead` with the counting of a window and the window, in place of counting files."""
    original = Files.count
    monkeypatch.setattr(Files, "count", lambda self, *rest: instead(lambda: original(self, *rest), rest[1]))


def test_a_new_window_waits_for_one_recheck_at_most(
    store: Store, monitor: Monitor, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(data, 40)
    with_lookback = replace(monitor, lookback=5 * DAY)
    check(store, with_lookback, 20)
    os.utime(data, (9, 9))
    clock = [START + 20 * DAY]
    counted: list[int] = []

    def slowly(count: Callable[[], Any], window: Window) -> Any:
        counted.append((window.start - START) // DAY)
        clock[0] += 0.4 * DAY if counted[-1] < 20 else timedelta(0)
        return count()

    count_of_files(monkeypatch, slowly)
    rounds: list[list[int]] = []
    while not rounds or rounds[-1]:
        before = len(counted)
        list(run_all(store, [with_lookback], worker=Worker("test"), now=lambda: clock[0], recheck=not rounds))
        rounds.append(counted[before:])
    assert rounds == [[15, 16, 17], [20, 18, 19], [21], []]


def test_rechecks_longer_than_a_window_end(
    store: Store, monitor: Monitor, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(data, 40)
    with_lookback = replace(monitor, lookback=3 * DAY)
    check(store, with_lookback, 20)
    os.utime(data, (9, 9))
    clock = [START + 20 * DAY]
    rechecked = []

    def slowly(count: Callable[[], Any], window: Window) -> Any:
        clock[0] += 1.1 * DAY if window.start < START + 20 * DAY else timedelta(0)
        return count()

    count_of_files(monkeypatch, slowly)
    for number in range(4):
        results = run_all(store, [with_lookback], worker=Worker("test"), now=lambda: clock[0], recheck=not number)
        rechecked.append([(one.window.start - START) // DAY for one in results if isinstance(one, RecheckSkipped)])
    assert rechecked == [[17], [18], [19], []]


def test_pruned_windows_are_neither_rechecked_nor_reported_again(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 20, moved=frozenset({16}))
    with_lookback = replace(monitor, lookback=9 * DAY, keep=3 * DAY, end=START + 20 * DAY)
    assert (16, "drift", State.FIRING) in events_of(check(store, with_lookback, 20))
    definition = store.monitors.find("m")
    assert definition is not None
    waiting = next(
        one for one in store.windows.checked_since(definition.monitor_id, START) if one.window.start.day == 17
    )
    assert store.windows.recheck({waiting.id: "else"}, START + 20 * DAY) == 1, "the one that drifted, pruned by then"
    assert prune_monitors(store, [with_lookback], START + 20 * DAY) == 7
    assert check(store, with_lookback, 20) == []
    data.touch()
    assert {one.window.start for one in store.windows.checked_since(definition.monitor_id, START)} == {
        START + day * DAY for day in range(17, 20)
    }
    assert check(store, with_lookback, 20.1) == []
    assert {row["revision"] for row in store.queries.windows("m")} == {1}


def test_a_window_overtaken_before_its_first_check_reports_its_drift(
    store: Store, monitor: Monitor, data: Path
) -> None:
    """The delay was shortened: windows planned before keep their due time."""
    write_days(data, 16, moved=frozenset({11}))
    slow = replace(monitor, delay=2 * DAY, document={"name": "m", "delay": 2})
    assert check(store, slow, 12) == []
    assert days_of(check(store, monitor, 13)) == [10, 12]
    results = check(store, monitor, 14.5)
    assert days_of(results) == [11, 13]
    assert events_of(results) == [(11, "drift", State.FIRING), (13, "drift", State.RESOLVED)]


@pytest.mark.parametrize("readable", [True, False])
def test_a_backfill_of_unchecked_windows_raises_no_alert(
    store: Store, monitor: Monitor, data: Path, monkeypatch: pytest.MonkeyPatch, readable: bool
) -> None:
    write_days(data, 20, moved=frozenset({11}))
    late = replace(monitor, start=START + 14 * DAY)
    check(store, late, 20)
    assert plan_backfill(store, late, open_source(late), START + 10 * DAY, START + 13 * DAY, START + 20 * DAY) == 3
    if not readable:

        def refused(_: object, window: Window) -> None:
            raise SourceError(f"no connection for {window}")

        with pytest.MonkeyPatch.context() as patched:
            count_of_files(patched, refused)
            assert events_of(check(store, late, 20)) == []
    results = check(store, late, 20.01)
    assert [one.outcome.verdict for one in results] == [Verdict.OK, Verdict.DRIFT, Verdict.OK]
    assert events_of(results) == []


def test_an_overtaken_window_without_rows_is_reported(
    store: Store, monitor: Monitor, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a window, as two hours are for windows of an hour.
    monkeypatch.setattr("drift.runner.outcome.RETRY_DELAYS", (1.5 * DAY,))
    write_days(data, 16)
    gap = (pl.col("ts") >= START + 11 * DAY) & (pl.col("ts") < START + 12 * DAY)
    pl.read_parquet(data).filter(~gap).write_parquet(data)
    check(store, monitor, 11)
    good = data.read_bytes()
    data.write_bytes(b"")
    assert events_of(check(store, monitor, 12)) == [(11, "error", State.FIRING)]
    data.write_bytes(good)
    assert events_of(check(store, monitor, 13)) == [(12, "error", State.RESOLVED)]
    assert events_of(check(store, monitor, 13.5)) == [(11, "no_data", State.FIRING)]
    assert events_of(check(store, monitor, 14)) == [(13, "no_data", State.RESOLVED)]


def test_a_backfill_checks_pending_rechecks_and_retries(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 13)
    check(store, monitor, 12)
    definition = store.monitors.find("m")
    assert definition is not None
    good = data.read_bytes()
    data.write_bytes(b"")
    one = replace(monitor, end=START + 13 * DAY)
    assert [c.outcome.verdict for c in check(store, one, 13)] == [Verdict.ERROR]
    data.write_bytes(good)
    first = store.windows.checked_since(definition.monitor_id, START)[0]
    now = START + 13 * DAY
    assert store.windows.recheck({first.id: "else"}, now) == 1
    assert plan_backfill(store, one, open_source(one), START + 10 * DAY, START + 13 * DAY, now) == 3
    assert [(row["revision"], row["status"]) for row in store.queries.windows("m")] == [(1, "due")] * 3
    assert days_of(check(store, one, 13)) == [10, 11, 12]
    assert [row["revision"] for row in store.queries.windows("m")] == [2] * 3


def test_windows_of_a_backfill_are_not_skipped(store: Store, monitor: Monitor, data: Path) -> None:
    write_days(data, 50)
    limited = replace(monitor, catch_up=7 * DAY)
    check(store, limited, 42)
    skipped = starts(store, "skipped")
    assert skipped == list(range(10, 34))
    assert (
        plan_backfill(store, limited, open_source(limited), START + 12 * DAY, START + 30 * DAY, START + 42 * DAY) == 18
    )
    assert days_of(check(store, limited, 42, limit=3)) == [12, 13, 14]
    assert days_of(check(store, limited, 50)) == [*range(15, 30), *range(42, 50)]
    assert starts(store, "skipped") == [10, 11, *range(30, 34)]
