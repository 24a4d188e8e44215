"""The outbox's side: a delivery is taken before it is sent, and what became of it is marked."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import numpy as np

from drift.errors import DeliveryError, StoreError
from drift.failpoints import reach
from drift.notify.channel_worker import ChannelWorker, PendingDelivery
from drift.store import DeliveryConflict

FIRST_WAIT: Final = 30.0  # seconds until the second attempt
LONGEST_WAIT: Final = 3600.0  # seconds
LONGEST_ASKED: Final = 86_400.0  # seconds; a Retry-After beyond a day is taken for a day
TAKE_BATCH: Final = 1000  # of each channel

log = logging.getLogger("drift.notify.sender")


class Outbox(Protocol):
    """Where deliveries are kept. Used from the calling thread only: SQLite would mind another."""

    def deliveries_due(self, now: datetime | None, limit: int = 1000) -> Sequence[PendingDelivery]:
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


def backoff(failures: int, rng: np.random.Generator) -> float:
    """Seconds to wait after so many failures: doubled each time up to an hour, less up to a half by chance."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 20))
    return longest * float(rng.uniform(0.5, 1.0))


@dataclass(slots=True)
class OutboxSession:
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

    def take(self, delivery: PendingDelivery) -> bool:
        """Have a delivery for this sender until the lease is over; False where another one has it."""
        at = self.now()
        if not self.outbox.take_delivery(delivery.id, at, at + self.lease):
            log.info("notification %s to channel %r is sent elsewhere", delivery.notification_id, delivery.channel)
            return False
        self.held[delivery.id] = at + self.lease
        reach("taken")
        return True

    def mark(self, delivery: PendingDelivery, failure: DeliveryError | None, again: datetime | None = None) -> None:
        """Write down what became of a delivery; `again` is when to try one that failed, where that is settled."""
        if failure is None:
            self._note(delivery, lambda: self.outbox.delivered(delivery.id, self.now()))
            reach("marked")
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

    def put_off(self, name: str, waiting: Sequence[PendingDelivery], until: float) -> None:
        """Try nothing of a channel that is not configured here: that is a failure of each, all to the same time.

        What there is no time for any more stays due, behind the others.
        """
        unknown = DeliveryError(f"channel {name!r} is not configured here; put it back, or take it out of `notify`")
        again = self.now() + timedelta(seconds=backoff(waiting[0].attempts + 1, self.rng))
        for delivery in waiting:
            if self.stopping() or time.monotonic() >= until or not self.take(delivery):
                return
            self.mark(delivery, unknown, again)

    def hand_next(self, line: ChannelWorker, *, done: bool = False) -> None:
        """Take a line's next delivery and hand it over; None where it is done, or another sender is at work on it."""
        delivery = None if done or self.broken or self.stopping() else line.next()
        try:
            line.hand(delivery if delivery is not None and self.take(delivery) else None)
        except StoreError as error:
            self._breaks(line, error)

    def settle(self, line: ChannelWorker, delivery: PendingDelivery, failure: DeliveryError | None) -> None:
        """Mark what became of a delivery; where the store fails, the others are marked all the same."""
        try:
            self.mark(delivery, failure)
        except StoreError as error:
            self._breaks(line, error)

    def _breaks(self, line: ChannelWorker, error: StoreError) -> None:
        self.broken = self.broken or error
        line.hand(None)

    def give_up(self, delivery: PendingDelivery, why: str) -> None:
        """Try a delivery no more, and say so loudly: an alert reached nobody."""
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

    def _failed(self, delivery: PendingDelivery, why: str, again: datetime | None) -> None:
        held = self.held[delivery.id]
        self._note(delivery, lambda: self.outbox.delivery_failed(delivery.id, why, again, held))

    def _note(self, delivery: PendingDelivery, write: Callable[[], None]) -> None:
        """Write to the outbox. Where another replica was faster with this very delivery, that stands."""
        try:
            write()
        except DeliveryConflict:
            log.info("notification %s to channel %r is sent elsewhere", delivery.notification_id, delivery.channel)
        except StoreError:
            if any(d.id == delivery.id for d in self.outbox.deliveries_due(None, limit=TAKE_BATCH)):
                raise
            log.info("notification %s to channel %r was settled elsewhere", delivery.notification_id, delivery.channel)
