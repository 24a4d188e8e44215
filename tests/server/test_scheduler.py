"""The service that ticks: what is lost is made up for, what fails is told, what is in hand is finished."""

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
from drift.server import MAX_SILENCE_SECONDS, Scheduler
from drift.sources.files import Files
from drift.store import Store

FROM = datetime(2024, 1, 1, tzinfo=UTC)
FIRST = datetime(2024, 1, 8, tzinfo=UTC)
DAYS = 6


class Clock:
    """The time, set by hand."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


Make = Callable[..., Scheduler]


def test_a_tick_checks_what_is_due_and_sends_what_waits(
    aid: SimpleNamespace, store: Store, make: Make, data: Path, tmp_path: Path
) -> None:
    service = make(aid.watch(data), now=Clock(FIRST + timedelta(days=DAYS)))
    service.tick()
    verdicts = [row["verdict"] for row in store.windows("one")]
    assert verdicts == ["ok"] * (DAYS - 2) + ["drift"] * 2
    assert store.counts_by_status()["deliveries"] == {"sent": 1}
    assert len((tmp_path / "told.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    service.tick()
    assert len(store.windows("one", revisions="all")) == DAYS


def test_lost_ticks_lose_nothing(aid: SimpleNamespace, store: Store, make: Make, data: Path, tmp_path: Path) -> None:
    clock = Clock(FIRST)
    daily = make(aid.watch(data), now=clock)
    for _ in range(DAYS):
        clock.moment += timedelta(days=1)
        daily.tick()
    with Store.open(f"sqlite:///{tmp_path / 'once.db'}") as other:
        once = Scheduler(other, [aid.watch(data)], {}, now=clock, worker=Worker("test"), rng=np.random.default_rng(1))
        once.tick()
        assert other.scores() == store.scores()
        assert len(other.scores()) == DAYS
        known = other.find("one")
        assert known is not None
        states = {print_.column: s.state for print_, s in other.alert_states(known.monitor_id).items()}
        assert states == {print_.column: s.state for print_, s in store.alert_states(known.monitor_id).items()}


def test_the_alarm_clock_keeps_nothing_and_comes_at_once(aid: SimpleNamespace, make: Make) -> None:
    service = make(now=Clock(FIRST), seconds=3600)
    service.start()
    aid.wait_for(lambda: service.pulse.finished)
    alarm = service._alarm.scheduler
    (kept,) = alarm._jobstores.values()
    assert isinstance(kept, MemoryJobStore), "a persistent one pickles and doubles"
    (job,) = alarm.get_jobs()
    assert (job.coalesce, job.max_instances, job.misfire_grace_time) == (True, 1, None)
    assert alarm.timezone is UTC
    assert job.trigger.interval == timedelta(hours=1)


def test_a_long_tick_is_neither_doubled_nor_followed_by_those_missed(aid: SimpleNamespace, make: Make) -> None:
    running: list[int] = []
    most: list[int] = []

    def slow() -> datetime:  # the clock is asked within a tick: it takes its time here
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        return FIRST

    service = make(now=slow, seconds=0.01)
    service.start()
    aid.wait_for(lambda: len(most) > 12)
    service.stop()
    assert max(most) == 1


def test_told_to_stop_it_finishes_the_window_in_hand(
    aid: SimpleNamespace, store: Store, make: Make, data: Path
) -> None:
    service = make(aid.watch(data, window="1h"), now=Clock(FIRST + timedelta(days=DAYS)))
    service.start()
    aid.wait_for(lambda: "done" in aid.statuses(store))
    service.stop()
    found = aid.statuses(store)
    assert len(found) == 24 * DAYS
    assert set(found) == {"done", "due"}
    assert service.trouble() == "stopping"
    time.sleep(0.05)
    assert aid.statuses(store) == found
    make(aid.watch(data, window="1h"), now=Clock(FIRST + timedelta(days=DAYS))).tick()
    assert aid.statuses(store) == ["done"] * 24 * DAYS


def test_a_defect_is_logged_with_its_traceback_and_holds_back_nobody_else(
    aid: SimpleNamespace, store: Store, make: Make, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    defective = replace(aid.watch(data, "two"), period=cast("Period", None))
    clock = Clock(FIRST + timedelta(days=DAYS))
    service = make(aid.watch(data, "one"), defective, aid.watch(data, "three"), now=clock, seconds=0.05)
    service.start()
    aid.wait_for(lambda: aid.statuses(store, "three") == ["done"] * DAYS)
    aid.wait_for(lambda: "two" in service.pulse.failed)
    aid.wait_for(lambda: aid.statuses(store, "one") == ["done"] * DAYS)
    aid.wait_for(lambda: store.counts_by_status()["deliveries"] == {"sent": 2})
    assert "AttributeError" in service.pulse.failed["two"]
    assert service.pulse.failed.keys() == {"two"}
    service.stop()
    traces = [record for record in caplog.records if record.exc_info and record.exc_info[0] is AttributeError]
    assert traces


def test_a_monitor_that_fails_is_told_when_it_begins_and_when_it_ends(
    aid: SimpleNamespace, store: Store, make: Make, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "drift")
    service = make(
        aid.watch(data), aid.watch(data.with_name("other.parquet"), "two"), now=Clock(FIRST + timedelta(days=2))
    )
    for _ in range(3):
        service.tick()
    assert aid.statuses(store) == ["done", "done"]
    assert set(service.pulse.failed) == {"two"}
    assert set(service.pulse.succeeded) == {"one"}
    data.with_name("other.parquet").write_bytes(data.read_bytes())
    service.tick()
    assert service.pulse.failed == {}
    told = [record.getMessage() for record in caplog.records if record.name == "drift.server"]
    assert len(told) == 2
    assert "no file matches" in told[0]
    assert told[1] == "monitor two is checked again"


def test_readiness_says_why_not(make: Make, sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(FIRST)
    service = make(now=clock, seconds=30)
    assert service.trouble() == "no tick has begun yet"
    assert service.age() is None
    service.tick()
    assert service.trouble() == ""
    clock.moment += timedelta(seconds=30 * MAX_SILENCE_SECONDS - 1)
    assert service.trouble() == ""
    clock.moment += timedelta(seconds=1)
    assert "no sign of life for 90 s" in service.trouble()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as broken, broken:
        broken.execute("ALTER TABLE delivery RENAME TO lost")
    service.tick()
    assert service.trouble() == "the newest tick did not go through; the log says why"
    assert "no such table: delivery" in service.pulse.fault
    assert "deliveries wait" in caplog.text
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as mended, mended:
        mended.execute("ALTER TABLE lost RENAME TO delivery")
    service.tick()
    assert service.trouble() == ""


def test_it_is_ready_while_a_long_tick_catches_up(
    aid: SimpleNamespace, make: Make, data: Path, monkeypatch: pytest.MonkeyPatch, sqlite_url: str
) -> None:
    monkeypatch.setattr("drift.server.scheduler.DELIVERY_INTERVAL", 0.0)
    until, whole = threading.Event(), Files.count

    def long(self: Files, *asked: Any) -> Any:
        until.wait(30)
        return whole(self, *asked)

    monkeypatch.setattr(Files, "count", long)
    service = make(
        aid.watch(data), now=Clock(FIRST + timedelta(days=DAYS)), seconds=0.1, clock=lambda: datetime.now(UTC)
    )
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as broken:
        broken.execute("ALTER TABLE delivery RENAME TO lost")
        service.start()
        aid.wait_for(lambda: service.pulse.fault)
        assert "did not go through" in service.trouble()
        broken.execute("ALTER TABLE lost RENAME TO delivery")
    aid.wait_for(lambda: not service.trouble())
    assert service.pulse.finished is None, "it is still in hand"
    until.set()
    aid.wait_for(lambda: service.pulse.finished)


def test_a_success_is_told_by_the_time_of_the_store_not_by_the_clock_of_the_signs_of_life(
    aid: SimpleNamespace, make: Make, data: Path
) -> None:
    now = Clock(FIRST + timedelta(days=DAYS))
    behind = Clock(now.moment - timedelta(hours=8))  # the host was suspended for so long
    service = make(aid.watch(data), now=now, clock=behind)
    service.tick()
    assert service.pulse.succeeded == {"one": now.moment}
    assert service.age() == timedelta(0)


def test_a_tick_gives_signs_of_life_while_a_round_is_under_way(aid: SimpleNamespace, make: Make, data: Path) -> None:
    asked: list[datetime] = []

    def passing() -> datetime:  # a minute passes each time that anybody looks
        asked.append(FIRST + timedelta(days=DAYS, minutes=len(asked)))
        return asked[-1]

    service = make(aid.watch(data), now=Clock(FIRST + timedelta(days=DAYS)), clock=passing)
    service.tick()
    pulse = service.pulse
    assert pulse.succeeded.keys() == {"one"}
    assert len(asked) >= 4, "it began, looked after the round, noted its end, ended"
    assert pulse.started is not None
    assert pulse.alive is not None
    assert pulse.finished is not None
    assert pulse.alive >= pulse.finished


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 86_401])
def test_a_tick_comes_every_so_many_seconds(make: Make, seconds: float) -> None:
    with pytest.raises(InputError, match="seconds"):
        make(now=Clock(FIRST), seconds=seconds)


def test_it_may_be_stopped_before_it_began_and_twice(make: Make) -> None:
    service: Any = make(now=Clock(FIRST))
    service.stop()
    service.stop()
    assert service.stopping
