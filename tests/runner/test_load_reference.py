"""Attempts to read a reference: which count as lost, who reads it, when it is read alone, and when no more."""

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
from drift.runner.isolation import ISOLATE_AFTER_CRASHES, exclusive_turn
from drift.runner.lease import LEASE_TTL, MAX_ATTEMPTS
from drift.runner.load_reference import abandoned_reference, end_attempts, monitors_with_crashes, read_by_another
from drift.runner.plan import backfill
from drift.runner.worker import Worker
from drift.sources import open_source
from drift.sources.files import Files
from drift.store import Attempt, Store
from tests.support.store_builders import lost_answer

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
START = datetime(2024, 3, 1, tzinfo=UTC)
NOW = START + 6 * DAY
ME = Worker("me")


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    """Six days, of which the first four are the reference."""
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


def lose(store: Store, monitor: Monitor, times: int, now: datetime = NOW) -> None:
    """Workers of other hosts begin to read the reference and are never heard of again."""
    key = store.define(monitor.name, monitor.document, now).monitor_id
    for number in range(times):
        then = now - (times - number) * 2 * SECOND
        assert store.begin_reading(key, reference_digest(monitor), f"elsewhere:{number}", then, SECOND) is not None


def check(
    store: Store, monitor: Monitor, *, now: datetime = NOW, worker: Worker = ME
) -> list[WindowResult | RecheckSkipped | MonitorFailure]:
    return list(run_all(store, [monitor], worker=worker, now=lambda: now))


def verdicts(found: list[WindowResult | RecheckSkipped | MonitorFailure]) -> list[str]:
    return [one.outcome.verdict.value if isinstance(one, WindowResult) else repr(one) for one in found]


def failure(found: list[WindowResult | RecheckSkipped | MonitorFailure]) -> str:
    (one,) = found
    assert isinstance(one, MonitorFailure), one
    return one.message


@contextmanager
def learning(how: Callable[[], object]) -> Iterator[None]:
    """Something happens before a reference is read."""
    whole = Files.learn

    def learn(self: Files, *asked: Any) -> Any:
        how()
        return whole(self, *asked)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Files, "learn", learn)
        yield


def test_an_attempt_is_written_down_while_the_reference_is_read_and_gone_after(store: Store, monitor: Monitor) -> None:
    seen = []
    with learning(lambda: seen.extend(store.attempts("m"))):
        assert verdicts(check(store, monitor)) == ["ok"] * 2
    (attempt,) = seen
    assert (attempt.owner, attempt.begun_at, attempt.until) == ("me", NOW, NOW + LEASE_TTL)
    assert attempt.digest == reference_digest(monitor)
    assert store.attempts() == []


def test_an_attempt_that_fails_or_takes_too_long_is_no_lost_one(store: Store, monitor: Monitor) -> None:
    broken = replace(monitor, source=FileSource("/nowhere/*.parquet"), document={"source": "nowhere"})
    for _ in range(MAX_ATTEMPTS + 2):
        assert "nowhere" in failure(check(store, broken))
    nothing = replace(monitor, reference=Reference(Window(START - DAY, START)), start=START)
    for _ in range(MAX_ATTEMPTS + 2):
        assert "holds no rows" in failure(check(store, nothing))
    goes_on = threading.Event()
    with learning(lambda: goes_on.wait(20)):
        assert "longer than its deadline" in failure(check(store, replace(monitor, deadline=0.2 * SECOND)))
        assert store.attempts() == []
        goes_on.set()
        for one in threading.enumerate():
            if one.name == "drift-work-m":
                one.join(20)


def test_what_interrupts_the_process_in_order_is_no_lost_attempt(store: Store, monitor: Monitor) -> None:
    class Interrupted(BaseException):
        """As SIGTERM and Ctrl-C are raised."""

    def interrupt() -> None:
        raise Interrupted

    with learning(interrupt), pytest.raises(Interrupted):
        check(store, monitor)
    assert store.attempts() == []


def test_told_to_stop_what_is_still_read_is_no_lost_attempt(store: Store, monitor: Monitor) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        goes_on.wait(20)

    with learning(hang):
        work = threading.Thread(target=check, args=(store, monitor))
        work.start()
        assert begun.wait(20)
        end_attempts(store, "another")
        assert len(store.attempts()) == 1
        end_attempts(store, "m")
        assert store.attempts() == []
        goes_on.set()
        work.join(20)
    assert [row["verdict"] for row in store.windows()] == ["ok"] * 2, "what comes in time all the same is kept"


def test_a_reference_is_read_by_one_process_and_the_others_wait_for_it(store: Store, monitor: Monitor) -> None:
    times, found = [], []

    def other() -> None:
        times.append(1)
        found.extend(check(store, monitor, worker=Worker("another")))
        assert read_by_another(store, monitor, NOW) is not None

    with learning(other):
        assert verdicts(check(store, monitor)) == ["ok"] * 2
    assert found == []
    assert times == [1]
    assert read_by_another(store, monitor, NOW) is None


def test_a_reader_that_lives_keeps_its_lease(store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [NOW]
    seen: list[WindowResult | RecheckSkipped | MonitorFailure] = []
    monkeypatch.setattr("drift.runner.load_reference.LEASE_TTL", 0.3 * SECOND)

    def slowly() -> None:
        until = time.monotonic() + 20
        clock[0] += 10 * SECOND
        while not any(one.until > clock[0] for one in store.attempts()) and time.monotonic() < until:
            time.sleep(0.02)
        seen.extend(run_all(store, [monitor], worker=Worker("another"), now=lambda: clock[0]))

    with learning(slowly):
        found = list(run_all(store, [monitor], worker=ME, now=lambda: clock[0]))
    assert verdicts(found) == ["ok"] * 2
    assert seen == []


def test_a_reader_of_another_host_is_waited_for_until_its_lease_runs_out(store: Store, monitor: Monitor) -> None:
    key = store.define("m", monitor.document, NOW).monitor_id
    assert (
        store.begin_reading(key, reference_digest(monitor), "elsewhere:1", NOW - LEASE_TTL + SECOND, LEASE_TTL)
        is not None
    )
    assert check(store, monitor) == []
    assert verdicts(check(store, monitor, now=NOW + SECOND)) == ["ok"] * 2


def test_a_dead_reader_of_this_host_is_not_waited_for(
    store: Store, monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    this = Worker.this()
    dead = this.name.rpartition("-")[0] + "-1"  # this number, another process
    key = store.define("m", monitor.document, NOW).monitor_id
    assert store.begin_reading(key, reference_digest(monitor), dead, NOW, LEASE_TTL) is not None
    with caplog.at_level(logging.WARNING, "drift.runner.load_reference"):
        assert verdicts(check(store, monitor, worker=this)) == ["ok"] * 2
    assert f"m: {dead}, which read its reference, is no more" in caplog.text


def test_a_late_end_takes_away_no_attempt_of_another(store: Store, monitor: Monitor) -> None:
    key, digest = store.define("m", monitor.document, NOW).monitor_id, reference_digest(monitor)
    halted = store.begin_reading(key, digest, "a", NOW - 2 * SECOND, SECOND)
    other = store.begin_reading(key, digest, "b", NOW, SECOND)
    assert halted is not None
    assert other is not None
    store.end_reading(halted)
    assert store.attempts() == [other]
    assert not store.renew_reading(halted, NOW + DAY)
    assert store.renew_reading(other, NOW + DAY)
    store.lose_reading(other, NOW)
    assert store.attempts() == [replace(other, until=NOW + DAY)], "it was renewed since it was looked at"


def test_of_several_that_begin_at_once_one_does(store: Store, monitor: Monitor) -> None:
    key, digest = store.define("m", monitor.document, NOW).monitor_id, reference_digest(monitor)
    found: list[object] = []
    line = threading.Barrier(6)

    def begin(number: int) -> None:
        line.wait(20)
        found.append(store.begin_reading(key, digest, f"w{number}", NOW, LEASE_TTL))

    together = [threading.Thread(target=begin, args=(number,)) for number in range(6)]
    for one in together:
        one.start()
    for one in together:
        one.join(30)
    (attempt,) = [one for one in found if one is not None]
    assert store.attempts() == [attempt]


def test_a_lost_answer_leaves_no_doubt_who_reads(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, digest = store.define("m", monitor.document, NOW).monitor_id, reference_digest(monitor)
    with lost_answer(store, monkeypatch, written=False), pytest.raises(StoreError, match="in COMMIT"):
        store.begin_reading(key, digest, "me", NOW, LEASE_TTL)
    assert store.attempts() == []
    with lost_answer(store, monkeypatch):
        attempt = store.begin_reading(key, digest, "me", NOW, LEASE_TTL)
    assert store.attempts() == [attempt]


def test_an_end_that_cannot_be_written_is_made_up_for(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = replace(monitor, reference=Reference(Window(START - DAY, START)), start=START)

    def gone(_attempt: object) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(store, "end_reading", gone)
        assert "holds no rows" in failure(check(store, nothing))
    assert len(store.attempts()) == 1
    assert "holds no rows" in failure(check(store, nothing))
    assert store.attempts() == []


def test_a_beginning_that_was_written_and_never_answered_is_no_lost_attempt(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker, begin = Worker("web:1@aaaaaaaa-700"), store.begin_reading

    def unheard(*asked: Any) -> None:
        begin(*asked)
        raise StoreError("gone, and so is the answer")

    with monkeypatch.context() as patched:
        patched.setattr(store, "begin_reading", unheard)
        for _ in range(3):
            assert "the answer" in failure(check(store, monitor, worker=worker))
    assert len(store.attempts()) == 1
    assert monitors_with_crashes(store, [monitor], worker, NOW) == {}
    assert verdicts(check(store, monitor, worker=worker)) == ["ok"] * 2
    assert store.attempts() == []
    assert caplog.records == [], "nobody is no more"


def test_who_comes_to_late_neither_renews_nor_ends_what_was_begun_after(store: Store, monitor: Monitor) -> None:
    key, digest = store.define("m", monitor.document, NOW).monitor_id, reference_digest(monitor)
    late = store.begin_reading(key, digest, "me", NOW, SECOND)
    assert late is not None
    assert store.forget_readings(key, NOW + SECOND) == 1
    attempt = store.begin_reading(key, "another", "me", NOW + SECOND, LEASE_TTL)
    assert not store.renew_reading(late, NOW + 3 * LEASE_TTL)
    store.end_reading(late)
    assert store.attempts() == [attempt]


def test_what_could_not_be_ended_here_and_is_gone_by_now_is_not_taken_for_what_another_reads(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite gives a key anew once its row is gone."""
    nothing = replace(monitor, reference=Reference(Window(START - DAY, START)), start=START)
    key, digest = store.define("m", nothing.document, NOW).monitor_id, reference_digest(nothing)

    def unheard(attempt: Attempt) -> None:
        Store.end_reading(store, attempt)
        raise StoreError("gone, and so is the answer")

    with monkeypatch.context() as patched:
        patched.setattr(store, "end_reading", unheard)
        assert "holds no rows" in failure(check(store, nothing))
    attempt = store.begin_reading(key, digest, "elsewhere:1", NOW + SECOND, LEASE_TTL)
    assert check(store, nothing, now=NOW + 2 * SECOND) == [], "somebody else reads it"
    assert store.attempts() == [attempt]


@pytest.mark.parametrize(("times", "alone"), [(ISOLATE_AFTER_CRASHES - 1, False), (ISOLATE_AFTER_CRASHES, True)])
def test_a_reference_that_processes_died_over_is_read_with_nothing_else_in_hand(
    store: Store, monitor: Monitor, times: int, alone: bool
) -> None:
    lose(store, monitor, times)
    begun = threading.Event()
    with learning(begun.set):
        work = threading.Thread(target=check, args=(store, monitor))
        with exclusive_turn(alone=False, stopping=lambda: False) as mine:
            assert mine
            work.start()
            assert begun.wait(0.5 if alone else 20) == (not alone)
            if alone:
                assert read_by_another(store, monitor, NOW) is None, "nobody waits for a turn with a lease in hand"
        work.join(30)
    assert begun.is_set()
    assert [row["verdict"] for row in store.windows()] == ["ok"] * 2


def test_a_reference_that_gets_no_turn_to_be_read_alone_fails_its_monitor_and_is_read_when_it_does(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would look as if all were well, for as long as the others are slow."""
    lose(store, monitor, ISOLATE_AFTER_CRASHES)
    monkeypatch.setattr("drift.runner.isolation.MAX_TURN_SECONDS", 0.1)
    with exclusive_turn(alone=False, stopping=lambda: False) as mine:
        assert mine
        time.sleep(0.2)
        assert f"came to no end {ISOLATE_AFTER_CRASHES} times, so it is read with nothing else" in failure(
            check(store, monitor)
        )
        told_to_stop = run_all(store, [monitor], worker=ME, now=lambda: NOW, stopping=lambda: True)
        assert list(told_to_stop) == []
    assert len(store.attempts()) == ISOLATE_AFTER_CRASHES, "it was not begun"
    assert verdicts(check(store, monitor)) == ["ok"] * 2


def test_who_is_suspect_comes_last(store: Store, monitor: Monitor) -> None:
    others = [replace(monitor, name=name) for name in ("fine", "once", "often", "too often", "mended")]
    for one, times in zip(
        others, (0, ISOLATE_AFTER_CRASHES - 1, ISOLATE_AFTER_CRASHES, MAX_ATTEMPTS, ISOLATE_AFTER_CRASHES), strict=True
    ):
        lose(store, one, times)
    others[-1] = replace(others[-1], reference=Reference(Window(START, START + DAY)), document={"reference": "less"})
    assert monitors_with_crashes(store, others, ME, NOW) == {"often": ISOLATE_AFTER_CRASHES}


def test_after_many_lost_attempts_it_is_given_up_with_what_to_do(store: Store, monitor: Monitor) -> None:
    lose(store, monitor, MAX_ATTEMPTS - 1)
    assert abandoned_reference(store, monitor, NOW) == ""
    store.forget_readings(store.define("m", monitor.document, NOW).monitor_id, NOW)
    lose(store, monitor, MAX_ATTEMPTS)
    begun: list[int] = []
    with learning(lambda: begun.append(1)):
        told = failure(check(store, monitor))
        assert failure(check(store, monitor)) == told
    assert begun == []
    assert f"{MAX_ATTEMPTS} times, whoever read it came to no end" in told
    assert f"last elsewhere:{MAX_ATTEMPTS - 1}, begun 2024-03-06T23:59:58Z" in told
    assert "`drift backfill`" in told
    assert abandoned_reference(store, monitor, NOW) == told


def test_a_reference_that_is_configured_otherwise_begins_anew(store: Store, monitor: Monitor) -> None:
    lose(store, monitor, MAX_ATTEMPTS)
    smaller = replace(
        monitor, reference=Reference(Window(START, START + 2 * DAY)), document={"reference": "the first two days"}
    )
    assert abandoned_reference(store, smaller, NOW) == ""
    assert verdicts(check(store, smaller)) == ["ok"] * 4
    assert store.attempts() == [], "of a monitor whose reference is there, none is kept"


def test_backfill_has_a_reference_that_was_given_up_read_again(store: Store, monitor: Monitor) -> None:
    lose(store, monitor, MAX_ATTEMPTS)
    assert backfill(store, monitor, open_source(monitor), START + 4 * DAY, START + 5 * DAY, NOW) == 1
    assert store.attempts() == []
    assert verdicts(check(store, monitor)) == ["ok"] * 2


def test_what_is_accepted_takes_the_place_of_a_reference_that_was_given_up(store: Store, monitor: Monitor) -> None:
    lose(store, monitor, MAX_ATTEMPTS)
    assert "given up" in failure(check(store, monitor))
    accepted = accept_windows(store, monitor, Acceptance(Window(START, START + 2 * DAY), "ann", "it is smaller"), NOW)
    assert store.attempts() == []
    key = store.define("m", monitor.document, NOW).monitor_id
    found = current_reference(store, monitor, key)
    assert found is not None
    assert found.id == accepted.id
    assert verdicts(check(store, monitor)) == ["ok"] * 2
