"""What hangs, fails or makes no sense holds up itself, and nothing else."""

# ruff: noqa: ARG002 (channels that ignore what they are given)

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
from drift.runner.isolation import ISOLATE_AFTER_CRASHES, exclusive_turn
from drift.runner.lease import MAX_ATTEMPTS
from drift.runner.outcome import RETRY_DELAYS
from drift.server import BATCH_WINDOWS, Scheduler, Watchdog
from drift.sources import Source, open_source
from drift.sources.files import Files
from drift.store import Store

Make = Callable[..., Scheduler]
SECOND = timedelta(seconds=1)


class Hanging:
    """A source that does not answer until it is let go."""

    def __init__(self, source: Source, gate: threading.Event) -> None:
        self._source, self._gate = source, gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def count(self, *asked: Any) -> Any:
        self._gate.wait(60)
        return self._source.count(*asked)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The sources of monitors whose name begins with `stuck` hang until it is set."""
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
def now(aid: SimpleNamespace) -> Callable[[], datetime]:
    """All windows have closed."""
    end = aid.FIRST + timedelta(days=aid.DAYS)
    return lambda: end


def frozen(store: Store, monitor: Monitor, moment: datetime) -> Monitor:
    """The monitor, its reference read already: of a short deadline, nothing is left to that."""
    freeze_reference(store, monitor, store.define(monitor.name, monitor.document, moment), moment)
    return monitor


def test_sources_that_hang_give_up_their_places_to_others(
    store: Store,
    make: Make,
    data: Path,
    aid: SimpleNamespace,
    now: Callable[[], datetime],
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("drift.server.monitor_pool.SLOW_WINDOW_SECONDS", 0.3)
    stuck = [aid.watch(data, f"stuck {n}") for n in range(4)]
    service = make(*stuck, aid.watch(data), now=now, places=2)
    until = time.monotonic() + 20
    while store.delivery_counts() != {"sent": 1} and time.monotonic() < until:
        service.tick()  # a second one where the machine is so busy that what does not hang is slow as well
    assert time.monotonic() < until, "their deadline is an hour"
    assert aid.statuses(store) == ["done"] * aid.DAYS
    assert service.trouble() == ""
    assert {aid.statuses(store, one.name)[0] for one in stuck} == {"claimed"}
    gate.set()
    aid.wait_for(lambda: service._rounds.join(0) == [])
    service.tick()
    assert {status for one in stuck for status in aid.statuses(store, one.name)} == {"done"}
    assert set(service.pulse.succeeded) == {"one", *(one.name for one in stuck)}


def test_a_window_past_its_deadline_is_an_error_that_is_tried_again_and_its_late_finding_is_dropped(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, gate: threading.Event
) -> None:
    moment = aid.FIRST + timedelta(days=1)
    service = make(frozen(store, aid.watch(data, "stuck", deadline=SECOND), moment), now=lambda: moment)
    service.tick()
    (row,) = store.windows("stuck", revisions="all")
    assert (row["status"], row["verdict"], row["attempts"]) == ("due", "error", 1)
    assert "counting took longer than its deadline of 0:00:01" in row["message"]
    assert "deadline" in service.pulse.failed["stuck"]
    gate.set()
    aid.wait_for(lambda: not any(t.name == "drift-work-stuck" for t in threading.enumerate()))
    assert store.windows("stuck", revisions="all") == [row]
    moment += RETRY_DELAYS[0]
    service.tick()
    assert [r["verdict"] for r in store.windows("stuck", revisions="all")] == ["error", "ok"]


def test_no_more_than_a_few_threads_are_left_to_one_source_that_hangs(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, now: Callable[[], datetime], gate: threading.Event
) -> None:
    make(frozen(store, aid.watch(data, "stuck", deadline=0.5 * SECOND), now()), now=now).tick()
    told = [row["message"] for row in store.windows("stuck")]
    assert ["longer than its deadline" in why for why in told] == [True] * 3 + [False] * (aid.DAYS - 3)
    assert "3 earlier attempts hang still" in told[-1]
    assert sum(thread.name == "drift-work-stuck" for thread in threading.enumerate()) == 3


def test_a_cron_line_whose_moment_never_comes_stops_its_own_monitor_only(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, now: Callable[[], datetime]
) -> None:
    never = replace(aid.watch(data, "never"), schedule="0 0 30 2 *")
    service = make(never, aid.watch(data), now=now)
    service.tick()
    assert set(service.pulse.failed) == {"never"}
    assert aid.statuses(store) == ["done"] * aid.DAYS


def test_a_slow_channel_delays_neither_windows_nor_other_channels(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, now: Callable[[], datetime], tmp_path: Path
) -> None:
    taken: list[float] = []

    class Slow:
        name = "slow"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            time.sleep(1.5)
            taken.append(time.monotonic())
            raise DeliveryError("no answer")

    both = aid.watch(data)
    both = replace(both, alerting=replace(both.alerting, notify=("slow", "team")))
    service = make(both, aid.watch(data, "two"), now=now, channels={"slow": Slow()})
    service.tick()
    assert aid.statuses(store, "two") == ["done"] * aid.DAYS
    assert store.counts_by_status()["deliveries"] == {"pending": 1, "sent": 2}
    assert (tmp_path / "told.jsonl").stat().st_mtime < time.time() - (time.monotonic() - taken[0])


def test_told_to_stop_a_window_that_hangs_is_given_back_within_the_grace(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, now: Callable[[], datetime], gate: threading.Event
) -> None:
    service = make(aid.watch(data, "stuck"), now=now)
    service.start()
    aid.wait_for(lambda: "claimed" in aid.statuses(store, "stuck"))
    begun = time.monotonic()
    service.stop(grace=0.3)
    assert time.monotonic() - begun < 15
    known = store.find("stuck")
    assert known is not None
    assert store.held(known.monitor_id, now()) == []
    due = store.due(known, now())
    assert len(due) == aid.DAYS, "all of it is due, to whoever comes"
    assert [one.attempts for one in due] == [0] * aid.DAYS, "what is given back in order counts as nothing"


def test_told_to_stop_while_it_plans_it_begins_no_window(
    store: Store,
    make: Make,
    data: Path,
    aid: SimpleNamespace,
    now: Callable[[], datetime],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opening, goes_on = threading.Event(), threading.Event()

    def slowly(monitor: Monitor) -> Source:
        opening.set()
        goes_on.wait(20)
        return open_source(monitor)

    monkeypatch.setattr("drift.runner.check.open_source", slowly)
    service = make(aid.watch(data), now=now)
    service.start()
    assert opening.wait(20)
    service.stop_soon()
    goes_on.set()
    service.stop()
    assert aid.statuses(store) == ["due"] * aid.DAYS
    known = store.find("one")
    assert known is not None
    assert {one.attempts for one in store.due(known, now())} == {0}


def lose(store: Store, monitor: Monitor, moment: datetime, times: int) -> None:
    """Workers of other hosts begin the monitor's first window and come to no end."""
    definition = store.define(monitor.name, monitor.document, moment)
    first = Window(moment - timedelta(days=1), moment)
    store.plan(definition, [(first, moment - timedelta(days=1))], moment)
    for number in range(times):
        then = moment - timedelta(minutes=2 * (times - number))
        (planned,) = store.due(definition, then)
        assert store.claim(planned.id, definition, f"elsewhere:{number}", then, timedelta(minutes=1)) is not None


@pytest.mark.parametrize(("times", "most"), [(ISOLATE_AFTER_CRASHES - 1, 3), (ISOLATE_AFTER_CRASHES, 1)])
def test_windows_that_many_were_lost_over_are_worked_on_alone(
    store: Store,
    make: Make,
    data: Path,
    aid: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    most: int,
) -> None:
    moment = aid.FIRST + timedelta(days=1)
    monitors = [frozen(store, aid.watch(data, f"m{n}"), moment) for n in range(3)]
    for one in monitors:
        lose(store, one, moment, times)
    whole, together, under_way = Files.count, [0], [0]

    def count(self: Files, *asked: Any) -> Any:
        under_way[0] += 1
        together[0] = max(together[0], under_way[0])
        time.sleep(0.3)
        under_way[0] -= 1
        return whole(self, *asked)

    monkeypatch.setattr(Files, "count", count)
    make(*monitors, now=lambda: moment).tick()
    assert [aid.statuses(store, one.name) for one in monitors] == [["done"]] * 3
    assert together == [most]


def test_a_window_that_gets_no_turn_to_be_worked_on_alone_fails_its_monitor_until_it_does(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = aid.FIRST + timedelta(days=1)
    one = frozen(store, aid.watch(data), moment)
    lose(store, one, moment, ISOLATE_AFTER_CRASHES)
    service = make(one, now=lambda: moment)
    monkeypatch.setattr("drift.runner.isolation.MAX_TURN_SECONDS", 0.1)
    with exclusive_turn(alone=False, stopping=lambda: False) as mine:
        assert mine
        time.sleep(0.2)
        service.tick()
        assert f"{ISOLATE_AFTER_CRASHES} attempts on it came to no end" in service.pulse.failed["one"]
        assert service.pulse.succeeded == {}
    service.tick()
    assert (aid.statuses(store), service.pulse.failed) == (["done"], {})


def lose_readings(store: Store, monitor: Monitor, moment: datetime, times: int) -> None:
    """Workers of other hosts begin to read the monitor's reference and come to no end."""
    key = store.define(monitor.name, monitor.document, moment).monitor_id
    for number in range(times):
        then = moment - timedelta(minutes=2 * (times - number))
        attempt = store.begin_reading(key, reference_digest(monitor), f"elsewhere:{number}", then, timedelta(minutes=1))
        assert attempt is not None


def test_references_that_many_were_lost_over_come_last_when_what_the_others_found_is_sent(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, now: Callable[[], datetime], monkeypatch: Any
) -> None:
    worst, bad, one, two = (aid.watch(data, name) for name in ("worst", "bad", "one", "two"))
    lose_readings(store, worst, now(), ISOLATE_AFTER_CRASHES + 1)
    lose_readings(store, bad, now(), ISOLATE_AFTER_CRASHES)
    whole, seen = read_reference, []

    def learn(monitor: Monitor, moment: datetime) -> Any:
        seen.append((monitor.name, Counter(row["status"] for row in store.windows()), store.delivery_counts()))
        return whole(monitor, moment)

    monkeypatch.setattr("drift.references.freeze.read_reference", learn)
    make(worst, bad, one, two, now=now).tick()
    assert {name for name, _, _ in seen[:2]} == {"one", "two"}
    (name, windows, sent), (then, more, later) = seen[2:]
    assert (name, windows["done"], sent) == ("bad", 2 * aid.DAYS, {"sent": 2})
    assert (then, more["done"], later) == ("worst", 3 * aid.DAYS, {"sent": 3})
    assert store.attempts() == []
    assert store.counts_by_status()["windows"] == {"done": 4 * aid.DAYS}


def test_a_reference_that_many_were_lost_over_waits_for_all_windows_of_the_others_not_for_a_round_of_them(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = aid.FIRST + timedelta(hours=2 * BATCH_WINDOWS + 1)
    bad, one = aid.watch(data, "bad", window="1h"), aid.watch(data, window="1h")
    lose_readings(store, bad, moment, ISOLATE_AFTER_CRASHES)
    whole, seen = read_reference, []

    def learn(monitor: Monitor, then: datetime) -> Any:
        seen.append((monitor.name, aid.statuses(store)))
        return whole(monitor, then)

    monkeypatch.setattr("drift.references.freeze.read_reference", learn)
    make(bad, one, now=lambda: moment).tick()
    assert [name for name, _ in seen] == ["one", "bad"]
    assert seen[1][1] == ["done"] * (2 * BATCH_WINDOWS + 1)


def test_a_reference_that_is_given_up_fails_its_monitor_and_no_other(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, now: Callable[[], datetime], caplog: Any
) -> None:
    bad = aid.watch(data, "bad")
    lose_readings(store, bad, now(), MAX_ATTEMPTS)
    service = make(bad, aid.watch(data), now=now)
    with caplog.at_level(logging.ERROR, "drift.server"):
        service.tick()
        service.tick()
    assert set(service.pulse.failed) == {"bad"}
    assert f"given up: {MAX_ATTEMPTS} times" in service.pulse.failed["bad"]
    assert aid.statuses(store) == ["done"] * aid.DAYS
    assert len([record for record in caplog.records if "given up" in record.getMessage()]) == 1, "once, not each tick"


def test_told_to_stop_a_reference_that_is_still_read_counts_as_no_lost_attempt(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, now: Callable[[], datetime], monkeypatch: Any
) -> None:
    reading, goes_on = threading.Event(), threading.Event()
    whole = read_reference

    def learn(monitor: Monitor, moment: datetime) -> Any:
        reading.set()
        goes_on.wait(20)
        return whole(monitor, moment)

    monkeypatch.setattr("drift.references.freeze.read_reference", learn)
    service = make(aid.watch(data), now=now)
    service.start()
    assert reading.wait(20)
    assert len(store.attempts()) == 1
    service.stop(grace=0.2)
    assert store.attempts() == []
    goes_on.set()
    for thread in threading.enumerate():
        if thread.name in {"drift-work-one", "drift-round-one"}:
            thread.join(20)


def test_the_watchdog_ends_a_process_whose_ticks_are_silent(
    make: Make, aid: SimpleNamespace, now: Callable[[], datetime], caplog: pytest.LogCaptureFixture
) -> None:
    hangs, dead = threading.Event(), threading.Event()

    def clock() -> datetime:
        if threading.current_thread().name == "drift-tick":
            hangs.wait(20)
        return now()

    service = make(now=now, clock=clock, seconds=0.05, dead=dead.set, silence=0.4)
    service.start()
    assert dead.wait(60)
    assert [r.levelno for r in caplog.records if "no sign of life" in r.message] == [logging.CRITICAL]
    hangs.set()


def test_the_watchdog_leaves_a_service_alone_that_ticks(make: Make, now: Callable[[], datetime]) -> None:
    dead = threading.Event()
    service = make(now=now, seconds=0.05, dead=dead.set, silence=2.0)
    service.start()
    assert not dead.wait(2.6)


def test_signs_of_life_put_off_no_end_that_is_expected() -> None:
    dead = threading.Event()
    with Watchdog("the ticks", 2, dead.set) as watchdog:  # it looks every half a second
        watchdog.expect_end(0.4)
        until = time.monotonic() + 20
        while not dead.is_set() and time.monotonic() < until:  # a tick that is still under way
            watchdog.alive()
            time.sleep(0.02)
    assert dead.is_set()


def test_the_watchdog_needs_no_further_thread_to_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    dead, told = threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: told.set())
    with Watchdog("the ticks", 0.2, dead.set):
        no_thread(monkeypatch, "Thread-")
        assert dead.wait(60)
        assert told.wait(60), "why its last line is missing"


def no_thread(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The system starts no more threads of such names."""
    start = threading.Thread.start

    def fails(self: threading.Thread) -> None:
        if self.name.startswith(name):
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", fails)


@pytest.mark.parametrize("name", ["drift-round-one", "drift-work-one", "drift-lease"])
def test_a_thread_that_cannot_be_started_is_told_and_the_next_tick_goes_on(
    store: Store, make: Make, data: Path, aid: SimpleNamespace, name: str
) -> None:
    moment = aid.FIRST + timedelta(days=1)
    service = make(frozen(store, aid.watch(data), moment), now=lambda: moment)
    with pytest.MonkeyPatch.context() as patched:
        no_thread(patched, name)
        service.tick()
    assert "can't start new thread" in service.pulse.failed["one"]
    assert store.windows("one", revisions="all") == [] or aid.statuses(store) == ["due"]
    service.tick()
    assert service.pulse.failed == {}
    assert [(row["verdict"], row["attempts"]) for row in store.windows("one")] == [("ok", 1)]
