"""Deliveries: take what the outbox holds to its channels. At least once, in order, each channel in its own time."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Protocol

import numpy as np

from drift.channels import Channel
from drift.errors import DeliveryError, StoreError
from drift.steps import step
from drift.store import Taken

FIRST_WAIT: Final = 30.0  # seconds until the second attempt
LONGEST_WAIT: Final = 3600.0  # seconds
LONGEST_ASKED: Final = 86_400.0  # seconds; a Retry-After beyond a day is taken for a day
GRACE: Final = 2.0  # seconds that a channel may overrun its deadline before it is left behind
MARKING: Final = 30.0  # seconds to write down what became of a sending, before another sender may try it
_AT_ONCE: Final = 1000  # of each channel

log = logging.getLogger("drift.deliver")


class Due(Protocol):
    """One sending of one notification to one channel; `attempts` counts those that failed."""

    @property
    def id(self) -> int: ...
    @property
    def notification_id(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


class Outbox(Protocol):
    """Where deliveries are kept. Used from the calling thread only: SQLite would mind another."""

    def deliveries_due(self, now: datetime, limit: int = 1000) -> Sequence[Due]:
        """The pending ones whose next attempt is due by `now`, oldest first."""
        ...

    def take_delivery(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        """Have it for oneself until then, before it is sent; False where another sender was first."""
        ...

    def delivered(self, delivery_id: int, now: datetime) -> None:
        """Its receiver took it."""
        ...

    def delivery_failed(
        self, delivery_id: int, error: str, retry_at: datetime | None, held: datetime | None = None
    ) -> None:
        """It was not taken; None gives it up. `held` is until when the sender had it for himself."""
        ...


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of the deliveries that were due.

    Parameters
    ----------
    sent : int
        Taken by their receivers.
    retried : int
        Failed, to be tried again.
    dead : int
        Given up: refused for good, out of attempts, or without a channel.
    waiting : int
        Not tried: behind an older one of their channel, out of time, or in another sender's hands.
    """

    sent: int = 0
    retried: int = 0
    dead: int = 0
    waiting: int = 0


def drain(
    outbox: Outbox,
    channels: Mapping[str, Channel],
    now: Callable[[], datetime],
    *,
    rng: np.random.Generator,
    deadline: float = 30.0,
    attempts: int = 12,
    stopping: Callable[[], bool] = lambda: False,
) -> Drained:
    """Send what is due, oldest first on each channel, all channels at once.

    A delivery that failed and may be tried again holds back the later ones of its channel, now and in later
    runs, so that no `resolved` overtakes its `firing`; one refused for good holds back nothing. Whatever a
    receiver or a channel does, nothing is raised here; a channel's own fault also shows its traceback.

    Several processes may drain one outbox: each delivery is taken before it is sent, and marked before the next one
    is taken. Killed in between, it is sent again under the same id once its time is over: the only way to send twice.

    Parameters
    ----------
    outbox : Outbox
        The store.
    channels : mapping of str to Channel
        Those configured, by name.
    now : callable
        The time.
    rng : numpy.random.Generator
        Spreads retries.
    deadline : float
        Seconds for each channel, all its deliveries together.
    attempts : int
        Tries of one delivery until it is given up.
    stopping : callable
        Asked before each delivery: where it says yes, no further one is begun.
    """
    due = outbox.deliveries_due(now(), limit=_AT_ONCE)
    desk = _Desk(outbox, now, rng, attempts, timedelta(seconds=deadline + GRACE + MARKING), stopping)
    lines: list[_Line] = []
    for name, deliveries in _by_channel(due):
        if name in channels:
            lines.append(_Line(name, channels[name], deliveries, deadline))
            continue
        # Another process on this store may know the channel (a configuration being rolled out): not given up at once.
        unknown = DeliveryError(f"channel {name!r} is not configured here; put it back, or take it out of `notify`")
        for delivery in deliveries:
            if desk.take(delivery):
                desk.mark(delivery, unknown)
    if lines:
        _run(_unblocked(lines, outbox, now()), desk, deadline)
    return Drained(desk.sent, desk.retried, desk.dead, len(due) - desk.sent - desk.retried - desk.dead)


def backoff(failures: int, rng: np.random.Generator) -> float:
    """Seconds to wait after so many failures: doubled each time up to an hour, less up to a half by chance."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 20))
    return longest * float(rng.uniform(0.5, 1.0))


def _by_channel(due: Sequence[Due]) -> Iterator[tuple[str, list[Due]]]:
    ordered = sorted(due, key=attrgetter("channel"))  # stable: oldest first remains
    return ((name, list(group)) for name, group in groupby(ordered, key=attrgetter("channel")))


@dataclass(eq=False, slots=True)
class _Line:
    """One channel's deliveries, sent one after the other in a thread of their own, as they are handed in."""

    name: str
    channel: Channel
    deliveries: list[Due]
    seconds: float
    until: float = 0.0
    handed: "queue.SimpleQueue[Due | None]" = field(default_factory=queue.SimpleQueue)
    current: Due | None = None  # being sent

    def next(self) -> Due | None:
        """What to send next; None where nothing is left, or too little time.

        A sending cut short for what its predecessors took would count as the receiver's failure.
        """
        enough = self.until - time.monotonic() >= self.seconds / 2
        return self.deliveries.pop(0) if self.deliveries and enough else None

    def send_all(self, told: "queue.SimpleQueue[_Told]") -> None:
        try:
            while (delivery := self.handed.get()) is not None:
                told.put(_Told(self, delivery, self._send(delivery)))
        finally:  # whatever happened: a fault of the channel's own shows as `current` still set
            told.put(_Told(self))

    def _send(self, delivery: Due) -> DeliveryError | None:
        self.current = delivery
        try:
            self.channel.send(delivery.payload, deadline=max(0.0, self.until - time.monotonic()))
        except DeliveryError as error:
            self.current = None
            return error
        step("sent")
        self.current = None
        return None


@dataclass(frozen=True, slots=True)
class _Told:
    """News from a line: what became of one delivery, or (without one) that the line has ended."""

    line: _Line
    delivery: Due | None = None
    failure: DeliveryError | None = None


@dataclass(slots=True)
class _Desk:
    """Takes from the outbox and marks it, in the calling thread."""

    outbox: Outbox
    now: Callable[[], datetime]
    rng: np.random.Generator
    attempts: int
    lease: timedelta
    stopping: Callable[[], bool]
    held: dict[int, datetime] = field(default_factory=dict)  # until when, by delivery
    sent: int = 0
    retried: int = 0
    dead: int = 0

    def take(self, delivery: Due) -> bool:
        at = self.now()
        if not self.outbox.take_delivery(delivery.id, at, at + self.lease):
            log.info("notification %s to channel %r is sent elsewhere", delivery.notification_id, delivery.channel)
            return False
        self.held[delivery.id] = at + self.lease
        step("taken")
        return True

    def mark(self, delivery: Due, failure: DeliveryError | None) -> None:
        if failure is None:
            self._note(delivery, lambda: self.outbox.delivered(delivery.id, self.now()))
            step("marked")
            self.sent += 1
            return
        failures = delivery.attempts + 1
        if not failure.retryable:
            self.give_up(delivery, f"{failure} (refused for good)")
        elif failures >= self.attempts:
            self.give_up(delivery, f"{failure} (failed {failures} times)")
        else:
            wait = max(backoff(failures, self.rng), min(failure.retry_after or 0.0, LONGEST_ASKED))
            told = "channel %r did not take notification %s (attempt %d of %d); again in %.0f s: %s"
            log.warning(told, delivery.channel, delivery.notification_id, failures, self.attempts, wait, failure)
            self._failed(delivery, str(failure), self.now() + timedelta(seconds=wait))
            self.retried += 1

    def hand_next(self, line: _Line, *, done: bool = False) -> None:
        """Take a line's next delivery and hand it over; None where it is done, or another sender is at work on it."""
        delivery = None if done or self.stopping() else line.next()
        line.handed.put(delivery if delivery is not None and self.take(delivery) else None)

    def give_up(self, delivery: Due, why: str) -> None:
        log.error(
            "NOT DELIVERED: notification %s to channel %r is given up: %s; %s",
            delivery.notification_id,
            delivery.channel,
            why,
            delivery.payload.get("title", ""),
        )
        self._failed(delivery, why, None)
        self.dead += 1

    def _failed(self, delivery: Due, why: str, again: datetime | None) -> None:
        held = self.held[delivery.id]
        self._note(delivery, lambda: self.outbox.delivery_failed(delivery.id, why, again, held))

    def _note(self, delivery: Due, write: Callable[[], None]) -> None:
        """Write to the outbox. Where another replica was faster with this very delivery, that stands."""
        try:
            write()
        except Taken:
            log.info("notification %s to channel %r is sent elsewhere", delivery.notification_id, delivery.channel)
        except StoreError:
            if any(d.id == delivery.id for d in _pending(self.outbox, self.now())):
                raise
            log.info("notification %s to channel %r was settled elsewhere", delivery.notification_id, delivery.channel)


def _unblocked(lines: list[_Line], outbox: Outbox, now: datetime) -> list[_Line]:
    """The lines whose oldest pending delivery is due; the others wait for theirs."""
    oldest: dict[str, int] = {}
    for delivery in _pending(outbox, now):
        oldest.setdefault(delivery.channel, delivery.id)
    return [line for line in lines if oldest.get(line.name) == line.deliveries[0].id]


def _pending(outbox: Outbox, now: datetime) -> Sequence[Due]:
    """What is pending, due or not: the view from a time beyond any retry."""
    return outbox.deliveries_due(now + timedelta(seconds=2 * LONGEST_ASKED), limit=_AT_ONCE)


def _run(lines: list[_Line], desk: _Desk, deadline: float) -> None:
    told: queue.SimpleQueue[_Told] = queue.SimpleQueue()
    until = time.monotonic() + deadline + GRACE
    running = list(lines)
    try:
        for line in lines:
            # Daemons: what holds a thread (a dead network file system, say) cannot keep the process from ending.
            threading.Thread(target=line.send_all, args=(told,), name=f"drift-{line.name}", daemon=True).start()
            line.until = time.monotonic() + deadline
            desk.hand_next(line)
        while running:
            try:
                news = told.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if news.delivery is not None:
                desk.mark(news.delivery, news.failure)
                held_back = news.failure is not None and news.failure.retryable
                desk.hand_next(news.line, done=held_back)
                continue
            running.remove(news.line)
            if news.line.current is not None:
                desk.mark(news.line.current, DeliveryError(f"channel {news.line.name!r} failed by a fault of its own"))
        for line in running:
            if line.current is not None:
                desk.mark(line.current, DeliveryError(f"channel {line.name!r} overran its {deadline:g} s; left behind"))
    finally:
        for line in lines:
            line.handed.put(None)
