"""Deliveries: every notification arrives at least once, in order, and no channel waits for another."""

# ruff: noqa: ARG002 (receivers and stores that ignore what they are given)

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
    """A delivery and where it stands."""

    delivery: Delivery
    status: str = "pending"
    next_attempt_at: datetime = T0
    error: str = ""


@dataclass
class Memory(Outbox):
    """An outbox that minds being used by another thread, as SQLite does."""

    rows: list[Row] = field(default_factory=list)
    owner: int = field(default_factory=threading.get_ident)

    def add(self, channel: str, payload: Mapping[str, Any]) -> Row:
        self.rows.append(Row(Delivery(len(self.rows) + 1, payload["id"], channel, 0, payload)))
        return self.rows[-1]

    def deliveries_due(self, now: datetime | None, limit: int = 1000) -> Sequence[Delivery]:
        assert threading.get_ident() == self.owner
        pending = [r for r in self.rows if r.status == "pending"]
        return [r.delivery for r in pending if now is None or r.next_attempt_at <= now][:limit]

    def take_delivery(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        assert threading.get_ident() == self.owner
        row = self.rows[delivery_id - 1]
        free = row.status == "pending" and row.next_attempt_at <= now
        row.next_attempt_at = until if free else row.next_attempt_at
        return free

    def delivered(self, delivery_id: int, now: datetime) -> None:
        assert threading.get_ident() == self.owner
        self.rows[delivery_id - 1].status = "sent"

    def delivery_failed(
        self, delivery_id: int, error: str, retry_at: datetime | None, held: datetime | None = None
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
    """The time, as told."""

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


def test_what_is_due_is_sent_oldest_first_and_only_once(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver, outbox = serve(how.answer(200)), Memory()
    for n in range(5):
        outbox.add("hook", payload(f"n-{n}"))
    assert run(outbox, hooks(hook=receiver)) == DrainStats(sent=5)
    assert run(outbox, hooks(hook=receiver)) == DrainStats()
    assert ids(receiver) == [f"n-{n}" for n in range(5)]


def test_a_failure_is_tried_again_later_and_holds_back_what_follows(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    receiver, outbox, clock = serve(how.answer(500), how.answer(200)), Memory(), Clock()
    first, _ = outbox.add("hook", payload("fires")), outbox.add("hook", payload("resolves", status="resolved"))
    channels = hooks(hook=receiver)
    assert run(outbox, channels, clock) == DrainStats(retried=1, waiting=1)
    assert first.error == "http://127.0.0.1: 500 Internal Server Error"
    # The second one is due, but the first is not yet: it must not be overtaken.
    clock.forward(seconds=1)
    assert run(outbox, channels, clock) == DrainStats(waiting=1)
    outbox.add("hook", payload("fires again"))
    clock.forward(seconds=60)
    assert run(outbox, channels, clock) == DrainStats(sent=3)
    assert ids(receiver) == ["fires", "fires", "resolves", "fires again"]


def test_one_refused_for_good_is_dead_and_holds_back_nothing(
    serve: Serve, how: SimpleNamespace, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, outbox = serve(how.answer(400, b"no such field"), how.answer(200)), Memory()
    first, second = outbox.add("hook", payload("n-1")), outbox.add("hook", payload("n-2"))
    assert run(outbox, hooks(hook=receiver)) == DrainStats(sent=1, dead=1)
    assert (first.status, second.status) == ("dead", "sent")
    assert first.error == "http://127.0.0.1: 400 Bad Request: no such field (refused for good)"
    assert [(r.name, r.levelno) for r in caplog.records if "NOT DELIVERED" in r.message] == [
        ("drift.notify.sender", logging.ERROR)
    ]


def test_retry_after_is_honoured(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver, outbox = serve(how.answer(429, Retry_After="5000")), Memory()
    row = outbox.add("hook", payload())
    run(outbox, hooks(hook=receiver))
    assert row.next_attempt_at == T0 + timedelta(seconds=5000)  # longer than the longest wait of our own


@pytest.mark.parametrize("asked", ["0", "999999999"])
def test_retry_after_neither_shortens_a_wait_nor_lasts_over_a_day(
    serve: Serve, how: SimpleNamespace, payload: Payload, asked: str
) -> None:
    receiver, outbox = serve(how.answer(503, Retry_After=asked)), Memory()
    row = outbox.add("hook", payload())
    run(outbox, hooks(hook=receiver))
    assert T0 + timedelta(seconds=15) <= row.next_attempt_at <= T0 + timedelta(days=1)


def test_attempts_are_bounded_and_the_end_is_told_loudly(
    serve: Serve, how: SimpleNamespace, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, outbox, clock = serve(how.answer(500)), Memory(), Clock()
    row, later = outbox.add("hook", payload("n-1")), outbox.add("hook", payload("n-2"))
    for _ in range(3):
        assert row.status == "pending"
        run(outbox, hooks(hook=receiver), clock, attempts=3)
        clock.forward(hours=2)
    assert row.status == "dead"
    assert row.error.endswith("500 Internal Server Error (failed 3 times)")
    assert ids(receiver) == ["n-1"] * 3
    assert any(r.levelno == logging.ERROR and "n-1" in r.message for r in caplog.records)
    assert (later.status, later.delivery.attempts) == ("pending", 0), "it was not given up with the other"


def test_a_channel_that_is_not_configured_here_is_told_and_given_up_in_the_end(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    receiver, outbox, clock = serve(how.answer(200)), Memory(), Clock()
    gone = outbox.add("pager", payload("n-1"))
    outbox.add("hook", payload("n-1"))
    assert run(outbox, hooks(hook=receiver), clock, attempts=2) == DrainStats(sent=1, retried=1)
    assert gone.status == "pending", "another process on this store may know it"
    clock.forward(hours=2)
    assert run(outbox, hooks(hook=receiver), clock, attempts=2) == DrainStats(dead=1)
    assert "'pager' is not configured here" in gone.error


@pytest.mark.parametrize("seed", range(6))
def test_nothing_overtakes_on_a_channel_that_was_not_configured_for_a_while(payload: Payload, seed: int) -> None:
    outbox, clock, rng, told = Memory(), Clock(), np.random.default_rng(seed), list[str]()

    class Told:
        name = "hook"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            told.append(payload["id"])

    for n in range(6):
        outbox.add("hook", payload(f"n-{n}"))
    assert drain(outbox, {}, clock, rng=rng) == DrainStats(retried=6)
    outbox.add("hook", payload("n-6"))
    for _ in range(60):
        clock.forward(seconds=1)
        drain(outbox, {"hook": Told()}, clock, rng=rng)
    assert told == [f"n-{n}" for n in range(7)]


def test_all_of_a_channel_that_is_not_configured_are_given_up_after_as_many_tries(payload: Payload) -> None:
    outbox, clock = Memory(), Clock()
    rows = [outbox.add("gone", payload(f"n-{n}")) for n in range(50)]
    for _ in range(12):
        assert {row.status for row in rows} == {"pending"}
        run(outbox, {}, clock)
        clock.forward(hours=1)
    assert {row.status for row in rows} == {"dead"}


def test_a_delivery_in_the_midst_that_is_not_due_holds_back_those_behind_it(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    receiver, outbox, clock = serve(how.answer(200)), Memory(), Clock()
    rows = [outbox.add("hook", payload(f"n-{n}")) for n in range(4)]
    rows[1].next_attempt_at = T0 + timedelta(minutes=1)  # in another sender's hands, or put off by one
    assert run(outbox, hooks(hook=receiver), clock) == DrainStats(sent=1, waiting=2)
    clock.forward(minutes=1)
    assert run(outbox, hooks(hook=receiver), clock) == DrainStats(sent=3)
    assert ids(receiver) == [f"n-{n}" for n in range(4)]


def test_told_to_stop_or_out_of_time_no_more_of_a_channel_that_is_not_configured_is_put_off(payload: Payload) -> None:
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
    begun = time.monotonic()
    marked = outbox.delivered

    def delivered(delivery_id: int, now: datetime) -> None:
        arrived.append(time.monotonic() - begun)
        marked(delivery_id, now)

    outbox.delivered = delivered
    assert run(outbox, hooks(bad=stuck, good=good), deadline=2.5) == DrainStats(sent=3, retried=1, waiting=2)
    assert time.monotonic() - begun < 20, "the bad one is left at its own deadline"
    assert [r.status for r in rows] == ["sent"] * 3
    assert max(arrived) < 2.4, "marked as they arrived, not when the bad one ended"


def test_what_no_time_is_left_for_waits_without_counting_as_a_failure(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    def slowly(handler: Any, closing: threading.Event) -> None:
        closing.wait(0.4)
        how.answer(200)(handler, closing)

    receiver, outbox = serve(slowly), Memory()
    rows = [outbox.add("hook", payload(f"n-{n}")) for n in range(8)]
    done = run(outbox, hooks(hook=receiver), deadline=3.0)
    assert done.retried == done.dead == 0
    assert done.sent in {1, 2, 3, 4}, "none is begun in the second half"
    assert done.sent + done.waiting == 8
    assert {r.delivery.attempts for r in rows} == {0}


@dataclass
class Unruly:
    """A channel with a defect."""

    name: str
    ended: threading.Event = field(default_factory=threading.Event)
    fault: Exception | None = None

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        if self.fault:
            raise self.fault
        self.ended.wait(30)  # whatever the deadline says


def test_a_channel_that_overruns_its_deadline_is_left_behind(
    serve: Serve, how: SimpleNamespace, payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drift.notify.sender.OVERRUN_SECONDS", 0.1)
    good, unruly, outbox = serve(how.answer(200)), Unruly("nfs"), Memory()
    stuck = outbox.add("nfs", payload("n-1"))
    outbox.add("good", payload("n-1"))
    begun = time.monotonic()
    assert run(outbox, {"nfs": unruly, **hooks(good=good)}, deadline=0.5) == DrainStats(sent=1, retried=1)
    assert time.monotonic() - begun < 20
    assert "overran its 0.5 s" in stuck.error
    unruly.ended.set()


def test_a_channels_own_defect_is_a_failure_with_its_traceback(
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
    assert "fault of its own" in bad.error
    for _ in range(100):  # the hook runs once the thread has told its end
        if shown:
            break
        time.sleep(0.02)
    assert [s.exc_value for s in shown] == [unruly.fault]


class Failing(Memory):
    """A store that goes away."""

    def delivered(self, delivery_id: int, now: datetime) -> None:
        raise ConnectionError("the store is gone")


def test_a_fault_of_the_store_is_not_hidden_and_stops_the_sending(
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
    """A store whose every write waits for others, as long as a write may; what was handed out is sent meanwhile."""

    clock: Clock
    taken = 0
    sent = 0

    def wait(self) -> None:
        while self.sent < self.taken:
            time.sleep(0.001)
        time.sleep(0.01)  # half a minute, in which a thread would have told what it sent
        self.clock.forward(seconds=BUSY_TIMEOUT)

    def take_delivery(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        taken = super().take_delivery(delivery_id, now, until)
        self.wait()
        self.taken += taken
        return taken

    def delivered(self, delivery_id: int, now: datetime) -> None:
        self.wait()
        assert self.clock() < self.rows[delivery_id - 1].next_attempt_at, "another sender could have taken it by now"
        super().delivered(delivery_id, now)


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_nothing_is_anothers_to_take_before_it_is_marked_however_busy_the_store(
    payload: Payload, channels: int
) -> None:
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


def test_what_waiting_for_the_store_takes_is_not_the_receivers_time(payload: Payload) -> None:
    given: list[float] = []

    class Waiting(Memory):
        def take_delivery(self, delivery_id: int, now: datetime, until: datetime) -> bool:
            time.sleep(0.9)
            return super().take_delivery(delivery_id, now, until)

    class Asking:
        name = "hook"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            given.append(deadline)

    outbox = Waiting()
    outbox.add("hook", payload("n-1"))
    outbox.add("hook", payload("n-2"))
    assert run(outbox, {"hook": Asking()}, deadline=1.0) == DrainStats(sent=1, waiting=1)
    assert 0.2 < given[0] <= 0.5, "half of its time, not the rest that the store left"


def test_what_was_sent_is_marked_though_the_store_failed_for_another_channel(payload: Payload) -> None:
    failed = threading.Event()

    class Part(Memory):
        def delivered(self, delivery_id: int, now: datetime) -> None:
            if self.rows[delivery_id - 1].delivery.channel == "a":
                failed.set()
                raise StoreError("database is locked")
            super().delivered(delivery_id, now)

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
    assert [row.status for row in outbox.rows] == ["pending", "sent", "pending", "pending"], "and no more was begun"


def test_what_a_receiver_took_but_did_not_answer_in_time_comes_again_under_the_same_id(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    def late(handler: Any, closing: threading.Event) -> None:
        closing.wait(2)
        how.answer(204)(handler, closing)

    receiver, outbox, clock = serve(late, how.answer(204)), Memory(), Clock()
    row = outbox.add("hook", payload("n-1"))
    hook = {"hook": webhook(receiver.url, timeout=0.5)}
    assert run(outbox, hook, clock) == DrainStats(retried=1)
    assert row.error == "http://127.0.0.1: no complete answer within 0.5 s"
    clock.forward(minutes=1)
    hook = {"hook": webhook(receiver.url)}
    assert run(outbox, hook, clock) == DrainStats(sent=1)
    assert ids(receiver) == ["n-1", "n-1"]


def test_waits_double_from_half_a_minute_to_an_hour_and_are_spread() -> None:
    rng = np.random.default_rng(5)
    for failures in range(1, 40):
        longest = min(3600.0, 30.0 * 2 ** (failures - 1))
        waits = [backoff(failures, rng) for _ in range(50)]
        assert all(longest / 2 <= w <= longest for w in waits)
        assert max(waits) - min(waits) > longest / 4
    assert backoff(100_000, rng) <= 3600


def test_every_notification_arrives_in_order_whatever_a_flaky_receiver_does(
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


def test_no_error_of_a_receiver_escapes(payload: Payload) -> None:
    class Refusing:
        name = "r"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            raise DeliveryError("no", retryable=False, retry_after=float("inf"))

    outbox = Memory()
    outbox.add("r", payload())
    assert run(outbox, {"r": Refusing()}) == DrainStats(dead=1)
