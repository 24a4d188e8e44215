"""Monitors, sources and channels that hang or fail do not affect others; the watchdog."""

# ruff: noqa: ARG002 (channels that ignore their arguments)

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drift.errors import DeliveryError
from drift.monitors.spec import Monitor
from drift.monitors.window import Window
from drift.references import freeze_reference, reference_digest
from drift.references.freeze import read_reference
from drift.runner.isolation import ISOLATE_AFTER_CRASHES, work_slot
from drift.runner.lease import MAX_ATTEMPTS
from drift.runner.outcome import RETRY_DELAYS
from drift.server import BATCH_WINDOWS, Scheduler, Watchdog
from drift.sources import Source, open_source
from drift.sources.files import Files
from drift.store import Store

Make = Callable[..., Scheduler]
SECOND = timedelta(seconds=1)


class Hanging:
    """A source that does not respond until a gate opens."""

    def __init__(self, source: Source, gate: threading.Event) -> None:
        self._source, self._gate = source, gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def count(self, *args: Any) -> Any:
        self._gate.wait(60)
        return self._source.count(*args)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An event until which the sources of monitors named `stuck...` hang."""
    opened = threading.Event()

    def open_it(monitor: Monitor) -> Any:
        source = open_source(monitor)
        return Hanging(source, opened) if monitor.name.startswith("stuck") else source

    monkeypatch.setattr("drift.runner.check.open_source", open_it)
    yield opened
    opened.set()
    for thread in threading.enumerate():
        if thread.name.startswith("drift-work-stuck"):
            thread.join(20)


@pytest.fixture
def now(builders: SimpleNamespace) -> Callable[[], datetime]:
    """A time at which all windows have closed."""
    end = builders.FIRST + timedelta(days=builders.DAYS)
    return lambda: end


def with_frozen_reference(store: Store, monitor: Monitor, now: datetime) -> Monitor:
    """Return the monitor after reading its reference, which could exceed a short deadline."""
    freeze_reference(store, monitor, store.monitors.define(monitor.name, monitor.document, now), now)
    return monitor


def test_sources_that_hang_do_not_block_other_monitors(
    store: Store,
    make: Make,
    data: Path,
    builders: SimpleNamespace,
    now: Callable[[], datetime],
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("drift.server.monitor_pool.SLOW_WINDOW_SECONDS", 0.3)
    stuck = [builders.make_monitor(data, f"stuck {n}") for n in range(4)]
    service = make(*stuck, builders.make_monitor(data), now=now, max_batches=2)
    until = time.monotonic() + 20
    while store.outbox.counts() != {"sent": 1} and time.monotonic() < until:
        service.tick()  # a second one if the machine is so busy that other sources are slow as well
    assert time.monotonic() < until, "their deadline is an hour"
    assert builders.statuses(store) == ["done"] * builders.DAYS
    assert service.not_ready_reason() == ""
    assert {builders.statuses(store, one.name)[0] for one in stuck} == {"claimed"}
    gate.set()
    builders.wait_for(lambda: service._pool.join(0) == [])
    service.tick()
    assert {status for one in stuck for status in builders.statuses(store, one.name)} == {"done"}
    assert set(service.health.succeeded) == {"one", *(one.name for one in stuck)}


def test_a_timeout_is_an_error_that_is_retried(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, gate: threading.Event
) -> None:
    now = builders.FIRST + timedelta(days=1)
    service = make(
        with_frozen_reference(store, builders.make_monitor(data, "stuck", deadline=SECOND), now), now=lambda: now
    )
    service.tick()
    (row,) = store.queries.windows("stuck", revisions="all")
    assert (row["status"], row["verdict"], row["attempts"]) == ("due", "error", 1)
    assert row["code"] == "evaluation-timeout"
    assert "0:00:01" in row["message"]
    assert "deadline" in service.health.failed["stuck"]
    gate.set()
    builders.wait_for(lambda: not any(t.name == "drift-work-stuck" for t in threading.enumerate()))
    assert store.queries.windows("stuck", revisions="all") == [row]
    now += RETRY_DELAYS[0]
    service.tick()
    assert [r["verdict"] for r in store.queries.windows("stuck", revisions="all")] == ["error", "ok"]


def test_the_abandoned_threads_of_a_monitor_are_limited(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, now: Callable[[], datetime], gate: threading.Event
) -> None:
    make(
        with_frozen_reference(store, builders.make_monitor(data, "stuck", deadline=0.5 * SECOND), now()), now=now
    ).tick()
    messages = [row["message"] for row in store.queries.windows("stuck")]
    assert ["deadline" in message for message in messages] == [True] * 3 + [False] * (builders.DAYS - 3)
    assert "3 earlier attempts" in messages[-1]
    assert sum(thread.name == "drift-work-stuck" for thread in threading.enumerate()) == 3


def test_an_impossible_schedule_stops_its_own_monitor_only(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, now: Callable[[], datetime]
) -> None:
    never = replace(builders.make_monitor(data, "never"), schedule="0 0 30 2 *")
    service = make(never, builders.make_monitor(data), now=now)
    service.tick()
    assert set(service.health.failed) == {"never"}
    assert builders.statuses(store) == ["done"] * builders.DAYS


def test_a_slow_channel_delays_neither_windows_nor_other_channels(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, now: Callable[[], datetime], tmp_path: Path
) -> None:
    sent_at: list[float] = []

    class Slow:
        name = "slow"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            time.sleep(1.5)
            sent_at.append(time.monotonic())
            raise DeliveryError("no answer")

    both = builders.make_monitor(data)
    both = replace(both, alerting=replace(both.alerting, notify=("slow", "team")))
    service = make(both, builders.make_monitor(data, "two"), now=now, channels={"slow": Slow()})
    service.tick()
    assert builders.statuses(store, "two") == ["done"] * builders.DAYS
    assert store.queries.counts_by_status()["deliveries"] == {"pending": 1, "sent": 2}
    assert (tmp_path / "notifications.jsonl").stat().st_mtime < time.time() - (time.monotonic() - sent_at[0])


def test_stop_releases_a_window_that_hangs(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, now: Callable[[], datetime], gate: threading.Event
) -> None:
    service = make(builders.make_monitor(data, "stuck"), now=now)
    service.start()
    builders.wait_for(lambda: "claimed" in builders.statuses(store, "stuck"))
    begun = time.monotonic()
    service.stop(grace=0.3)
    assert time.monotonic() - begun < 15
    known = store.monitors.find("stuck")
    assert known is not None
    assert store.windows.leased(known.monitor_id, now()) == []
    due = store.windows.due(known, now())
    assert len(due) == builders.DAYS, "all windows are due, for any worker"
    assert [one.attempts for one in due] == [0] * builders.DAYS, "a released window counts as no attempt"


def test_stop_during_planning_starts_no_window(
    store: Store,
    make: Make,
    data: Path,
    builders: SimpleNamespace,
    now: Callable[[], datetime],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opening, resume = threading.Event(), threading.Event()

    def slowly(monitor: Monitor) -> Source:
        opening.set()
        resume.wait(20)
        return open_source(monitor)

    monkeypatch.setattr("drift.runner.check.open_source", slowly)
    service = make(builders.make_monitor(data), now=now)
    service.start()
    assert opening.wait(20)
    service.stop_soon()
    resume.set()
    service.stop()
    assert builders.statuses(store) == ["due"] * builders.DAYS
    known = store.monitors.find("one")
    assert known is not None
    assert {one.attempts for one in store.windows.due(known, now())} == {0}


def crash_on_window(store: Store, monitor: Monitor, now: datetime, times: int) -> None:
    """Let workers of other hosts claim the monitor's first window and crash."""
    definition = store.monitors.define(monitor.name, monitor.document, now)
    first = Window(now - timedelta(days=1), now)
    store.windows.plan(definition, [(first, now - timedelta(days=1))])
    for number in range(times):
        earlier = now - timedelta(minutes=2 * (times - number))
        (planned,) = store.windows.due(definition, earlier)
        assert (
            store.windows.claim(planned.id, definition, f"elsewhere:{number}", earlier, timedelta(minutes=1))
            is not None
        )


@pytest.mark.parametrize(("times", "expected"), [(ISOLATE_AFTER_CRASHES - 1, 3), (ISOLATE_AFTER_CRASHES, 1)])
def test_crashing_windows_are_evaluated_in_isolation(
    store: Store,
    make: Make,
    data: Path,
    builders: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    expected: int,
) -> None:
    now = builders.FIRST + timedelta(days=1)
    monitors = [with_frozen_reference(store, builders.make_monitor(data, f"m{n}"), now) for n in range(3)]
    for one in monitors:
        crash_on_window(store, one, now, times)
    original, together, under_way = Files.count, [0], [0]

    def count(self: Files, *args: Any) -> Any:
        under_way[0] += 1
        together[0] = max(together[0], under_way[0])
        time.sleep(0.3)
        under_way[0] -= 1
        return original(self, *args)

    monkeypatch.setattr(Files, "count", count)
    make(*monitors, now=lambda: now).tick()
    assert [builders.statuses(store, one.name) for one in monitors] == [["done"]] * 3
    assert together == [expected]


def test_a_postponed_window_fails_its_monitor_until_it_is_evaluated(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = builders.FIRST + timedelta(days=1)
    one = with_frozen_reference(store, builders.make_monitor(data), now)
    crash_on_window(store, one, now, ISOLATE_AFTER_CRASHES)
    service = make(one, now=lambda: now)
    monkeypatch.setattr("drift.runner.isolation.MAX_EXCLUSIVE_SECONDS", 0.1)
    with work_slot(exclusive=False, stopping=lambda: False) as granted:
        assert granted
        time.sleep(0.2)
        service.tick()
        assert f"{ISOLATE_AFTER_CRASHES} times" in service.health.failed["one"]
        assert service.health.succeeded == {}
    service.tick()
    assert (builders.statuses(store), service.health.failed) == (["done"], {})


def crash_on_reference(store: Store, monitor: Monitor, now: datetime, times: int) -> None:
    """Let workers of other hosts start to read the monitor's reference and crash."""
    key = store.monitors.define(monitor.name, monitor.document, now).monitor_id
    for number in range(times):
        earlier = now - timedelta(minutes=2 * (times - number))
        attempt = store.references.begin_attempt(
            key, reference_digest(monitor), f"elsewhere:{number}", earlier, timedelta(minutes=1)
        )
        assert attempt is not None


def test_crashing_references_are_read_after_the_others_are_delivered(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, now: Callable[[], datetime], monkeypatch: Any
) -> None:
    worst, bad, one, two = (builders.make_monitor(data, name) for name in ("worst", "bad", "one", "two"))
    crash_on_reference(store, worst, now(), ISOLATE_AFTER_CRASHES + 1)
    crash_on_reference(store, bad, now(), ISOLATE_AFTER_CRASHES)
    original, calls = read_reference, []

    def learn(monitor: Monitor, now: datetime) -> Any:
        calls.append((monitor.name, Counter(row["status"] for row in store.queries.windows()), store.outbox.counts()))
        return original(monitor, now)

    monkeypatch.setattr("drift.references.freeze.read_reference", learn)
    make(worst, bad, one, two, now=now).tick()
    assert {name for name, _, _ in calls[:2]} == {"one", "two"}
    (name, windows, sent), (earlier, more, later) = calls[2:]
    assert (name, windows["done"], sent) == ("bad", 2 * builders.DAYS, {"sent": 2})
    assert (earlier, more["done"], later) == ("worst", 3 * builders.DAYS, {"sent": 3})
    assert store.references.attempts() == []
    assert store.queries.counts_by_status()["windows"] == {"done": 4 * builders.DAYS}


def test_crashing_references_wait_for_all_windows_of_others(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = builders.FIRST + timedelta(hours=2 * BATCH_WINDOWS + 1)
    bad, one = builders.make_monitor(data, "bad", window="1h"), builders.make_monitor(data, window="1h")
    crash_on_reference(store, bad, now, ISOLATE_AFTER_CRASHES)
    original, calls = read_reference, []

    def learn(monitor: Monitor, earlier: datetime) -> Any:
        calls.append((monitor.name, builders.statuses(store)))
        return original(monitor, earlier)

    monkeypatch.setattr("drift.references.freeze.read_reference", learn)
    make(bad, one, now=lambda: now).tick()
    assert [name for name, _ in calls] == ["one", "bad"]
    assert calls[1][1] == ["done"] * (2 * BATCH_WINDOWS + 1)


def test_an_abandoned_reference_fails_its_own_monitor_only(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, now: Callable[[], datetime], caplog: Any
) -> None:
    bad = builders.make_monitor(data, "bad")
    crash_on_reference(store, bad, now(), MAX_ATTEMPTS)
    service = make(bad, builders.make_monitor(data), now=now)
    with caplog.at_level(logging.ERROR, "drift.server"):
        service.tick()
        service.tick()
    assert set(service.health.failed) == {"bad"}
    assert f"{MAX_ATTEMPTS} times" in service.health.failed["bad"]
    assert builders.statuses(store) == ["done"] * builders.DAYS
    codes = [record.code for record in caplog.records if record.name == "drift.server"]
    assert codes == ["reference-abandoned"], "once, not each tick"


def test_stop_while_reading_a_reference_is_no_crash(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, now: Callable[[], datetime], monkeypatch: Any
) -> None:
    reading, resume = threading.Event(), threading.Event()
    original = read_reference

    def learn(monitor: Monitor, now: datetime) -> Any:
        reading.set()
        resume.wait(20)
        return original(monitor, now)

    monkeypatch.setattr("drift.references.freeze.read_reference", learn)
    service = make(builders.make_monitor(data), now=now)
    service.start()
    assert reading.wait(20)
    assert len(store.references.attempts()) == 1
    service.stop(grace=0.2)
    assert store.references.attempts() == []
    resume.set()
    for thread in threading.enumerate():
        if thread.name in {"drift-work-one", "drift-batch-one"}:
            thread.join(20)


def test_the_watchdog_ends_a_process_without_heartbeats(
    make: Make, builders: SimpleNamespace, now: Callable[[], datetime], caplog: pytest.LogCaptureFixture
) -> None:
    hangs, on_silence = threading.Event(), threading.Event()

    def clock() -> datetime:
        if threading.current_thread().name == "drift-tick":
            hangs.wait(20)
        return now()

    service = make(now=now, clock=clock, interval=0.05, on_silence=on_silence.set, max_silence=0.4)
    service.start()
    assert on_silence.wait(60)
    assert [(r.levelno, r.code) for r in caplog.records] == [(logging.CRITICAL, "heartbeat-lost")]
    hangs.set()


def test_the_watchdog_accepts_a_service_that_ticks(make: Make, now: Callable[[], datetime]) -> None:
    on_silence = threading.Event()
    service = make(now=now, interval=0.05, on_silence=on_silence.set, max_silence=2.0)
    service.start()
    assert not on_silence.wait(2.6)


def test_heartbeats_do_not_postpone_an_expected_exit() -> None:
    on_silence = threading.Event()
    with Watchdog("the ticks", 2, on_silence.set) as watchdog:  # it looks every half second
        watchdog.expect_exit(0.4)
        until = time.monotonic() + 20
        while not on_silence.is_set() and time.monotonic() < until:  # a tick that is still running
            watchdog.beat()
            time.sleep(0.02)
    assert on_silence.is_set()


def test_the_watchdog_needs_no_other_thread_to_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    on_silence, messages = threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: messages.set())
    with Watchdog("the ticks", 0.2, on_silence.set):
        no_thread(monkeypatch, "Thread-")
        assert on_silence.wait(60)
        assert messages.wait(60), "the reason for the missing log line"


def no_thread(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let starting threads with such names fail."""
    start = threading.Thread.start

    def fails(self: threading.Thread) -> None:
        if self.name.startswith(name):
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", fails)


@pytest.mark.parametrize("name", ["drift-batch-one", "drift-work-one", "drift-lease"])
def test_a_thread_that_cannot_start_is_reported(
    store: Store, make: Make, data: Path, builders: SimpleNamespace, name: str
) -> None:
    now = builders.FIRST + timedelta(days=1)
    service = make(with_frozen_reference(store, builders.make_monitor(data), now), now=lambda: now)
    with pytest.MonkeyPatch.context() as patched:
        no_thread(patched, name)
        service.tick()
    assert "can't start new thread" in service.health.failed["one"]
    assert store.queries.windows("one", revisions="all") == [] or builders.statuses(store) == ["due"]
    service.tick()
    assert service.health.failed == {}
    assert [(row["verdict"], row["attempts"]) for row in store.queries.windows("one")] == [("ok", 1)]
