"""The scheduler: lost ticks lose nothing, failures are reported, running windows are finished."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from apscheduler.jobstores.memory import MemoryJobStore

from drift.errors import InputError
from drift.monitors.window import Period
from drift.runner.worker import Worker
from drift.server import MAX_MISSED_TICKS, Scheduler
from drift.sources.files import Files
from drift.store import Store

FROM = datetime(2024, 1, 1, tzinfo=UTC)
FIRST = datetime(2024, 1, 8, tzinfo=UTC)
DAYS = 6


class Clock:
    """A clock set by the test."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


Make = Callable[..., Scheduler]


def test_a_tick_checks_due_windows_and_sends_notifications(
    builders: SimpleNamespace, store: Store, make: Make, data: Path, tmp_path: Path
) -> None:
    service = make(builders.make_monitor(data), now=Clock(FIRST + timedelta(days=DAYS)))
    service.tick()
    verdicts = [row["verdict"] for row in store.queries.windows("one")]
    assert verdicts == ["ok"] * (DAYS - 2) + ["drift"] * 2
    assert store.queries.counts_by_status()["deliveries"] == {"sent": 1}
    assert len((tmp_path / "notifications.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    service.tick()
    assert len(store.queries.windows("one", revisions="all")) == DAYS


def test_lost_ticks_lose_nothing(
    builders: SimpleNamespace, store: Store, make: Make, data: Path, tmp_path: Path
) -> None:
    clock = Clock(FIRST)
    daily = make(builders.make_monitor(data), now=clock)
    for _ in range(DAYS):
        clock.moment += timedelta(days=1)
        daily.tick()
    with Store.open(f"sqlite:///{tmp_path / 'once.db'}") as other:
        once = Scheduler(
            other, [builders.make_monitor(data)], {}, now=clock, worker=Worker("test"), rng=np.random.default_rng(1)
        )
        once.tick()
        assert other.queries.scores() == store.queries.scores()
        assert len(other.queries.scores()) == DAYS
        known = other.monitors.find("one")
        assert known is not None
        states = {print_.column: s.state for print_, s in other.monitors.alert_states(known.monitor_id).items()}
        assert states == {print_.column: s.state for print_, s in store.monitors.alert_states(known.monitor_id).items()}


def test_the_ticker_keeps_jobs_in_memory_and_ticks_at_once(builders: SimpleNamespace, make: Make) -> None:
    service = make(now=Clock(FIRST), interval=3600)
    service.start()
    builders.wait_for(lambda: service.health.finished)
    scheduler = service._ticker.scheduler
    (kept,) = scheduler._jobstores.values()
    assert isinstance(kept, MemoryJobStore), "a persistent store pickles jobs, and shared ones run twice"
    (job,) = scheduler.get_jobs()
    assert (job.coalesce, job.max_instances, job.misfire_grace_time) == (True, 1, None)
    assert scheduler.timezone is UTC
    assert job.trigger.interval == timedelta(hours=1)


def test_a_long_tick_is_not_doubled(builders: SimpleNamespace, make: Make) -> None:
    running: list[int] = []
    counts: list[int] = []

    def slow() -> datetime:  # called within a tick, which is slow here
        running.append(1)
        counts.append(len(running))
        time.sleep(0.05)
        running.pop()
        return FIRST

    service = make(now=slow, interval=0.01)
    service.start()
    builders.wait_for(lambda: len(counts) > 12)
    service.stop()
    assert max(counts) == 1


def test_stop_finishes_the_running_windows(builders: SimpleNamespace, store: Store, make: Make, data: Path) -> None:
    service = make(builders.make_monitor(data, window="1h"), now=Clock(FIRST + timedelta(days=DAYS)))
    service.start()
    builders.wait_for(lambda: "done" in builders.statuses(store))
    service.stop()
    statuses = builders.statuses(store)
    assert len(statuses) == 24 * DAYS
    assert set(statuses) == {"done", "due"}
    assert service.not_ready_reason() == "stopping"
    time.sleep(0.05)
    assert builders.statuses(store) == statuses
    make(builders.make_monitor(data, window="1h"), now=Clock(FIRST + timedelta(days=DAYS))).tick()
    assert builders.statuses(store) == ["done"] * 24 * DAYS


def test_a_defect_is_logged_and_stops_no_other_monitor(
    builders: SimpleNamespace, store: Store, make: Make, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    defective = replace(builders.make_monitor(data, "two"), period=cast("Period", None))
    clock = Clock(FIRST + timedelta(days=DAYS))
    service = make(
        builders.make_monitor(data, "one"), defective, builders.make_monitor(data, "three"), now=clock, interval=0.05
    )
    service.start()
    builders.wait_for(lambda: builders.statuses(store, "three") == ["done"] * DAYS)
    builders.wait_for(lambda: "two" in service.health.failed)
    builders.wait_for(lambda: builders.statuses(store, "one") == ["done"] * DAYS)
    builders.wait_for(lambda: store.queries.counts_by_status()["deliveries"] == {"sent": 2})
    assert "AttributeError" in service.health.failed["two"]
    assert service.health.failed.keys() == {"two"}
    service.stop()
    traces = [record for record in caplog.records if record.exc_info and record.exc_info[0] is AttributeError]
    assert traces


def test_a_failing_monitor_is_logged_when_it_starts_and_ends(
    builders: SimpleNamespace, store: Store, make: Make, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "drift")
    service = make(
        builders.make_monitor(data),
        builders.make_monitor(data.with_name("other.parquet"), "two"),
        now=Clock(FIRST + timedelta(days=2)),
    )
    for _ in range(3):
        service.tick()
    assert builders.statuses(store) == ["done", "done"]
    assert set(service.health.failed) == {"two"}
    assert set(service.health.succeeded) == {"one"}
    data.with_name("other.parquet").write_bytes(data.read_bytes())
    service.tick()
    assert service.health.failed == {}
    messages = [record.getMessage() for record in caplog.records if record.name == "drift.server"]
    assert len(messages) == 2
    assert "no file matches" in messages[0]
    assert messages[1] == "monitor two is checked again"


def test_readiness_has_a_reason(make: Make, sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(FIRST)
    service = make(now=clock, interval=30)
    assert service.not_ready_reason() == "no tick has started yet"
    assert service.age() is None
    service.tick()
    assert service.not_ready_reason() == ""
    clock.moment += timedelta(seconds=30 * MAX_MISSED_TICKS - 1)
    assert service.not_ready_reason() == ""
    clock.moment += timedelta(seconds=1)
    assert "no heartbeat for 90 s" in service.not_ready_reason()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as broken, broken:
        broken.execute("ALTER TABLE delivery RENAME TO lost")
    service.tick()
    assert service.not_ready_reason() == "the newest tick failed; see the log"
    assert "no such table: delivery" in service.health.fault
    assert any("notifications stay pending" in record.getMessage() for record in caplog.records)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as repaired, repaired:
        repaired.execute("ALTER TABLE lost RENAME TO delivery")
    service.tick()
    assert service.not_ready_reason() == ""


def test_the_service_is_ready_while_a_long_tick_catches_up(
    builders: SimpleNamespace, make: Make, data: Path, monkeypatch: pytest.MonkeyPatch, sqlite_url: str
) -> None:
    monkeypatch.setattr("drift.server.scheduler.DELIVERY_INTERVAL", 0.0)
    until, original = threading.Event(), Files.count

    def long(self: Files, *instants: Any) -> Any:
        until.wait(30)
        return original(self, *instants)

    monkeypatch.setattr(Files, "count", long)
    service = make(
        builders.make_monitor(data),
        now=Clock(FIRST + timedelta(days=DAYS)),
        interval=0.1,
        clock=lambda: datetime.now(UTC),
    )
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as broken:
        broken.execute("ALTER TABLE delivery RENAME TO lost")
        service.start()
        builders.wait_for(lambda: service.health.fault)
        assert "failed" in service.not_ready_reason()
        broken.execute("ALTER TABLE lost RENAME TO delivery")
    builders.wait_for(lambda: not service.not_ready_reason())
    assert service.health.finished is None, "it is still running"
    until.set()
    builders.wait_for(lambda: service.health.finished)


def test_successes_have_the_time_of_the_store(builders: SimpleNamespace, make: Make, data: Path) -> None:
    now = Clock(FIRST + timedelta(days=DAYS))
    behind = Clock(now.moment - timedelta(hours=8))  # the host was suspended meanwhile
    service = make(builders.make_monitor(data), now=now, clock=behind)
    service.tick()
    assert service.health.succeeded == {"one": now.moment}
    assert service.age() == timedelta(0)


def test_a_tick_has_heartbeats_while_a_batch_runs(builders: SimpleNamespace, make: Make, data: Path) -> None:
    instants: list[datetime] = []

    def passing() -> datetime:  # each call is a minute later
        instants.append(FIRST + timedelta(days=DAYS, minutes=len(instants)))
        return instants[-1]

    service = make(builders.make_monitor(data), now=Clock(FIRST + timedelta(days=DAYS)), clock=passing)
    service.tick()
    health = service.health
    assert health.succeeded.keys() == {"one"}
    assert len(instants) >= 4, "it started, polled the batch, recorded it, ended"
    assert health.started is not None
    assert health.alive is not None
    assert health.finished is not None
    assert health.alive >= health.finished


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), 86_401])
def test_an_invalid_interval_is_refused(make: Make, interval: float) -> None:
    with pytest.raises(InputError, match="86400") as caught:
        make(now=Clock(FIRST), interval=interval)
    assert caught.value.code == "invalid-value"


def test_stop_works_before_start_and_twice(make: Make) -> None:
    service: Any = make(now=Clock(FIRST))
    service.stop()
    service.stop()
    assert service.stopping
