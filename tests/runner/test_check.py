"""Checking due windows, on both databases, with the clock of the test."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from drift.errors import StoreError
from drift.histogram import Profile
from drift.histogram.binning import Bins
from drift.monitors.alert_state import State
from drift.monitors.comparison import SegmentResult, compare_profiles
from drift.monitors.spec import Alerting, ColumnRule, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Period, Window
from drift.references import reference_digest
from drift.runner.check import MonitorFailure, WindowResult, run_all
from drift.runner.lease import LEASE_TTL, MAX_ATTEMPTS, hold_lease
from drift.runner.outcome import RETRY_DELAYS
from drift.runner.plan import plan_backfill, plan_windows
from drift.runner.worker import Worker
from drift.sources import open_source
from drift.store import Claim, Outcome, Store
from drift.store.types import ValueRefused

DAY = timedelta(days=1)
START = datetime(2024, 3, 1, tzinfo=UTC)


def write_days(
    path: Path, days: int, *, moved: frozenset[int] = frozenset(), without: frozenset[int] = frozenset()
) -> None:
    """Write 200 rows a day; `x` is shifted by 3 on the days `moved`, and there are no rows on the days `without`."""
    rng = np.random.default_rng(3)
    parts = []
    for day in range(days):
        drawn = rng.normal(3.0 if day in moved else 0.0, 1, 200)
        if day not in without:
            times = [START + day * DAY + timedelta(minutes=7 * i) for i in range(200)]
            parts.append(pl.DataFrame({"ts": times, "x": drawn, "site": ["a", "b"] * 100}))
    pl.concat(parts).write_parquet(path)


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    return Monitor(
        name="m",
        source=FileSource(str(tmp_path / "data.parquet")),
        timestamp="ts",
        reference=Reference(Window(START, START + 10 * DAY)),
        timezone=ZoneInfo("UTC"),
        period=Period.parse("1d"),
        columns=Columns(ColumnRule(limit=Threshold(0.4)), exclude=("site",)),
        alerting=Alerting(notify=("hook",)),
        document={"source": {"path": "data.parquet"}, "timestamp": "ts"},
    )


def check(store: Store, monitor: Monitor, now: datetime, worker: str = "test") -> list[WindowResult]:
    results = list(run_all(store, [monitor], worker=Worker(worker), now=lambda: now))
    failures = [one for one in results if isinstance(one, MonitorFailure)]
    assert not failures, failures
    return [one for one in results if isinstance(one, WindowResult)]


def days_of(checked: list[WindowResult]) -> list[int]:
    return [(one.window.start - START) // DAY for one in checked]


def test_windows_are_checked_as_they_close_oldest_first(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 30)
    assert days_of(check(store, monitor, START + 12.5 * DAY)) == [10, 11]
    assert days_of(check(store, monitor, START + 12.9 * DAY)) == []
    assert days_of(check(store, monitor, START + 20 * DAY)) == list(range(12, 20)), "oldest first"


def test_delay_and_schedule_postpone_a_window(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 30)
    later = replace(monitor, delay=timedelta(hours=1), schedule="30 2 * * *")
    assert check(store, later, START + 11 * DAY + timedelta(hours=2)) == []
    assert days_of(check(store, later, START + 11 * DAY + timedelta(hours=2, minutes=30))) == [10]


def test_a_drift_fires_once_and_resolves_once(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 30, moved=frozenset({13, 14, 15}))
    delayed = replace(monitor, alerting=replace(monitor.alerting, for_windows=2, keep_firing_for=1))
    checked = check(store, delayed, START + 20 * DAY)
    turns = {
        (one.window.start - START) // DAY: [event.transition.after.state for event in one.outcome.events]
        for one in checked
        if one.outcome.events
    }
    assert turns == {13: [State.PENDING], 14: [State.FIRING], 17: [State.RESOLVED]}
    sent = [one.outcome.notification for one in checked if one.outcome.notification]
    assert [n.status for n in sent] == ["firing", "resolved"]
    assert len(store.outbox.due(START + 20 * DAY)) == 2


def test_stored_windows_can_be_scored_again_without_the_data(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 14, moved=frozenset({12}))
    checked = check(store, monitor, START + 14 * DAY)
    (tmp_path / "data.parquet").unlink()
    for one in checked:
        live = store.history.profile("m", one.window.start)
        results = store.history.results("m", one.window.start)
        assert live is not None
        again = compare_profiles(live, reference_of(results), monitor.columns, np.random.default_rng(0))
        for column in again:
            (stored,) = store.queries.scores(
                monitor="m", column=column.column, since=one.window.start, until=one.window.end
            )
            assert stored["score"] == pytest.approx(column.score, abs=0)
            assert stored["verdict"] == column.verdict.value


def reference_of(results: tuple[SegmentResult, ...]) -> Profile:
    sides = {column.column: column.reference for column in results[0].columns if column.reference is not None}
    return Profile(sides, 10 * 200)


def test_re_evaluating_a_window_gives_the_same_numbers(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 14)
    first = check(store, monitor, START + 12 * DAY)
    assert (
        plan_backfill(store, monitor, open_source(monitor), START + 10 * DAY, START + 12 * DAY, START + 12 * DAY) == 2
    )
    second = check(store, monitor, START + 12 * DAY)
    assert [one.revision for one in second] == [2, 2]
    assert [s.columns for one in first for s in one.outcome.segments] == [
        s.columns for one in second for s in one.outcome.segments
    ]


def test_an_unreadable_window_is_an_error_and_is_retried(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    data = tmp_path / "data.parquet"
    write_days(data, 14)
    check(store, monitor, START + 11 * DAY)
    good = data.read_bytes()
    data.write_bytes(good[: len(good) // 2])

    now = START + 12 * DAY
    (broken,) = check(store, monitor, now)
    assert broken.verdicts == [Verdict.ERROR]
    assert broken.outcome.code == "source-unreadable"
    assert "data.parquet" in broken.outcome.message
    assert [e.transition.after.state for e in broken.outcome.events] == [State.FIRING]
    assert "data.parquet" in broken.outcome.events[0].message
    assert check(store, monitor, now) == [], "not before the first retry"
    (again,) = check(store, monitor, now + RETRY_DELAYS[0])
    assert (again.revision, again.outcome.events) == (2, ()), "notified once"

    data.write_bytes(good)
    (repaired,) = check(store, monitor, now + RETRY_DELAYS[0] + RETRY_DELAYS[1])
    assert repaired.verdicts == [Verdict.OK]
    assert [e.transition.after.state for e in repaired.outcome.events] == [State.RESOLVED]
    assert check(store, monitor, now + 5 * RETRY_DELAYS[-1]) == []


def test_the_error_is_final_after_all_retries(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    data = tmp_path / "data.parquet"
    write_days(data, 14)
    check(store, monitor, START + 11 * DAY)
    data.write_bytes(b"")
    now, tries = START + 12 * DAY, 0
    while check(store, monitor, now):
        tries += 1
        now += RETRY_DELAYS[-1]
        assert tries < 10
    assert tries == 1 + len(RETRY_DELAYS)


def test_a_window_without_rows_raises_one_alert(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 14, without=frozenset({11}))
    checked = check(store, monitor, START + 13 * DAY)
    assert [one.outcome.verdict for one in checked] == [Verdict.OK, Verdict.NO_DATA, Verdict.OK]
    turned = [(e.transition.fingerprint.column, e.transition.fingerprint.rule, e.transition.after.state)
              for one in checked for e in one.outcome.events]  # fmt: skip
    assert turned == [("", "no_data", State.FIRING), ("", "no_data", State.RESOLVED)]


def test_a_changed_definition_does_not_plan_the_past_again(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 30)
    check(store, monitor, START + 15 * DAY)
    changed = replace(monitor, document={**monitor.document, "threshold": 0.5})
    assert days_of(check(store, changed, START + 16 * DAY)) == [15]


def test_an_interrupted_window_is_due_again_at_once(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path / "data.parquet", 14)
    check(store, monitor, START + 11 * DAY)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("drift.runner.evaluate.compare_profiles", interrupt)
        with pytest.raises(KeyboardInterrupt):
            check(store, monitor, START + 12 * DAY)
    assert days_of(check(store, monitor, START + 12 * DAY)) == [11]


def test_a_segment_missing_from_the_reference_is_not_comparable(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    data = tmp_path / "data.parquet"
    write_days(data, 14)
    frame = pl.read_parquet(data)
    late = pl.col("ts") >= START + 11 * DAY
    frame.with_columns(
        pl.when(late & (pl.col("site") == "b")).then(pl.lit("new")).otherwise("site").alias("site")
    ).write_parquet(data)
    split = replace(monitor, segments=("site",), document={**monitor.document, "segments": ["site"]})
    checked = check(store, split, START + 12 * DAY)
    rows = [{part.segment: part.live.rows for part in one.outcome.segments} for one in checked]
    assert rows[0] == {"": 200, "site=a": 100, "site=b": 100}
    assert rows[1] == {"": 200, "site=a": 100, "site=b": 0, "site=(other)": 100}
    verdicts = {part.segment: part.verdict for part in checked[1].outcome.segments}
    assert verdicts["site=(other)"] is Verdict.NOT_COMPARABLE
    assert verdicts["site=b"] is Verdict.NO_DATA


def test_a_worker_that_lost_its_lease_writes_nothing(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path / "data.parquet", 14)
    check(store, monitor, START + 11 * DAY)
    definition = store.monitors.find("m")
    assert definition is not None
    now, stolen = START + 13 * DAY, []

    def slow(*args: Any, **kwargs: Any) -> Any:
        if not stolen:  # while the first window is being counted, another worker takes it over
            (first, *_) = store.windows.due(definition, now + 2 * LEASE_TTL)
            stolen.append(store.windows.claim(first.id, definition, "other", now + 2 * LEASE_TTL, LEASE_TTL))
        return compare_profiles(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr("drift.runner.evaluate.compare_profiles", slow)
        assert days_of(check(store, monitor, now)) == [], "alerts are decided in order: later windows wait"
    (window,) = [w for w in store.queries.windows("m") if w["window_start"] == "2024-03-12T00:00Z"]
    assert window["status"] == "claimed"


def notified(store: Store, now: datetime) -> list[tuple[str, str]]:
    payloads = [delivery.payload for delivery in store.outbox.due(now)]
    return [(payload["window"]["start"], payload["status"]) for payload in payloads]


def abandon_claim(store: Store, monitor: Monitor, day: int, owner: str) -> datetime:
    """Let a worker claim the window of a day and die; return the time."""
    now = START + 16 * DAY
    check(store, monitor, START + day * DAY)
    definition = store.monitors.define(monitor.name, monitor.document, now)
    windows = [(Window(START + d * DAY, START + (d + 1) * DAY), now) for d in range(day, 16)]
    store.windows.plan(definition, windows)
    assert store.windows.claim(store.windows.due(definition, now)[0].id, definition, owner, now, LEASE_TTL) is not None
    return now


def test_no_alert_is_lost_when_a_worker_dies(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 16, moved=frozenset({12}))
    now = abandon_claim(store, monitor, 12, "elsewhere:1")
    assert check(store, monitor, now) == [], "later windows wait for the leased one"
    assert days_of(check(store, monitor, now + LEASE_TTL)) == [12, 13, 14, 15]
    assert notified(store, now + LEASE_TTL) == [("2024-03-13T00:00Z", "firing"), ("2024-03-14T00:00Z", "resolved")]


def test_windows_of_a_killed_local_process_are_due_at_once(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 16)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass  # it has ended, and its number is free
    now = abandon_claim(store, monitor, 12, f"here:{process.pid}")
    assert days_of(check(store, monitor, now, worker=f"here:{os.getpid()}")) == [12, 13, 14, 15]


def test_a_window_of_a_living_local_process_stays_claimed(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 16)
    now = abandon_claim(store, monitor, 12, f"here:{os.getppid()}")
    assert check(store, monitor, now, worker=f"here:{os.getpid()}") == []


def test_a_crashing_window_is_abandoned_and_later_windows_are_checked(
    store: Store, monitor: Monitor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_days(tmp_path / "data.parquet", 16, moved=frozenset({12}))
    now = abandon_claim(store, monitor, 12, "elsewhere:1")
    definition = store.monitors.find("m")
    assert definition is not None
    for times in range(MAX_ATTEMPTS - 1):  # one host after the other claims it, and dies
        now += LEASE_TTL
        planned = store.windows.due(definition, now)[0]
        assert planned.attempts == times + 1
        assert store.windows.claim(planned.id, definition, f"elsewhere:{times + 2}", now, LEASE_TTL) is not None
    crashing, *others = check(store, monitor, now + LEASE_TTL)
    assert days_of([crashing, *others]) == [12, 13, 14, 15]
    assert (crashing.verdicts, crashing.outcome.retry_at) == ([Verdict.ERROR], None)
    assert crashing.outcome.code == "evaluation-abandoned"
    assert f"crashed {MAX_ATTEMPTS} times" in crashing.outcome.message
    assert "`drift backfill`" in crashing.outcome.message
    assert notified(store, now + LEASE_TTL)[0] == ("2024-03-13T00:00Z", "firing")
    assert [r.levelname for r in caplog.records if getattr(r, "code", "") == "evaluation-abandoned"] == ["ERROR"]

    (tmp_path / "data.parquet").touch()
    rechecked = check(store, replace(monitor, lookback=30 * DAY), now + LEASE_TTL)
    assert rechecked == [], "a re-check does not evaluate it either"
    source, span = open_source(monitor), (START + 12 * DAY, START + 13 * DAY)
    assert plan_backfill(store, monitor, source, *span, now + LEASE_TTL) == 1
    (repaired,) = check(store, monitor, now + LEASE_TTL)
    assert repaired.verdicts == [Verdict.DRIFT], "a backfill evaluates it again"


def test_a_window_released_many_times_is_still_checked(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 16)
    now = abandon_claim(store, monitor, 15, "elsewhere:0")
    definition = store.monitors.find("m")
    assert definition is not None
    for times in range(3 * MAX_ATTEMPTS):  # released each time, as by a service that stops
        planned = store.windows.due(definition, now := now + LEASE_TTL)[0]
        claim = store.windows.claim(planned.id, definition, f"elsewhere:{times}", now, LEASE_TTL)
        assert claim is not None
        assert claim.crashes == 1
        store.windows.release(claim)
    (result,) = check(store, monitor, now)
    assert result.verdicts == [Verdict.OK]


def test_an_abandoned_recheck_leaves_the_window_unchanged(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 12)
    check(store, monitor, START + 11 * DAY)
    definition = store.monitors.find("m")
    assert definition is not None
    now = START + 11 * DAY
    (ended,) = store.windows.checked_since(definition.monitor_id, START)
    assert store.windows.recheck({ended.id: "else"}, now) == 1
    for times in range(MAX_ATTEMPTS):
        assert store.windows.claim(ended.id, definition, f"elsewhere:{times}", now, LEASE_TTL) is not None
        now += LEASE_TTL
    assert check(store, monitor, now) == []
    assert [(row["status"], row["verdict"]) for row in store.queries.windows("m")] == [("done", "ok")]


def test_crashes_do_not_use_up_the_retries_of_errors(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    data = tmp_path / "data.parquet"
    write_days(data, 12)
    now = abandon_claim(store, monitor, 11, "elsewhere:0")
    definition = store.monitors.find("m")
    assert definition is not None
    for times in range(MAX_ATTEMPTS - 2):
        planned = store.windows.due(definition, now := now + LEASE_TTL)[0]
        assert store.windows.claim(planned.id, definition, f"elsewhere:{times}", now, LEASE_TTL) is not None
    data.write_bytes(b"")
    tries: list[WindowResult] = []
    for _ in range(2 + len(RETRY_DELAYS)):
        now += RETRY_DELAYS[-1]
        tries += [one for one in check(store, monitor, now) if days_of([one]) == [11]]
    assert [one.verdicts for one in tries] == [[Verdict.ERROR]] * (1 + len(RETRY_DELAYS))
    waits = [one.outcome.retry_at for one in tries]
    assert [wait is None for wait in waits] == [False] * len(RETRY_DELAYS) + [True]


def test_a_window_whose_outcome_is_refused_is_abandoned(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path / "data.parquet", 13)
    finish = store.windows.commit

    def refuse(claim: Claim, outcome: Outcome, now: datetime) -> None:
        if claim.window.start == START + 10 * DAY and outcome.segments:
            raise ValueRefused("the store keeps finite numbers; got nan")
        finish(claim, outcome, now)

    monkeypatch.setattr(store.windows, "commit", refuse)
    now = START + 13 * DAY
    for _ in range(MAX_ATTEMPTS):
        (failed,) = run_all(store, [monitor], worker=Worker("test"), now=lambda: now)
        assert isinstance(failed, MonitorFailure)
        assert "got nan" in failed.message
    assert [(row["status"], row["attempts"]) for row in store.queries.windows("m")] == [
        ("claimed", MAX_ATTEMPTS),
        *[("due", 0)] * 2,
    ]
    first, *others = check(store, monitor, now)
    assert (first.verdicts, first.outcome.retry_at) == ([Verdict.ERROR], None)
    assert first.outcome.code == "evaluation-abandoned"
    assert f"crashed {MAX_ATTEMPTS} times" in first.outcome.message
    assert days_of(others) == [11, 12]


def test_a_window_without_any_storable_outcome_fails_after_all_attempts(
    store: Store, monitor: Monitor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_days(tmp_path / "data.parquet", 13)
    finish, now = store.windows.commit, START + 13 * DAY

    def refuse(claim: Claim, outcome: Outcome, now: datetime) -> None:
        if claim.window.start == START + 10 * DAY:
            raise RuntimeError("a defect")
        finish(claim, outcome, now)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store.windows, "commit", refuse)
        for _ in range(MAX_ATTEMPTS + 1):
            (failed,) = run_all(store, [monitor], worker=Worker("test"), now=lambda: now)
            assert isinstance(failed, MonitorFailure)
        assert days_of(check(store, monitor, now)) == [11, 12]
    row = store.queries.windows("m")[0]
    assert (row["status"], row["verdict"]) == ("failed", None)
    assert "RuntimeError: a defect" in row["message"]
    assert [r.levelname for r in caplog.records if getattr(r, "code", "") == "window-failed"] == ["ERROR"]
    assert plan_backfill(store, monitor, open_source(monitor), START + 10 * DAY, START + 11 * DAY, now) == 1
    assert [one.verdicts for one in check(store, monitor, now)] == [[Verdict.OK]]
    assert store.queries.windows("m")[0]["message"] == "0 of 1 columns drifted"


def test_failures_of_the_store_do_not_count_as_attempts(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 11)
    now = START + 11 * DAY

    def full(*_: object) -> None:
        raise StoreError("database or disk is full")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store.windows, "commit", full)
        for _ in range(MAX_ATTEMPTS + 1):
            (failed,) = run_all(store, [monitor], worker=Worker("test"), now=lambda: now)
            assert isinstance(failed, MonitorFailure)
            assert [(row["status"], row["attempts"]) for row in store.queries.windows("m")] == [("due", 0)]
    assert [one.verdicts for one in check(store, monitor, now)] == [[Verdict.OK]]


def test_a_backfill_never_skips_the_windows_before_it(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 20)
    now = START + 20 * DAY
    assert plan_backfill(store, monitor, open_source(monitor), START + 17 * DAY, START + 18 * DAY, now) == 1
    assert days_of(check(store, monitor, now)) == list(range(10, 20))


def test_weeks_begin_after_the_reference(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 30)  # the reference ends on Monday 11 March 2024
    late = replace(monitor, period=Period.parse("1w"), reference=Reference(Window(START, START + 12 * DAY)))
    checked = check(store, late, START + 30 * DAY)
    assert checked[0].window.start == datetime(2024, 3, 18, tzinfo=UTC)


def test_an_overtaken_drift_fires_an_overtaken_ok_resolves_nothing(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data.parquet"
    monkeypatch.setattr("drift.runner.outcome.RETRY_DELAYS", (2 * DAY,))
    write_days(data, 16, moved=frozenset({11, 13}))
    check(store, monitor, START + 11 * DAY)
    good = data.read_bytes()
    data.write_bytes(b"")
    check(store, monitor, START + 12 * DAY)  # day 11 cannot be read; its retry is due in two days
    data.write_bytes(good)
    (next_day,) = check(store, monitor, START + 13 * DAY)
    assert days_of([next_day]) == [12]
    late, _ = check(store, monitor, START + 14 * DAY)
    assert days_of([late]) == [11]
    drifts = [e for e in late.outcome.events if e.transition.fingerprint.rule == "drift"]
    assert [e.transition.after.state for e in drifts] == [State.FIRING]


def test_a_defect_in_one_window_stops_nothing_else(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_days(tmp_path / "data.parquet", 13)
    calls = []

    def defective(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise ZeroDivisionError("a slip of ours")
        return compare_profiles(*args, **kwargs)

    monkeypatch.setattr("drift.runner.evaluate.compare_profiles", defective)
    other = replace(monitor, name="other")
    results = list(run_all(store, [monitor, other], worker=Worker("test"), now=lambda: START + 13 * DAY))
    verdicts = [one.outcome.verdict for one in results if isinstance(one, WindowResult)]
    assert verdicts == [Verdict.OK, Verdict.ERROR, Verdict.OK] * 1 + [Verdict.OK] * 3
    assert (results[1].outcome.code, "ZeroDivisionError: a slip of ours" in results[1].outcome.message) == (
        "internal-error",
        True,
    )
    assert any(r.exc_info for r in caplog.records), "with its traceback"


def test_a_failed_write_releases_the_window(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path / "data.parquet", 12)
    finish, full = store.windows.commit, []

    def disk_is_full(*args: Any) -> None:
        if not full:
            full.append(True)
            raise StoreError("disk is full", code="disk-full")
        finish(*args)

    monkeypatch.setattr(store.windows, "commit", disk_is_full)
    (failed,) = run_all(store, [monitor], worker=Worker("test"), now=lambda: START + 11 * DAY)
    assert isinstance(failed, MonitorFailure)
    assert failed.code == "disk-full"
    assert days_of(check(store, monitor, START + 11 * DAY)) == [10]


def test_the_lease_of_a_long_evaluation_is_renewed(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 12)
    now = abandon_claim(store, monitor, 10, "here")
    definition = store.monitors.find("m")
    assert definition is not None
    (leased,) = store.windows.leased(definition.monitor_id, now)
    store.windows.expire(leased, now)
    claim = store.windows.claim(leased.window_id, definition, "test", now, LEASE_TTL)
    assert claim is not None
    with hold_lease(store, claim, lambda: now + DAY, lease=timedelta(seconds=0.06)):
        time.sleep(0.2)
    assert store.windows.leased(definition.monitor_id, now + DAY)[0].token == claim.token


def test_a_new_column_is_reported_and_changes_no_verdict(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    data = tmp_path / "data.parquet"
    write_days(data, 12)
    check(store, monitor, START + 11 * DAY)
    pl.read_parquet(data).with_columns(pl.lit(1).alias("fresh")).write_parquet(data)
    (checked,) = check(store, monitor, START + 12 * DAY)
    assert checked.verdicts == [Verdict.OK]
    assert "not in the reference: fresh" in checked.outcome.message


def test_thresholds_keep_the_frozen_reference_and_bins_do_not(monitor: Monitor) -> None:
    default = monitor.columns
    louder = replace(default, overrides={"x": ColumnRule(limit=Threshold(0.9))})
    finer = replace(default, overrides={"x": ColumnRule(bins=Bins(count=20))})
    same, other = (reference_digest(replace(monitor, columns=c)) for c in (louder, finer))
    assert same == reference_digest(monitor) != other


def test_a_worker_reclaims_a_window_it_could_not_release(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 12)
    now = START + 12 * DAY
    definition = plan_windows(store, monitor, open_source(monitor), now)
    first = store.windows.due(definition, now)[0]
    assert (
        store.windows.claim(first.id, definition, "here", now, LEASE_TTL) is not None
    )  # then the store was unreachable
    assert check(store, monitor, now, worker="elsewhere") == [], "another worker waits for the lease to expire"
    assert days_of(check(store, monitor, now, worker="here")) == [10, 11]


def test_unreleased_windows_count_as_attempts_only_if_the_worker_died(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path / "data.parquet", 12)
    now = START + 11 * DAY

    def gone(*_: object) -> None:
        raise StoreError("the database is gone")

    with monkeypatch.context() as patched:
        patched.setattr(store.windows, "commit", gone)
        patched.setattr(store.windows, "release", gone)
        (failed,) = run_all(store, [monitor], worker=Worker("here:1"), now=lambda: now)
        assert isinstance(failed, MonitorFailure)
    assert len(check(store, monitor, now, worker="here:1")) == 1
    assert [row["attempts"] for row in store.queries.windows("m")] == [1]

    definition = plan_windows(store, monitor, open_source(monitor), now + DAY)
    planned = store.windows.due(definition, now + DAY)[0]
    # The first process of a container; the next one has the same name.
    assert store.windows.claim(planned.id, definition, "here:1", now + DAY, LEASE_TTL) is not None
    assert len(check(store, monitor, now + DAY, worker="here:1")) == 1
    assert [row["attempts"] for row in store.queries.windows("m")] == [1, 2]


def test_a_worker_does_not_reclaim_the_window_it_evaluates(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    write_days(tmp_path / "data.parquet", 12)
    now = START + 12 * DAY
    definition = plan_windows(store, monitor, open_source(monitor), now)
    claim = store.windows.claim(store.windows.due(definition, now)[0].id, definition, "here", now, LEASE_TTL)
    assert claim is not None
    with hold_lease(store, claim, lambda: now):
        assert check(store, monitor, now, worker="here") == []
