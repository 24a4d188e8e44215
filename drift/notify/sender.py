"""Sends pending deliveries to their channels: at least once, in order, and no channel delays another."""

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
from drift.notify.delivery import CLAIM_LIMIT, Outbox, OutboxSession
from drift.store.engine import BUSY_TIMEOUT

OVERRUN_SECONDS: Final = 2.0  # seconds that a channel may overrun its deadline before its worker is abandoned
RECORD_SECONDS: Final = 3 * BUSY_TIMEOUT
"""Seconds added to a claim for each channel, before another sender may claim the delivery.

A busy store may delay this sender: when it claims the delivery, records and claims those of other channels, and
records this one.
"""


@dataclass(frozen=True, slots=True)
class DrainStats:
    """Results of the deliveries that were due."""

    sent: int = 0  # accepted by their receivers
    retried: int = 0  # failed, to be retried
    dead: int = 0  # abandoned: not retryable, or out of attempts
    waiting: int = 0  # not attempted: behind an older one of their channel, out of time, or claimed by another sender


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
    """Send the deliveries that are due, oldest first on each channel, all channels concurrently.

    A failed delivery that will be retried holds back the later ones of its channel, now and in later runs, so that no
    `resolved` overtakes its `firing`; one that is not retryable holds back nothing. Errors of receivers and channels
    are never raised here; an internal error of a channel also prints its traceback.

    A delivery to a channel that is not configured here counts as failed: another process on this store may know the
    channel (during the rollout of a configuration, say), so it is abandoned after as many attempts, not at once.

    Several processes may drain one outbox: each delivery is claimed before it is sent, and recorded before the next one
    is claimed. A notification is sent twice, under the same id, in three cases only: it was sent but could not be
    recorded (the process was killed, the store was gone) and its claim expired; the receiver accepted it without
    answering in time; or it was sent while the clock was set ahead past the end of its claim.

    Parameters
    ----------
    rng : numpy.random.Generator
        Spreads retries.
    deadline : float
        Seconds for all deliveries of one channel. None is started with less than half of it left; time spent waiting
        for the store is added.
    attempts : int
        Attempts after which a delivery is abandoned.
    stopping : callable
        Called before each delivery; no further one is started once it returns True.

    Raises
    ------
    StoreError
        If the store cannot be read or written; the results known by then are recorded if possible.
    """
    due = outbox.due(now(), limit=CLAIM_LIMIT)
    by_channel = _sendable(due, outbox) if due else {}
    lease = timedelta(seconds=deadline + OVERRUN_SECONDS + RECORD_SECONDS * len(by_channel))
    session = OutboxSession(outbox, now, rng, attempts, lease, stopping)
    workers = [
        ChannelWorker(name, channels[name], deliveries, deadline)
        for name, deliveries in by_channel.items()
        if name in channels
    ]
    if workers:
        _run(workers, session, deadline)
    end = time.monotonic() + deadline  # for all of them together: they have no receiver to wait for
    for name, deliveries in by_channel.items():
        if name not in channels:
            session.postpone_unconfigured(name, deliveries, end)
    attempted = session.sent + session.retried + session.dead
    return DrainStats(session.sent, session.retried, session.dead, len(due) - attempted)


def _sendable(due: Sequence[PendingDelivery], outbox: Outbox) -> dict[str, list[PendingDelivery]]:
    """Return the due deliveries of each channel before its first pending one that is not due: none overtakes that."""
    pending = dict(_by_channel(outbox.due(None, limit=CLAIM_LIMIT)))

    def in_order(name: str, deliveries: list[PendingDelivery]) -> list[PendingDelivery]:
        pairs = zip(deliveries, pending.get(name, ()), strict=False)
        return [delivery for delivery, _ in takewhile(lambda pair: pair[0].id == pair[1].id, pairs)]

    sendable = {name: in_order(name, deliveries) for name, deliveries in _by_channel(due)}
    return {name: deliveries for name, deliveries in sendable.items() if deliveries}


def _by_channel(due: Sequence[PendingDelivery]) -> Iterator[tuple[str, list[PendingDelivery]]]:
    ordered = sorted(due, key=attrgetter("channel"))  # a stable sort: they stay oldest first
    return ((name, list(group)) for name, group in groupby(ordered, key=attrgetter("channel")))


def _run(workers: list[ChannelWorker], session: OutboxSession, deadline: float) -> None:
    results: queue.SimpleQueue[SendResult] = queue.SimpleQueue()
    running = list(workers)
    try:
        for worker in workers:
            # Daemon threads: one that blocks (on a dead network file system, say) does not keep the process alive.
            threading.Thread(target=worker.run, args=(results,), name=f"drift-{worker.name}", daemon=True).start()
            worker.end = time.monotonic() + deadline
            session.assign_next(worker)
        while running:
            first_end = min(worker.send_end for worker in running)
            try:
                result = results.get(timeout=max(0.01, first_end + OVERRUN_SECONDS - time.monotonic()))
            except queue.Empty:
                running = _without_overrun(running, session, deadline)
                continue
            if result.worker in running and not _is_ended(result, session):
                continue
            running = [worker for worker in running if worker is not result.worker]
    finally:
        for worker in workers:
            worker.assigned.put(None)
    if session.store_error is not None:
        raise session.store_error


def _is_ended(result: SendResult, session: OutboxSession) -> bool:
    """Record the result of a worker, and assign its next delivery; return whether its thread has ended."""
    worker = result.worker
    if result.delivery is not None:
        session.record_result(worker, result.delivery, result.failure)
        session.assign_next(worker, last=result.failure is not None and result.failure.retryable)
        return False
    if (delivery := worker.current) is not None:
        failure = DeliveryError(
            f"channel {worker.name!r} failed by an internal error; the traceback is on standard error",
            code="internal-error",
        )
        session.record_result(worker, delivery, failure)
    return True


def _without_overrun(running: list[ChannelWorker], session: OutboxSession, deadline: float) -> list[ChannelWorker]:
    """Return the workers to wait for; those whose channel overran its deadline get a failure recorded."""
    now = time.monotonic()
    # A worker without a current delivery is about to report its result.
    overrun = []
    for worker in running:
        if worker.send_end + OVERRUN_SECONDS <= now and (delivery := worker.current) is not None:
            message = f"channel {worker.name!r} did not return within {deadline:g} s"
            session.record_result(worker, delivery, DeliveryError(message, code="receiver-timeout"))
            overrun.append(worker)
    return [worker for worker in running if worker not in overrun]
