"""Deliveries: take what the outbox holds to its channels. At least once, in order, each channel in its own time."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, takewhile
from operator import attrgetter
from typing import Final, Protocol

import numpy as np

from drift.channels import Channel
from drift.errors import DeliveryError, StoreError
from drift.sending import Due, Line, Told
from drift.steps import step
from drift.store import Taken
from drift.store.engine import BUSY_TIMEOUT

FIRST_WAIT: Final = 30.0  # seconds until the second attempt
LONGEST_WAIT: Final = 3600.0  # seconds
LONGEST_ASKED: Final = 86_400.0  # seconds; a Retry-After beyond a day is taken for a day
GRACE: Final = 2.0  # seconds that a channel may overrun its deadline before it is left behind
MARKING: Final = 3 * BUSY_TIMEOUT
"""Seconds for each channel, beyond the time it has, before another sender may try what one has taken.

A busy store may make this one wait: to take the delivery, to mark and take those of other channels, to mark it.
"""
_AT_ONCE: Final = 1000  # of each channel

log = logging.getLogger("drift.deliver")


class Outbox(Protocol):
    """Where deliveries are kept. Used from the calling thread only: SQLite would mind another."""

    def deliveries_due(self, now: datetime | None, limit: int = 1000) -> Sequence[Due]:
        """The pending ones whose next attempt is due by `now` (None: all that are pending), oldest first."""
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

    A channel that is not configured here is tried like one that fails, its deliveries together: another process on
    this store may know it (a configuration being rolled out), so they are given up after as many tries, not at once.

    Several processes may drain one outbox: each delivery is taken before it is sent, and marked before the next one
    is taken. What was sent and could not be marked (the process was killed, the store was gone) is sent again under
    the same id once its time is over; so is what the receiver took without answering in time. There is no third way
    to send twice.

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
        Seconds for each channel, all its deliveries together. None is begun in less than half of them, and what
        waiting for the store takes of that is added.
    attempts : int
        Tries of one delivery until it is given up.
    stopping : callable
        Asked before each delivery: where it says yes, no further one is begun.
    """
    due = outbox.deliveries_due(now(), limit=_AT_ONCE)
    in_turn = _in_turn(due, outbox) if due else {}
    lease = timedelta(seconds=deadline + GRACE + MARKING * len(in_turn))
    desk = _Desk(outbox, now, rng, attempts, lease, stopping)
    lines = [Line(name, channels[name], waiting, deadline) for name, waiting in in_turn.items() if name in channels]
    if lines:
        _run(lines, desk, deadline)
    until = time.monotonic() + deadline  # for all of them together: nobody waits for their receivers
    for name, waiting in in_turn.items():
        if name not in channels:
            desk.put_off(name, waiting, until)
    return Drained(desk.sent, desk.retried, desk.dead, len(due) - desk.sent - desk.retried - desk.dead)


def backoff(failures: int, rng: np.random.Generator) -> float:
    """Seconds to wait after so many failures: doubled each time up to an hour, less up to a half by chance."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 20))
    return longest * float(rng.uniform(0.5, 1.0))


def _by_channel(due: Sequence[Due]) -> Iterator[tuple[str, list[Due]]]:
    ordered = sorted(due, key=attrgetter("channel"))  # stable: oldest first remains
    return ((name, list(group)) for name, group in groupby(ordered, key=attrgetter("channel")))


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
    broken: StoreError | None = None  # what the store failed by first

    def take(self, delivery: Due) -> bool:
        at = self.now()
        if not self.outbox.take_delivery(delivery.id, at, at + self.lease):
            log.info("notification %s to channel %r is sent elsewhere", delivery.notification_id, delivery.channel)
            return False
        self.held[delivery.id] = at + self.lease
        step("taken")
        return True

    def mark(self, delivery: Due, failure: DeliveryError | None, again: datetime | None = None) -> None:
        """Write down what became of a delivery; `again` is when to try one that failed, where that is settled."""
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
            if again is None:
                wait = max(backoff(failures, self.rng), min(failure.retry_after or 0.0, LONGEST_ASKED))
                again = self.now() + timedelta(seconds=wait)
            told = "channel %r did not take notification %s (attempt %d of %d); again at %s: %s"
            when = again.isoformat(timespec="seconds")
            log.warning(told, delivery.channel, delivery.notification_id, failures, self.attempts, when, failure)
            self._failed(delivery, str(failure), again)
            self.retried += 1

    def put_off(self, name: str, waiting: Sequence[Due], until: float) -> None:
        """Try nothing of a channel that is not configured here: that is a failure of each, all to the same time.

        What there is no time for any more stays due, behind the others.
        """
        unknown = DeliveryError(f"channel {name!r} is not configured here; put it back, or take it out of `notify`")
        again = self.now() + timedelta(seconds=backoff(waiting[0].attempts + 1, self.rng))
        for delivery in waiting:
            if self.stopping() or time.monotonic() >= until or not self.take(delivery):
                return
            self.mark(delivery, unknown, again)

    def hand_next(self, line: Line, *, done: bool = False) -> None:
        """Take a line's next delivery and hand it over; None where it is done, or another sender is at work on it."""
        delivery = None if done or self.broken or self.stopping() else line.next()
        try:
            line.hand(delivery if delivery is not None and self.take(delivery) else None)
        except StoreError as error:
            self._breaks(line, error)

    def settle(self, line: Line, delivery: Due, failure: DeliveryError | None) -> None:
        """Mark what became of a delivery; where the store fails, the others are marked all the same."""
        try:
            self.mark(delivery, failure)
        except StoreError as error:
            self._breaks(line, error)

    def _breaks(self, line: Line, error: StoreError) -> None:
        self.broken = self.broken or error
        line.hand(None)

    def give_up(self, delivery: Due, why: str) -> None:
        log.error(
            "NOT DELIVERED: notification %s to channel %r is given up: %s; %s "
            "(once the channel takes it, `drift alerts resend` has it sent again)",
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
            if any(d.id == delivery.id for d in self.outbox.deliveries_due(None, limit=_AT_ONCE)):
                raise
            log.info("notification %s to channel %r was settled elsewhere", delivery.notification_id, delivery.channel)


def _in_turn(due: Sequence[Due], outbox: Outbox) -> dict[str, list[Due]]:
    """What is due of each channel, up to the first delivery that is pending and not due: nothing overtakes that."""
    pending = dict(_by_channel(outbox.deliveries_due(None, limit=_AT_ONCE)))

    def first(name: str, deliveries: list[Due]) -> list[Due]:
        pairs = zip(deliveries, pending.get(name, ()), strict=False)
        return [one for one, _ in takewhile(lambda pair: pair[0].id == pair[1].id, pairs)]

    found = {name: first(name, deliveries) for name, deliveries in _by_channel(due)}
    return {name: waiting for name, waiting in found.items() if waiting}


def _run(lines: list[Line], desk: _Desk, deadline: float) -> None:
    told: queue.SimpleQueue[Told] = queue.SimpleQueue()
    running = list(lines)
    try:
        for line in lines:
            # Daemons: what holds a thread (a dead network file system, say) cannot keep the process from ending.
            threading.Thread(target=line.send_all, args=(told,), name=f"drift-{line.name}", daemon=True).start()
            line.until = time.monotonic() + deadline
            desk.hand_next(line)
        while running:
            try:
                news = told.get(timeout=max(0.01, min(line.ends for line in running) + GRACE - time.monotonic()))
            except queue.Empty:
                running = _leave_behind(running, desk, deadline)
                continue
            if news.line not in running:  # left behind before
                continue
            if news.delivery is not None:
                desk.settle(news.line, news.delivery, news.failure)
                held_back = news.failure is not None and news.failure.retryable
                desk.hand_next(news.line, done=held_back)
                continue
            running.remove(news.line)
            if (left := news.line.current) is not None:
                desk.settle(news.line, left, DeliveryError(f"channel {news.line.name!r} failed by a fault of its own"))
    finally:
        for line in lines:
            line.handed.put(None)
    if desk.broken is not None:
        raise desk.broken


def _leave_behind(running: list[Line], desk: _Desk, deadline: float) -> list[Line]:
    """No longer wait for lines whose channel overruns its time; gives the others."""
    left: list[Line] = []
    for line in running:
        # Without one in hand it is about to tell what became of it: that is waited for.
        if line.ends + GRACE <= time.monotonic() and (delivery := line.current) is not None:
            desk.settle(line, delivery, DeliveryError(f"channel {line.name!r} overran its {deadline:g} s; left behind"))
            left.append(line)
    return [line for line in running if line not in left]
