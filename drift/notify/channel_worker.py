"""The deliveries of one channel, sent in order by a thread of its own: no channel waits for another's receiver."""

import math
import queue
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from drift.errors import DeliveryError
from drift.failpoints import reach
from drift.notify.channels import Channel


class PendingDelivery(Protocol):
    """One notification to be sent to one channel; `attempts` counts the failed ones."""

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


@dataclass(eq=False, slots=True)
class ChannelWorker:
    """Sends the deliveries of one channel in order, one at a time, as they are assigned."""

    name: str
    channel: Channel
    deliveries: list[PendingDelivery]  # not assigned yet
    seconds: float  # for all of them
    end: float = 0.0  # of that time, on the monotonic clock
    send_end: float = math.inf  # of the current attempt, on the monotonic clock
    # The next delivery for the thread; None ends it.
    assigned: "queue.SimpleQueue[PendingDelivery | None]" = field(default_factory=queue.SimpleQueue)
    current: PendingDelivery | None = None  # the delivery being sent

    def next_delivery(self) -> PendingDelivery | None:
        """Remove and return the next delivery; None if none is left, or less than half of the time.

        An attempt cut short by the time its predecessors took would count as a failure of the receiver.
        """
        enough = self.end - time.monotonic() >= self.seconds / 2
        return self.deliveries.pop(0) if self.deliveries and enough else None

    def assign(self, delivery: PendingDelivery | None) -> None:
        """Have a delivery sent now; None ends the thread. Its time starts now, after any wait for the store."""
        self.send_end = max(self.end, time.monotonic() + self.seconds / 2)
        self.assigned.put(delivery)

    def run(self, results: "queue.SimpleQueue[SendResult]") -> None:
        """Send assigned deliveries and report each result, until None is assigned; runs in a thread of its own."""
        try:
            while (delivery := self.assigned.get()) is not None:
                results.put(SendResult(self, delivery, self._send(delivery)))
        finally:  # after an internal error of the channel, `current` is still set
            results.put(SendResult(self))

    def _send(self, delivery: PendingDelivery) -> DeliveryError | None:
        self.current = delivery
        try:
            self.channel.send(delivery.payload, deadline=max(0.0, self.send_end - time.monotonic()))
        except DeliveryError as error:
            self.current = None
            return error
        reach("sent")
        self.current = None
        return None


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of one delivery, or (without a delivery) the end of a worker's thread."""

    worker: ChannelWorker
    delivery: PendingDelivery | None = None
    failure: DeliveryError | None = None
