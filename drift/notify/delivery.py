"""The outbox side of deliveries: each is claimed before it is sent, and its result is recorded."""

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

FIRST_BACKOFF: Final = 30.0  # seconds until the second attempt
MAX_BACKOFF: Final = 3600.0  # seconds
MAX_RETRY_AFTER: Final = 86_400.0  # seconds; a longer Retry-After is shortened to a day
CLAIM_LIMIT: Final = 1000  # deliveries of each channel

_log = logging.getLogger("drift.notify.sender")


class Outbox(Protocol):
    """Stores deliveries. Used from the calling thread only, because SQLite connections belong to one thread."""

    def due(self, now: datetime | None, limit: int = 1000) -> Sequence[PendingDelivery]:
        """Return pending deliveries whose next attempt is due by `now` (None: all pending ones), oldest first."""

    def take(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        """Claim a delivery until a time, before it is sent; return False if another sender has it."""

    def mark_sent(self, delivery_id: int, now: datetime) -> None:
        """Record that the receiver accepted it."""

    def mark_failed(
        self, delivery_id: int, error: str, retry_at: datetime | None, taken_until: datetime | None = None
    ) -> None:
        """Record a failure; `retry_at` None abandons the delivery. `taken_until` is the end of the sender's claim."""


def backoff(failures: int, rng: np.random.Generator) -> float:
    """Return the seconds to wait after some failures: doubled each time up to an hour, less up to half at random."""
    longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, 20))
    return longest * float(rng.uniform(0.5, 1.0))


@dataclass(slots=True)
class OutboxSession:
    """Claims deliveries and records their results, in the calling thread."""

    outbox: Outbox
    now: Callable[[], datetime]
    rng: np.random.Generator  # spreads retries
    attempts: int  # after which a delivery is abandoned
    lease: timedelta  # duration of a claim
    stopping: Callable[[], bool]  # returns True to start no further delivery
    lease_ends: dict[int, datetime] = field(default_factory=dict)  # end of the claim, by delivery
    sent: int = 0  # accepted by the receiver
    retried: int = 0  # failed, to be retried
    dead: int = 0  # abandoned
    store_error: StoreError | None = None  # the first one

    def claim(self, delivery: PendingDelivery) -> bool:
        """Claim a delivery until the lease expires; return False if another sender has it."""
        now = self.now()
        if not self.outbox.take(delivery.id, now, now + self.lease):
            _log_other_sender(delivery)
            return False
        self.lease_ends[delivery.id] = now + self.lease
        reach("taken")
        return True

    def record(
        self, delivery: PendingDelivery, failure: DeliveryError | None, retry_at: datetime | None = None
    ) -> None:
        """Record the result of a delivery; `retry_at` is the next attempt of a failed one (default: with backoff)."""
        if failure is None:
            self._write(delivery, lambda: self.outbox.mark_sent(delivery.id, self.now()))
            reach("marked")
            self.sent += 1
            return
        failures = delivery.attempts + 1
        if not failure.retryable:
            self.abandon(delivery, f"{failure} (not retryable)", failure.code)
        elif failures >= self.attempts:
            self.abandon(delivery, f"{failure} (failed {failures} times)", failure.code)
        else:
            if retry_at is None:
                wait = max(backoff(failures, self.rng), min(failure.retry_after or 0.0, MAX_RETRY_AFTER))
                retry_at = self.now() + timedelta(seconds=wait)
            _log.warning(
                "channel %r did not accept notification %s (attempt %d of %d): %s; next attempt at %s",
                delivery.channel,
                delivery.notification_id,
                failures,
                self.attempts,
                failure,
                retry_at.isoformat(timespec="seconds"),
                extra={"code": "delivery-failed", "fields": {"channel": delivery.channel, "reason": failure.code}},
            )
            self._record_failure(delivery, str(failure), retry_at)
            self.retried += 1

    def postpone_unconfigured(self, name: str, deliveries: Sequence[PendingDelivery], end: float) -> None:
        """Record one failure for each delivery of a channel that is not configured, with one time for all retries.

        Those for which no time is left until `end` (monotonic clock) stay due, behind the others.
        """
        failure = DeliveryError(
            f"channel {name!r} is not configured here; add it again, or remove it from `notify`",
            code="channel-not-configured",
        )
        retry_at = self.now() + timedelta(seconds=backoff(deliveries[0].attempts + 1, self.rng))
        for delivery in deliveries:
            if self.stopping() or time.monotonic() >= end or not self.claim(delivery):
                return
            self.record(delivery, failure, retry_at)

    def assign_next(self, worker: ChannelWorker, *, last: bool = False) -> None:
        """Claim a worker's next delivery and assign it; None after the last one, or if another sender has it."""
        delivery = None if last or self.store_error or self.stopping() else worker.next_delivery()
        try:
            worker.assign(delivery if delivery is not None and self.claim(delivery) else None)
        except StoreError as error:
            self._stop(worker, error)

    def record_result(self, worker: ChannelWorker, delivery: PendingDelivery, failure: DeliveryError | None) -> None:
        """Record the result of a worker's delivery; after an error of the store, others are still recorded."""
        try:
            self.record(delivery, failure)
        except StoreError as error:
            self._stop(worker, error)

    def _stop(self, worker: ChannelWorker, error: StoreError) -> None:
        self.store_error = self.store_error or error
        worker.assign(None)

    def abandon(self, delivery: PendingDelivery, reason: str, code: str) -> None:
        """Make no further attempt, and log it as an error: an alert did not reach its receiver."""
        _log.error(
            "NOT DELIVERED: notification %s to channel %r is abandoned: %s; its title: %s; "
            "once the channel works again, run `drift alerts resend` to send it",
            delivery.notification_id,
            delivery.channel,
            reason,
            delivery.payload.get("title", ""),
            extra={"code": "delivery-abandoned", "fields": {"channel": delivery.channel, "reason": code}},
        )
        self._record_failure(delivery, reason, None)
        self.dead += 1

    def _record_failure(self, delivery: PendingDelivery, reason: str, retry_at: datetime | None) -> None:
        lease_end = self.lease_ends[delivery.id]
        self._write(delivery, lambda: self.outbox.mark_failed(delivery.id, reason, retry_at, lease_end))

    def _write(self, delivery: PendingDelivery, write: Callable[[], None]) -> None:
        """Write to the outbox; if another sender recorded this delivery first, its result stays."""
        try:
            write()
        except DeliveryConflict:
            _log_other_sender(delivery)
        except StoreError:
            if any(d.id == delivery.id for d in self.outbox.due(None, limit=CLAIM_LIMIT)):
                raise
            _log_other_sender(delivery)


def _log_other_sender(delivery: PendingDelivery) -> None:
    _log.info("notification %s to channel %r is sent by another process", delivery.notification_id, delivery.channel)
