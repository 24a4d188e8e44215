"""One channel's deliveries, sent one after the other in a thread of their own: nobody waits for another's receiver."""

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


@dataclass(eq=False, slots=True)
class ChannelWorker:
    """One channel's deliveries, sent one after the other in a thread of their own, as they are handed in."""

    name: str
    channel: Channel
    deliveries: list[PendingDelivery]
    seconds: float
    until: float = 0.0  # no later is any delivery begun in less than half of the time
    ends: float = math.inf  # until when the one in hand may be sent
    handed: "queue.SimpleQueue[PendingDelivery | None]" = field(default_factory=queue.SimpleQueue)
    current: PendingDelivery | None = None  # being sent

    def next(self) -> PendingDelivery | None:
        """What to send next; None where nothing is left, or too little time.

        A sending cut short for what its predecessors took would count as the receiver's failure.
        """
        enough = self.until - time.monotonic() >= self.seconds / 2
        return self.deliveries.pop(0) if self.deliveries and enough else None

    def hand(self, delivery: PendingDelivery | None) -> None:
        """To be sent now; None ends the line. Its time begins here: what waited for the store is not the receiver's."""
        here = time.monotonic()
        self.ends = max(self.until, here + self.seconds / 2)
        self.handed.put(delivery)

    def send_all(self, told: "queue.SimpleQueue[SendResult]") -> None:
        """Send what is handed in until the line is ended, and tell what became of each; for a thread of its own."""
        try:
            while (delivery := self.handed.get()) is not None:
                told.put(SendResult(self, delivery, self._send(delivery)))
        finally:  # whatever happened: a fault of the channel's own shows as `current` still set
            told.put(SendResult(self))

    def _send(self, delivery: PendingDelivery) -> DeliveryError | None:
        self.current = delivery
        try:
            self.channel.send(delivery.payload, deadline=max(0.0, self.ends - time.monotonic()))
        except DeliveryError as error:
            self.current = None
            return error
        reach("sent")
        self.current = None
        return None


@dataclass(frozen=True, slots=True)
class SendResult:
    """News from a line: what became of one delivery, or (without one) that the line has ended."""

    line: ChannelWorker
    delivery: PendingDelivery | None = None
    failure: DeliveryError | None = None
