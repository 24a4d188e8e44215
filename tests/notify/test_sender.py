"""Deliveries: every notification arrives at least once, in order, and no channel delays another."""

# ruff: noqa: ARG002 (fakes that ignore arguments)

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from drift.errors import DeliveryError, StoreError
from drift.notify.channels import Channel
from drift.notify.delivery import Outbox, backoff
from drift.notify.sender import DrainStats, drain
from drift.store.engine import BUSY_TIMEOUT
from tests.support.receivers import webhook

T0 = datetime(2011, 6, 13, 2, 15, tzinfo=UTC)
Serve = Callable[..., Any]
Payload = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Delivery:
    """A row of the outbox."""

    id: int
    notification_id: str
    channel: str
    attempts: int
    payload: Mapping[str, Any]


@dataclass
class Row:
    """A delivery and its state."""

    delivery: Delivery
    status: str = "pending"
    next_attempt_at: datetime = T0
    error: str = ""


@dataclass
class Memory(Outbox):
    """An outbox in memory that refuses other threads, as SQLite does."""

    rows: list[Row] = field(default_factory=list)
    owner: int = field(default_factory=threading.get_ident)

    def add(self, channel: str, payload: Mapping[str, Any]) -> Row:
        self.rows.append(Row(Delivery(len(self.rows) + 1, payload["id"], channel, 0, payload)))
        return self.rows[-1]

    def due(self, now: datetime | None, limit: int = 1000) -> Sequence[Delivery]:
        assert threading.get_ident() == self.owner
        pending = [r for r in self.rows if r.status == "pending"]
        return [r.delivery for r in pending if now is None or r.next_attempt_at <= now][:limit]

    def take(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        assert threading.get_ident() == self.owner
        row = self.rows[delivery_id - 1]
        free = row.status == "pending" and row.next_attempt_at <= now
        row.next_attempt_at = until if free else row.next_attempt_at
        return free

    def mark_sent(self, delivery_id: int, now: datetime) -> None:
        assert threading.get_ident() == self.owner
        self.rows[delivery_id - 1].status = "sent"

    def mark_failed(
        self, delivery_id: int, error: str, retry_at: datetime | None, taken_until: datetime | None = None
    ) -> None:
        assert threading.get_ident() == self.owner
        row = self.rows[delivery_id - 1]
        row.error = error
        row.delivery = replace(row.delivery, attempts=row.delivery.attempts + 1)
        if retry_at is None:
            row.status = "dead"
        else:
            row.next_attempt_at = retry_at


@dataclass
class Clock:
    """A clock that tests advance."""

    moment: datetime = T0

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


def hooks(**receivers: Any) -> dict[str, Channel]:
    return {name: webhook(r.url, name) for name, r in receivers.items()}


def run(outbox: Outbox, channels: Mapping[str, Channel], clock: Clock | None = None, **options: Any) -> DrainStats:
    return drain(outbox, channels, clock or Clock(), rng=np.random.default_rng(3), **{"deadline": 5.0, **options})


def ids(receiver: Any) -> list[str]:
    return [r.headers["idempotency-key"] for r in receiver.requests]


def test_due_deliveries_are_sent_oldest_first_and_once(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver, outbox = serve(how.answer(200)), Memory()
    for n in range(5):
        outbox.add("hook", payload(f"n-{n}"))
    assert run(outbox, hooks(hook=receiver)) == DrainStats(sent=5)
    assert run(outbox, hooks(hook=receiver)) == DrainStats()
    assert ids(receiver) == [f"n-{n}" for n in range(5)]


def test_a_failure_is_retried_and_holds_back_later_deliveries(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    receiver, outbox, clock = serve(how.answer(500), how.answer(200)), Memory(), Clock()
    first, _ = outbox.add("hook", payload("fires")), outbox.add("hook", payload("resolves", status="resolved"))
    channels = hooks(hook=receiver)
    assert run(outbox, channels, clock) == DrainStats(retried=1, waiting=1)
    assert first.error == "http://127.0.0.1: 500 Internal Server Error"
    # The second one is due and the first is not yet, but must not be overtaken.
    clock.forward(seconds=1)
    assert run(outbox, channels, clock) == DrainStats(waiting=1)
    outbox.add("hook", payload("fires again"))
    clock.forward(seconds=60)
    assert run(outbox, channels, clock) == DrainStats(sent=3)
    assert ids(receiver) == ["fires", "fires", "resolves", "fires again"]


def test_a_delivery_that_is_not_retryable_holds_back_nothing(
    serve: Serve, how: SimpleNamespace, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, outbox = serve(how.answer(400, b"no such field"), how.answer(200)), Memory()
    first, second = outbox.add("hook", payload("n-1")), outbox.add("hook", payload("n-2"))
    assert run(outbox, hooks(hook=receiver)) == DrainStats(sent=1, dead=1)
    assert (first.status, second.status) == ("dead", "sent")
    assert first.error.startswith("http://127.0.0.1: 400 Bad Request: no such field")
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert (record.name, record.code) == ("drift.notify.sender", "delivery-abandoned")
    assert record.fields == {"channel": "hook", "reason": "receiver-refused"}


def test_retry_after_is_respected(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver, outbox = serve(how.answer(429, Retry_After="5000")), Memory()
    row = outbox.add("hook", payload())
    run(outbox, hooks(hook=receiver))
    assert row.next_attempt_at == T0 + timedelta(seconds=5000)  # longer than the longest backoff


@pytest.mark.parametrize("header", ["0", "999999999"])
def test_retry_after_neither_shortens_backoff_nor_exceeds_a_day(
    serve: Serve, how: SimpleNamespace, payload: Payload, header: str
) -> None:
    receiver, outbox = serve(how.answer(503, Retry_After=header)), Memory()
    row = outbox.add("hook", payload())
    run(outbox, hooks(hook=receiver))
    assert T0 + timedelta(seconds=15) <= row.next_attempt_at <= T0 + timedelta(days=1)


def test_a_delivery_is_abandoned_after_its_attempts_and_logged(
    serve: Serve, how: SimpleNamespace, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, outbox, clock = serve(how.answer(500)), Memory(), Clock()
    row, later = outbox.add("hook", payload("n-1")), outbox.add("hook", payload("n-2"))
    for _ in range(3):
        assert row.status == "pending"
        run(outbox, hooks(hook=receiver), clock, attempts=3)
        clock.forward(hours=2)
    assert row.status == "dead"
    assert "500 Internal Server Error" in row.error
    assert "3 times" in row.error
    assert ids(receiver) == ["n-1"] * 3
    assert [r.code for r in caplog.records if "n-1" in r.message] == ["delivery-failed"] * 2 + ["delivery-abandoned"]
    assert (later.status, later.delivery.attempts) == ("pending", 0), "it was not abandoned with the other"


def test_deliveries_to_an_unconfigured_channel_are_abandoned_in_the_end(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    receiver, outbox, clock = serve(how.answer(200)), Memory(), Clock()
    gone = outbox.add("pager", payload("n-1"))
    outbox.add("hook", payload("n-1"))
    assert run(outbox, hooks(hook=receiver), clock, attempts=2) == DrainStats(sent=1, retried=1)
    assert gone.status == "pending", "another process on this store may have the channel"
    clock.forward(hours=2)
    assert run(outbox, hooks(hook=receiver), clock, attempts=2) == DrainStats(dead=1)
    assert "'pager'" in gone.error


@pytest.mark.parametrize("seed", range(6))
def test_order_is_kept_after_a_channel_was_unconfigured(payload: Payload, seed: int) -> None:
    outbox, clock, rng, received = Memory(), Clock(), np.random.default_rng(seed), list[str]()

    class Recording:
        name = "hook"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            received.append(payload["id"])

    for n in range(6):
        outbox.add("hook", payload(f"n-{n}"))
    assert drain(outbox, {}, clock, rng=rng) == DrainStats(retried=6)
    outbox.add("hook", payload("n-6"))
    for _ in range(60):
        clock.forward(seconds=1)
        drain(outbox, {"hook": Recording()}, clock, rng=rng)
    assert received == [f"n-{n}" for n in range(7)]


def test_all_deliveries_of_an_unconfigured_channel_are_abandoned_together(payload: Payload) -> None:
    outbox, clock = Memory(), Clock()
    rows = [outbox.add("gone", payload(f"n-{n}")) for n in range(50)]
    for _ in range(12):
        assert {row.status for row in rows} == {"pending"}
        run(outbox, {}, clock)
        clock.forward(hours=1)
    assert {row.status for row in rows} == {"dead"}


def test_a_delivery_that_is_not_due_holds_back_later_ones(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver, outbox, clock = serve(how.answer(200)), Memory(), Clock()
    rows = [outbox.add("hook", payload(f"n-{n}")) for n in range(4)]
    rows[1].next_attempt_at = T0 + timedelta(minutes=1)  # claimed by another sender, or to be retried
    assert run(outbox, hooks(hook=receiver), clock) == DrainStats(sent=1, waiting=2)
    clock.forward(minutes=1)
    assert run(outbox, hooks(hook=receiver), clock) == DrainStats(sent=3)
    assert ids(receiver) == [f"n-{n}" for n in range(4)]


def test_postponing_for_an_unconfigured_channel_stops_in_time(payload: Payload) -> None:
    outbox = Memory()
    for n in range(5):
        outbox.add("gone", payload(f"n-{n}"))
    assert run(outbox, {}, stopping=lambda: outbox.rows[1].delivery.attempts > 0) == DrainStats(retried=2, waiting=3)
    assert run(outbox, {}, Clock(T0 + timedelta(hours=1)), deadline=0.0) == DrainStats(waiting=5)


@pytest.mark.parametrize("bad", ["hang", "drip"])
def test_a_bad_channel_does_not_delay_a_good_one(
    serve: Serve, how: SimpleNamespace, payload: Payload, bad: str
) -> None:
    stuck = serve(how.hang if bad == "hang" else how.drip(b"HTTP/1.1 200 OK\r\n"))
    good, outbox, arrived = serve(how.answer(200)), Memory(), []
    for n in range(3):
        outbox.add("bad", payload(f"n-{n}"))
    rows = [outbox.add("good", payload(f"n-{n}")) for n in range(3)]
    started = time.monotonic()
    record = outbox.mark_sent

    def mark_sent(delivery_id: int, now: datetime) -> None:
        arrived.append(time.monotonic() - started)
        record(delivery_id, now)

    outbox.mark_sent = mark_sent
    assert run(outbox, hooks(bad=stuck, good=good), deadline=5.0) == DrainStats(sent=3, retried=1, waiting=2)
    assert time.monotonic() - started < 20, "the bad one is abandoned at its own deadline"
    assert [r.status for r in rows] == ["sent"] * 3
    assert max(arrived) < 4.9, "recorded as they arrived, not when the bad one ended"


def test_deliveries_without_time_left_wait_and_do_not_fail(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    def slowly(handler: Any, closing: threading.Event) -> None:
        closing.wait(0.4)
        how.answer(200)(handler, closing)

    receiver, outbox = serve(slowly), Memory()
    rows = [outbox.add("hook", payload(f"n-{n}")) for n in range(8)]
    done = run(outbox, hooks(hook=receiver), deadline=3.0)
    assert done.retried == done.dead == 0
    assert done.sent in {1, 2, 3, 4}, "none is started in the second half"
    assert done.sent + done.waiting == 8
    assert {r.delivery.attempts for r in rows} == {0}


@dataclass
class Unruly:
    """A channel with a defect: it ignores its deadline, or raises."""

    name: str
    ended: threading.Event = field(default_factory=threading.Event)
    fault: Exception | None = None

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        if self.fault:
            raise self.fault
        self.ended.wait(30)


def test_a_channel_that_overruns_its_deadline_is_abandoned(
    serve: Serve, how: SimpleNamespace, payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drift.notify.sender.OVERRUN_SECONDS", 0.1)
    good, unruly, outbox = serve(how.answer(200)), Unruly("nfs"), Memory()
    stuck = outbox.add("nfs", payload("n-1"))
    outbox.add("good", payload("n-1"))
    started = time.monotonic()
    assert run(outbox, {"nfs": unruly, **hooks(good=good)}, deadline=0.5) == DrainStats(sent=1, retried=1)
    assert time.monotonic() - started < 20
    assert "'nfs'" in stuck.error
    assert "0.5 s" in stuck.error
    unruly.ended.set()


def test_an_internal_error_of_a_channel_shows_its_traceback(
    serve: Serve, how: SimpleNamespace, payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", shown.append)
    good, outbox = serve(how.answer(200)), Memory()
    bad = outbox.add("odd", payload("n-1"))
    outbox.add("odd", payload("n-2"))
    outbox.add("good", payload("n-1"))
    unruly = Unruly("odd", fault=KeyError("title"))
    assert run(outbox, {"odd": unruly, **hooks(good=good)}) == DrainStats(sent=1, retried=1, waiting=1)
    assert "'odd'" in bad.error
    for _ in range(100):  # the hook runs after the thread reported its end
        if shown:
            break
        time.sleep(0.02)
    assert [s.exc_value for s in shown] == [unruly.fault]


class Failing(Memory):
    """A store that goes away."""

    def mark_sent(self, delivery_id: int, now: datetime) -> None:
        raise ConnectionError("the store is gone")


def test_an_error_of_the_store_is_raised_and_stops_sending(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    def slowly(handler: Any, closing: threading.Event) -> None:
        closing.wait(0.1)
        how.answer(200)(handler, closing)

    receiver, outbox = serve(slowly), Failing()
    for n in range(20):
        outbox.add("hook", payload(f"n-{n}"))
    with pytest.raises(ConnectionError, match="the store is gone"):
        run(outbox, hooks(hook=receiver))
    time.sleep(0.5)
    assert 1 <= len(receiver.requests) <= 3


class Busy(Memory):
    """A store whose every write waits as long as it may; claimed deliveries are sent meanwhile."""

    clock: Clock
    taken = 0
    sent = 0

    def wait(self) -> None:
        while self.sent < self.taken:
            time.sleep(0.001)
        time.sleep(0.01)  # time for a thread to report its result
        self.clock.forward(seconds=BUSY_TIMEOUT)

    def take(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        taken = super().take(delivery_id, now, until)
        self.wait()
        self.taken += taken
        return taken

    def mark_sent(self, delivery_id: int, now: datetime) -> None:
        self.wait()
        assert self.clock() < self.rows[delivery_id - 1].next_attempt_at, "another sender could have claimed it by now"
        super().mark_sent(delivery_id, now)


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_no_claim_expires_while_a_busy_store_records(payload: Payload, channels: int) -> None:
    outbox, clock, counting = Busy(), Clock(), threading.Lock()
    outbox.clock = clock

    class Slow:
        name = "slow"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            if payload["id"] == "n-0":  # time that passes for all channels at once
                clock.forward(seconds=deadline)
            with counting:
                outbox.sent += 1

    for n in range(3 * channels):
        outbox.add(f"c-{n % channels}", payload(f"n-{n}"))
    assert run(outbox, {f"c-{n}": Slow() for n in range(channels)}, clock) == DrainStats(sent=3 * channels)


def test_waiting_for_the_store_does_not_reduce_the_receivers_time(payload: Payload) -> None:
    deadlines: list[float] = []

    class Waiting(Memory):
        def take(self, delivery_id: int, now: datetime, until: datetime) -> bool:
            time.sleep(0.9)
            return super().take(delivery_id, now, until)

    class Recording:
        name = "hook"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            deadlines.append(deadline)

    outbox = Waiting()
    outbox.add("hook", payload("n-1"))
    outbox.add("hook", payload("n-2"))
    assert run(outbox, {"hook": Recording()}, deadline=1.0) == DrainStats(sent=1, waiting=1)
    assert 0.2 < deadlines[0] <= 0.5, "half of its time, not the rest that the store left"


def test_results_are_recorded_although_the_store_failed_for_another(payload: Payload) -> None:
    failed = threading.Event()

    class Part(Memory):
        def mark_sent(self, delivery_id: int, now: datetime) -> None:
            if self.rows[delivery_id - 1].delivery.channel == "a":
                failed.set()
                raise StoreError("database is locked")
            super().mark_sent(delivery_id, now)

    class Later:
        name = "b"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            assert failed.wait(5)

    class Prompt:
        name = "a"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None: ...

    outbox = Part()
    for channel in "abab":
        outbox.add(channel, payload(f"n-{channel}"))
    with pytest.raises(StoreError, match="database is locked"):
        run(outbox, {"a": Prompt(), "b": Later()})
    assert [row.status for row in outbox.rows] == ["pending", "sent", "pending", "pending"], "no other was started"


def test_a_late_answer_repeats_the_notification_under_its_id(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    def late(handler: Any, closing: threading.Event) -> None:
        closing.wait(2)
        how.answer(204)(handler, closing)

    receiver, outbox, clock = serve(late, how.answer(204)), Memory(), Clock()
    row = outbox.add("hook", payload("n-1"))
    hook = {"hook": webhook(receiver.url, timeout=0.5)}
    assert run(outbox, hook, clock) == DrainStats(retried=1)
    assert row.error.startswith("http://127.0.0.1: ")
    assert "0.5 s" in row.error
    clock.forward(minutes=1)
    hook = {"hook": webhook(receiver.url)}
    assert run(outbox, hook, clock) == DrainStats(sent=1)
    assert ids(receiver) == ["n-1", "n-1"]


def test_backoff_doubles_to_an_hour_and_is_spread() -> None:
    rng = np.random.default_rng(5)
    for failures in range(1, 40):
        longest = min(3600.0, 30.0 * 2 ** (failures - 1))
        waits = [backoff(failures, rng) for _ in range(50)]
        assert all(longest / 2 <= w <= longest for w in waits)
        assert max(waits) - min(waits) > longest / 4
    assert backoff(100_000, rng) <= 3600


def test_a_flaky_receiver_gets_every_notification_in_order(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    rng = np.random.default_rng(11)
    behaviours = [how.answer(200), how.answer(500), how.answer(429, Retry_After="40"), how.reset]
    receiver = serve(*[behaviours[i] for i in rng.integers(0, 4, 200)])
    outbox, clock = Memory(), Clock()
    for n in range(15):
        outbox.add("hook", payload(f"n-{n:02}"))
    for _ in range(200):
        run(outbox, hooks(hook=receiver), clock, attempts=1000)
        clock.forward(hours=1)
    assert {r.status for r in outbox.rows} == {"sent"}
    arrived = ids(receiver)
    assert list(dict.fromkeys(arrived)) == [f"n-{n:02}" for n in range(15)]
    assert arrived == sorted(arrived), "none overtook another"


def test_no_error_of_a_receiver_is_raised(payload: Payload) -> None:
    class Refusing:
        name = "r"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            raise DeliveryError("no", retryable=False, retry_after=float("inf"))

    outbox = Memory()
    outbox.add("r", payload())
    assert run(outbox, {"r": Refusing()}) == DrainStats(dead=1)
