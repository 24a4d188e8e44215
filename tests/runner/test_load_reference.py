"""Attempts to read a reference: which count as crashes, isolation, and abandonment."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.errors import StoreError
from drift.monitors.spec import ColumnRule, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Threshold
from drift.monitors.window import Period, Window
from drift.references import Acceptance, accept_windows, current_reference, reference_digest
from drift.runner.check import MonitorFailure, RecheckSkipped, WindowResult, run_all
from drift.runner.isolation import ISOLATE_AFTER_CRASHES, work_slot
from drift.runner.lease import LEASE_TTL, MAX_ATTEMPTS
from drift.runner.load_reference import abandoned_reference, active_attempt, end_attempts, monitors_with_crashes
from drift.runner.plan import plan_backfill
from drift.runner.worker import Worker
from drift.sources import open_source
from drift.sources.files import Files
from drift.store import Attempt, Store
from tests.support.store_builders import lose_commit_answer

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
START = datetime(2024, 3, 1, tzinfo=UTC)
NOW = START + 6 * DAY
ME = Worker("me")


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    """A monitor of six days, of which the first four are the reference."""
    rows = 6 * 48
    values = np.random.default_rng(1).normal(size=rows)
    moments = pa.array([START + n * DAY / 48 for n in range(rows)], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"ts": moments, "x": values}), tmp_path / "data.parquet")
    return Monitor(
        name="m",
        source=FileSource(str(tmp_path / "data.parquet")),
        timestamp="ts",
        reference=Reference(Window(START, START + 4 * DAY)),
        timezone=ZoneInfo("UTC"),
        period=Period.parse("1d"),
        columns=Columns(ColumnRule(limit=Threshold(0.9))),
        document={"reference": "the first four days"},
    )


def add_crashes(store: Store, monitor: Monitor, times: int, now: datetime = NOW) -> None:
    """Let workers of other hosts start to read the reference and crash."""
    key = store.monitors.define(monitor.name, monitor.document, now).monitor_id
    for number in range(times):
        then = now - (times - number) * 2 * SECOND
        assert (
            store.references.begin_attempt(key, reference_digest(monitor), f"elsewhere:{number}", then, SECOND)
            is not None
        )


def check(
    store: Store, monitor: Monitor, *, now: datetime = NOW, worker: Worker = ME
) -> list[WindowResult | RecheckSkipped | MonitorFailure]:
    return list(run_all(store, [monitor], worker=worker, now=lambda: now))


def verdicts_of(results: list[WindowResult | RecheckSkipped | MonitorFailure]) -> list[str]:
    return [one.outcome.verdict.value if isinstance(one, WindowResult) else repr(one) for one in results]


def only_failure(results: list[WindowResult | RecheckSkipped | MonitorFailure]) -> str:
    (one,) = results
    assert isinstance(one, MonitorFailure), one
    return one.message


def code_of(results: list[WindowResult | RecheckSkipped | MonitorFailure]) -> str:
    (one,) = results
    assert isinstance(one, MonitorFailure), one
    return one.code


@contextmanager
def before_reading(action: Callable[[], object]) -> Iterator[None]:
    """Call a function before each reading of a reference."""
    original = Files.learn

    def learn(self: Files, *args: Any) -> Any:
        action()
        return original(self, *args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Files, "learn", learn)
        yield


def test_an_attempt_is_stored_only_while_the_reference_is_read(store: Store, monitor: Monitor) -> None:
    attempts = []
    with before_reading(lambda: attempts.extend(store.references.attempts("m"))):
        assert verdicts_of(check(store, monitor)) == ["ok"] * 2
    (attempt,) = attempts
    assert (attempt.owner, attempt.begun_at, attempt.until) == ("me", NOW, NOW + LEASE_TTL)
    assert attempt.digest == reference_digest(monitor)
    assert store.references.attempts() == []


def test_failures_and_timeouts_do_not_count_as_crashes(store: Store, monitor: Monitor) -> None:
    broken = replace(monitor, source=FileSource("/nowhere/*.parquet"), document={"source": "nowhere"})
    for _ in range(MAX_ATTEMPTS + 2):
        assert "nowhere" in only_failure(check(store, broken))
    empty = replace(monitor, reference=Reference(Window(START - DAY, START)), start=START)
    for _ in range(MAX_ATTEMPTS + 2):
        assert "no rows" in only_failure(check(store, empty))
    resume = threading.Event()
    with before_reading(lambda: resume.wait(20)):
        results = check(store, replace(monitor, deadline=0.2 * SECOND))
        assert code_of(results) == "evaluation-timeout"
        assert "0:00:00.2" in only_failure(results)
        assert store.references.attempts() == []
        resume.set()
        for one in threading.enumerate():
            if one.name == "drift-work-m":
                one.join(20)


def test_an_interruption_does_not_count_as_a_crash(store: Store, monitor: Monitor) -> None:
    class Interrupted(BaseException):
        """Raised as for SIGTERM and Ctrl-C."""

    def interrupt() -> None:
        raise Interrupted

    with before_reading(interrupt), pytest.raises(Interrupted):
        check(store, monitor)
    assert store.references.attempts() == []


def test_stopping_does_not_count_as_a_crash(store: Store, monitor: Monitor) -> None:
    started, resume = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        resume.wait(20)

    with before_reading(hang):
        work = threading.Thread(target=check, args=(store, monitor))
        work.start()
        assert started.wait(20)
        end_attempts(store, "another")
        assert len(store.references.attempts()) == 1
        end_attempts(store, "m")
        assert store.references.attempts() == []
        resume.set()
        work.join(20)
    assert [row["verdict"] for row in store.queries.windows()] == ["ok"] * 2, (
        "a reference that was read before the exit is kept"
    )


def test_one_process_reads_the_reference_and_others_wait(store: Store, monitor: Monitor) -> None:
    times, results = [], []

    def other() -> None:
        times.append(1)
        results.extend(check(store, monitor, worker=Worker("another")))
        assert active_attempt(store, monitor, NOW) is not None

    with before_reading(other):
        assert verdicts_of(check(store, monitor)) == ["ok"] * 2
    assert results == []
    assert times == [1]
    assert active_attempt(store, monitor, NOW) is None


def test_a_running_attempt_renews_its_lease(store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [NOW]
    other_results: list[WindowResult | RecheckSkipped | MonitorFailure] = []
    monkeypatch.setattr("drift.runner.load_reference.LEASE_TTL", 0.3 * SECOND)

    def slowly() -> None:
        until = time.monotonic() + 20
        clock[0] += 10 * SECOND
        while not any(one.until > clock[0] for one in store.references.attempts()) and time.monotonic() < until:
            time.sleep(0.02)
        other_results.extend(run_all(store, [monitor], worker=Worker("another"), now=lambda: clock[0]))

    with before_reading(slowly):
        results = list(run_all(store, [monitor], worker=ME, now=lambda: clock[0]))
    assert verdicts_of(results) == ["ok"] * 2
    assert other_results == []


def test_an_attempt_of_another_host_holds_until_its_lease_expires(store: Store, monitor: Monitor) -> None:
    key = store.monitors.define("m", monitor.document, NOW).monitor_id
    assert (
        store.references.begin_attempt(
            key, reference_digest(monitor), "elsewhere:1", NOW - LEASE_TTL + SECOND, LEASE_TTL
        )
        is not None
    )
    assert check(store, monitor) == []
    assert verdicts_of(check(store, monitor, now=NOW + SECOND)) == ["ok"] * 2


def test_the_lease_of_a_dead_local_worker_ends_at_once(
    store: Store, monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    this = Worker.current()
    dead = this.name.rpartition("-")[0] + "-1"  # this number, another process
    key = store.monitors.define("m", monitor.document, NOW).monitor_id
    assert store.references.begin_attempt(key, reference_digest(monitor), dead, NOW, LEASE_TTL) is not None
    with caplog.at_level(logging.WARNING, "drift.runner.load_reference"):
        assert verdicts_of(check(store, monitor, worker=this)) == ["ok"] * 2
    (record,) = [record for record in caplog.records if getattr(record, "code", "") == "lease-reclaimed"]
    assert record.getMessage().startswith("m: ")
    assert dead in record.getMessage()


def test_a_late_end_deletes_no_other_attempt(store: Store, monitor: Monitor) -> None:
    key, digest = store.monitors.define("m", monitor.document, NOW).monitor_id, reference_digest(monitor)
    late = store.references.begin_attempt(key, digest, "a", NOW - 2 * SECOND, SECOND)
    other = store.references.begin_attempt(key, digest, "b", NOW, SECOND)
    assert late is not None
    assert other is not None
    store.references.end_attempt(late)
    assert store.references.attempts() == [other]
    assert not store.references.renew_attempt(late, NOW + DAY)
    assert store.references.renew_attempt(other, NOW + DAY)
    store.references.expire_attempt(other, NOW)
    assert store.references.attempts() == [replace(other, until=NOW + DAY)], "it was renewed meanwhile"


def test_one_of_several_simultaneous_attempts_starts(store: Store, monitor: Monitor) -> None:
    key, digest = store.monitors.define("m", monitor.document, NOW).monitor_id, reference_digest(monitor)
    attempts: list[object] = []
    barrier = threading.Barrier(6)

    def begin(number: int) -> None:
        barrier.wait(20)
        attempts.append(store.references.begin_attempt(key, digest, f"w{number}", NOW, LEASE_TTL))

    together = [threading.Thread(target=begin, args=(number,)) for number in range(6)]
    for one in together:
        one.start()
    for one in together:
        one.join(30)
    (attempt,) = [one for one in attempts if one is not None]
    assert store.references.attempts() == [attempt]


def test_an_unconfirmed_start_is_found_in_the_store(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, digest = store.monitors.define("m", monitor.document, NOW).monitor_id, reference_digest(monitor)
    with lose_commit_answer(store, monkeypatch, written=False), pytest.raises(StoreError, match="in COMMIT"):
        store.references.begin_attempt(key, digest, "me", NOW, LEASE_TTL)
    assert store.references.attempts() == []
    with lose_commit_answer(store, monkeypatch):
        attempt = store.references.begin_attempt(key, digest, "me", NOW, LEASE_TTL)
    assert store.references.attempts() == [attempt]


def test_an_end_that_cannot_be_stored_is_repeated(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = replace(monitor, reference=Reference(Window(START - DAY, START)), start=START)

    def gone(_attempt: object) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(store.references, "end_attempt", gone)
        assert "no rows" in only_failure(check(store, empty))
    assert len(store.references.attempts()) == 1
    assert "no rows" in only_failure(check(store, empty))
    assert store.references.attempts() == []


def test_an_unconfirmed_start_does_not_count_as_a_crash(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker, begin = Worker("web:1@aaaaaaaa-700"), store.references.begin_attempt

    def unconfirmed(*args: Any) -> None:
        begin(*args)
        raise StoreError("gone, and so is the answer")

    with monkeypatch.context() as patched:
        patched.setattr(store.references, "begin_attempt", unconfirmed)
        for _ in range(3):
            assert "the answer" in only_failure(check(store, monitor, worker=worker))
    assert len(store.references.attempts()) == 1
    assert monitors_with_crashes(store, [monitor], worker, NOW) == {}
    assert verdicts_of(check(store, monitor, worker=worker)) == ["ok"] * 2
    assert store.references.attempts() == []
    assert caplog.records == [], "no worker is reported dead"


def test_a_late_worker_neither_renews_nor_ends_newer_attempts(store: Store, monitor: Monitor) -> None:
    key, digest = store.monitors.define("m", monitor.document, NOW).monitor_id, reference_digest(monitor)
    late = store.references.begin_attempt(key, digest, "me", NOW, SECOND)
    assert late is not None
    assert store.references.forget_attempts(key, NOW + SECOND) == 1
    attempt = store.references.begin_attempt(key, "another", "me", NOW + SECOND, LEASE_TTL)
    assert not store.references.renew_attempt(late, NOW + 3 * LEASE_TTL)
    store.references.end_attempt(late)
    assert store.references.attempts() == [attempt]


def test_a_reused_id_is_not_taken_for_an_ended_attempt(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite reuses the key of a deleted row."""
    empty = replace(monitor, reference=Reference(Window(START - DAY, START)), start=START)
    key, digest = store.monitors.define("m", empty.document, NOW).monitor_id, reference_digest(empty)

    end_attempt = store.references.end_attempt

    def unconfirmed(attempt: Attempt) -> None:
        end_attempt(attempt)
        raise StoreError("gone, and so is the answer")

    with monkeypatch.context() as patched:
        patched.setattr(store.references, "end_attempt", unconfirmed)
        assert "no rows" in only_failure(check(store, empty))
    attempt = store.references.begin_attempt(key, digest, "elsewhere:1", NOW + SECOND, LEASE_TTL)
    assert check(store, empty, now=NOW + 2 * SECOND) == [], "another worker reads it"
    assert store.references.attempts() == [attempt]


@pytest.mark.parametrize(("times", "isolated"), [(ISOLATE_AFTER_CRASHES - 1, False), (ISOLATE_AFTER_CRASHES, True)])
def test_a_crashing_reference_is_read_in_isolation(store: Store, monitor: Monitor, times: int, isolated: bool) -> None:
    add_crashes(store, monitor, times)
    started = threading.Event()
    with before_reading(started.set):
        work = threading.Thread(target=check, args=(store, monitor))
        with work_slot(exclusive=False, stopping=lambda: False) as granted:
            assert granted
            work.start()
            assert started.wait(0.5 if isolated else 20) == (not isolated)
            if isolated:
                assert active_attempt(store, monitor, NOW) is None, "no lease is held while waiting for a slot"
        work.join(30)
    assert started.is_set()
    assert [row["verdict"] for row in store.queries.windows()] == ["ok"] * 2


def test_a_postponed_reference_fails_its_monitor_until_it_is_read(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise all would seem well for as long as the others are slow."""
    add_crashes(store, monitor, ISOLATE_AFTER_CRASHES)
    monkeypatch.setattr("drift.runner.isolation.MAX_EXCLUSIVE_SECONDS", 0.1)
    with work_slot(exclusive=False, stopping=lambda: False) as granted:
        assert granted
        time.sleep(0.2)
        postponed = check(store, monitor)
        assert code_of(postponed) == "isolation-postponed"
        assert f"{ISOLATE_AFTER_CRASHES} times" in only_failure(postponed)
        results = run_all(store, [monitor], worker=ME, now=lambda: NOW, stopping=lambda: True)
        assert list(results) == []
    assert len(store.references.attempts()) == ISOLATE_AFTER_CRASHES, "it was not started"
    assert verdicts_of(check(store, monitor)) == ["ok"] * 2


def test_monitors_with_crashes_are_those_between_the_limits(store: Store, monitor: Monitor) -> None:
    others = [replace(monitor, name=name) for name in ("sound", "once", "often", "too often", "repaired")]
    for one, times in zip(
        others, (0, ISOLATE_AFTER_CRASHES - 1, ISOLATE_AFTER_CRASHES, MAX_ATTEMPTS, ISOLATE_AFTER_CRASHES), strict=True
    ):
        add_crashes(store, one, times)
    others[-1] = replace(others[-1], reference=Reference(Window(START, START + DAY)), document={"reference": "less"})
    assert monitors_with_crashes(store, others, ME, NOW) == {"often": ISOLATE_AFTER_CRASHES}


def test_a_reference_is_abandoned_after_many_crashes(store: Store, monitor: Monitor) -> None:
    add_crashes(store, monitor, MAX_ATTEMPTS - 1)
    assert abandoned_reference(store, monitor, NOW) == ""
    store.references.forget_attempts(store.monitors.define("m", monitor.document, NOW).monitor_id, NOW)
    add_crashes(store, monitor, MAX_ATTEMPTS)
    started: list[int] = []
    with before_reading(lambda: started.append(1)):
        results = check(store, monitor)
        message = only_failure(results)
        assert only_failure(check(store, monitor)) == message
    assert code_of(results) == "reference-abandoned"
    assert started == []
    assert f"{MAX_ATTEMPTS} times" in message
    assert f"elsewhere:{MAX_ATTEMPTS - 1}, started 2024-03-06T23:59:58Z" in message
    assert "`drift backfill`" in message
    assert abandoned_reference(store, monitor, NOW) == message


def test_a_changed_reference_starts_without_crashes(store: Store, monitor: Monitor) -> None:
    add_crashes(store, monitor, MAX_ATTEMPTS)
    smaller = replace(
        monitor, reference=Reference(Window(START, START + 2 * DAY)), document={"reference": "the first two days"}
    )
    assert abandoned_reference(store, smaller, NOW) == ""
    assert verdicts_of(check(store, smaller)) == ["ok"] * 4
    assert store.references.attempts() == [], "none is kept once the reference was read"


def test_a_backfill_reads_an_abandoned_reference_again(store: Store, monitor: Monitor) -> None:
    add_crashes(store, monitor, MAX_ATTEMPTS)
    assert plan_backfill(store, monitor, open_source(monitor), START + 4 * DAY, START + 5 * DAY, NOW) == 1
    assert store.references.attempts() == []
    assert verdicts_of(check(store, monitor)) == ["ok"] * 2


def test_an_accepted_range_replaces_an_abandoned_reference(store: Store, monitor: Monitor) -> None:
    add_crashes(store, monitor, MAX_ATTEMPTS)
    assert code_of(check(store, monitor)) == "reference-abandoned"
    accepted = accept_windows(store, monitor, Acceptance(Window(START, START + 2 * DAY), "ann", "it is smaller"), NOW)
    assert store.references.attempts() == []
    key = store.monitors.define("m", monitor.document, NOW).monitor_id
    current = current_reference(store, monitor, key)
    assert current is not None
    assert current.id == accepted.id
    assert verdicts_of(check(store, monitor)) == ["ok"] * 2
