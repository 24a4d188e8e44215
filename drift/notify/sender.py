"""Deliveries: take what the outbox holds to its channels. At least once, in order, each channel in its own time."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, takewhile
from operator import attrgetter
from typing import Final

import numpy as np

from drift.errors import DeliveryError
from drift.notify.channel_worker import ChannelWorker, PendingDelivery, SendResult
from drift.notify.channels import Channel
from drift.notify.delivery import TAKE_BATCH, Outbox, OutboxSession
from drift.store.engine import BUSY_TIMEOUT

OVERRUN_SECONDS: Final = 2.0  # seconds that a channel may overrun its deadline before it is left behind
MARKING: Final = 3 * BUSY_TIMEOUT
"""Seconds for each channel, beyond the time it has, before another sender may try what one has taken.

A busy store may make this one wait: to take the delivery, to mark and take those of other channels, to mark it.
"""


@dataclass(frozen=True, slots=True)
class DrainStats:
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
) -> DrainStats:
    """Send what is due, oldest first on each channel, all channels at once.

    A delivery that failed and may be tried again holds back the later ones of its channel, now and in later
    runs, so that no `resolved` overtakes its `firing`; one refused for good holds back nothing. Whatever a
    receiver or a channel does, nothing is raised here; a channel's own fault also shows its traceback.

    A channel that is not configured here is tried like one that fails, its deliveries together: another process on
    this store may know it (a configuration being rolled out), so they are given up after as many tries, not at once.

    Several processes may drain one outbox: each delivery is taken before it is sent, and marked before the next one
    is taken. What was sent and could not be marked (the process was killed, the store was gone) is sent again under
    the same id once its time is over; so is what the receiver took without answering in time, and what is sent while
    the clock is set ahead past that time. There is no fourth way to send twice.

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
    due = outbox.deliveries_due(now(), limit=TAKE_BATCH)
    in_turn = _in_turn(due, outbox) if due else {}
    lease = timedelta(seconds=deadline + OVERRUN_SECONDS + MARKING * len(in_turn))
    desk = OutboxSession(outbox, now, rng, attempts, lease, stopping)
    lines = [
        ChannelWorker(name, channels[name], waiting, deadline) for name, waiting in in_turn.items() if name in channels
    ]
    if lines:
        _run(lines, desk, deadline)
    until = time.monotonic() + deadline  # for all of them together: nobody waits for their receivers
    for name, waiting in in_turn.items():
        if name not in channels:
            desk.put_off(name, waiting, until)
    return DrainStats(desk.sent, desk.retried, desk.dead, len(due) - desk.sent - desk.retried - desk.dead)


def _in_turn(due: Sequence[PendingDelivery], outbox: Outbox) -> dict[str, list[PendingDelivery]]:
    """What is due of each channel, up to the first delivery that is pending and not due: nothing overtakes that."""
    pending = dict(_by_channel(outbox.deliveries_due(None, limit=TAKE_BATCH)))

    def first(name: str, deliveries: list[PendingDelivery]) -> list[PendingDelivery]:
        pairs = zip(deliveries, pending.get(name, ()), strict=False)
        return [one for one, _ in takewhile(lambda pair: pair[0].id == pair[1].id, pairs)]

    found = {name: first(name, deliveries) for name, deliveries in _by_channel(due)}
    return {name: waiting for name, waiting in found.items() if waiting}


def _by_channel(due: Sequence[PendingDelivery]) -> Iterator[tuple[str, list[PendingDelivery]]]:
    ordered = sorted(due, key=attrgetter("channel"))  # stable: oldest first remains
    return ((name, list(group)) for name, group in groupby(ordered, key=attrgetter("channel")))


def _run(lines: list[ChannelWorker], desk: OutboxSession, deadline: float) -> None:
    told: queue.SimpleQueue[SendResult] = queue.SimpleQueue()
    running = list(lines)
    try:
        for line in lines:
            # Daemons: what holds a thread (a dead network file system, say) cannot keep the process from ending.
            threading.Thread(target=line.send_all, args=(told,), name=f"drift-{line.name}", daemon=True).start()
            line.until = time.monotonic() + deadline
            desk.hand_next(line)
        while running:
            try:
                news = told.get(
                    timeout=max(0.01, min(line.ends for line in running) + OVERRUN_SECONDS - time.monotonic())
                )
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


def _leave_behind(running: list[ChannelWorker], desk: OutboxSession, deadline: float) -> list[ChannelWorker]:
    """No longer wait for lines whose channel overruns its time; gives the others."""
    left: list[ChannelWorker] = []
    for line in running:
        # Without one in hand it is about to tell what became of it: that is waited for.
        if line.ends + OVERRUN_SECONDS <= time.monotonic() and (delivery := line.current) is not None:
            desk.settle(line, delivery, DeliveryError(f"channel {line.name!r} overran its {deadline:g} s; left behind"))
            left.append(line)
    return [line for line in running if line not in left]
