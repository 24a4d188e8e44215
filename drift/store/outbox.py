"""The outbox: notifications to send, by channel, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select, update

from drift.errors import StoreError
from drift.monitors.window import format_instant
from drift.store.database import StoreDatabase
from drift.store.engine import CommitUnknown
from drift.store.tables import delivery, notification

MAX_DELAY: Final = timedelta(days=4)
"""Longest time until a next attempt. No sender delays a delivery by more than a day, and the clocks of senders differ
by less than several: a longer delay was written by a clock that ran ahead. Such a delivery is due now; otherwise it
would block its channel until that time."""


class DeliveryConflict(StoreError):  # noqa: N818 - names the event
    """Another sender has taken this delivery, or it has ended: the result of this sender is not written."""

    default_code = "delivery-conflict"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification to send to one channel.

    `notification_id` is stable over retries: receivers may use it to discard repeats. `attempts` is the number made,
    `payload` the notification.
    """

    id: int
    notification_id: str
    channel: str
    attempts: int
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChannelQueue:
    """The number of pending deliveries of one channel, and when the oldest was created."""

    channel: str
    waiting: int
    since: datetime


class OutboxStore:
    """Deliveries: each is `pending`, `sent`, or `dead` (abandoned)."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def due(self, now: datetime | None, limit: int = 1000) -> list[Delivery]:
        """Return deliveries due by `now` (None: all that are pending), oldest first.

        Up to `limit` of each channel, so that a long queue of one delays no other.
        """
        position = func.row_number().over(partition_by=delivery.c.channel, order_by=delivery.c.id).label("position")
        pending = select(delivery.c.id, position).where(delivery.c.status == "pending")
        queue = (pending if now is None else pending.where(_is_due(now))).subquery()
        query = (
            select(delivery, notification.c.payload)
            .join(queue, queue.c.id == delivery.c.id)
            .join(notification, notification.c.id == delivery.c.notification_id)
            .where(queue.c.position <= limit)
            .order_by(delivery.c.id)
        )
        with self._database.read() as connection:
            return [
                Delivery(row.id, row.notification_id, row.channel, row.attempts, row.payload)
                for row in connection.execute(query)
            ]

    def take(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        """Reserve a due delivery until then, before it is sent; False if another sender has it, or it has ended.

        The next attempt moves to `until`, which differs for each sender and so identifies it.
        """
        taken = (
            update(delivery)
            .where(delivery.c.id == delivery_id, delivery.c.status == "pending", _is_due(now))
            .values(next_attempt_at=until)
        )
        try:
            with self._database.write() as connection:
                return connection.execute(taken).rowcount == 1
        except CommitUnknown:
            if not self._has(delivery_id, "pending", next_attempt_at=until):
                raise
            return True

    def mark_sent(self, delivery_id: int, now: datetime) -> None:
        """Record that the channel accepted a delivery.

        Raises
        ------
        StoreError
            If it is not pending.
        """
        self._mark(delivery_id, "sent", sent_at=now, last_error=None)

    def mark_failed(
        self, delivery_id: int, error: str, retry_at: datetime | None, taken_until: datetime | None = None
    ) -> None:
        """Record that a channel did not accept a delivery, with the reason for people.

        At `retry_at` it is tried again; None abandons it. `taken_until` is the `until` it was taken with; None if it
        was not taken.

        Raises
        ------
        DeliveryConflict
            If another sender has taken it after `taken_until`: that sender's result counts.
        StoreError
            If it is not pending.
        """
        if retry_at is None:
            self._mark(delivery_id, "dead", taken_until, last_error=error)
        else:
            self._mark(delivery_id, "pending", taken_until, last_error=error, next_attempt_at=retry_at)

    def resend(self, now: datetime, channels: Sequence[str], since: datetime | None = None) -> list[dict[str, Any]]:
        """Make abandoned deliveries of some channels due now, with the same id and no attempts.

        They keep their place: later deliveries of the same channel are sent after them. With `since`, only
        notifications created then or later.

        Returns
        -------
        list of dict
            The deliveries, oldest first, as rows of `drift alerts resend --json`.
        """
        query = (
            select(delivery, notification.c.payload, notification.c.created_at)
            .join(notification, notification.c.id == delivery.c.notification_id)
            .where(delivery.c.status == "dead", delivery.c.channel.in_(channels))
            .order_by(delivery.c.id)
            .with_for_update(of=delivery)
        )
        if since is not None:
            query = query.where(notification.c.created_at >= since)
        with self._database.write() as connection:
            rows = connection.execute(query).all()
            if rows:
                by_key = update(delivery).where(delivery.c.id == bindparam("key"))
                reset = by_key.values(status="pending", attempts=0, next_attempt_at=now)
                connection.execute(reset, [{"key": row.id} for row in rows])
        return [_resent_row(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return the number of deliveries by status."""
        with self._database.read() as connection:
            query = select(delivery.c.status, func.count()).group_by(delivery.c.status)
            return dict(connection.execute(query).all())

    def count_abandoned(self, since: datetime) -> int:
        """Count deliveries abandoned since then, by the end of their last lease: minutes late at most."""
        query = select(func.count()).where(delivery.c.status == "dead", delivery.c.next_attempt_at >= since)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def next_attempt(self) -> datetime | None:
        """Return when the first channel is tried again, each by its oldest pending delivery; None without any."""
        oldest = select(func.min(delivery.c.id)).where(delivery.c.status == "pending").group_by(delivery.c.channel)
        query = select(func.min(delivery.c.next_attempt_at)).where(delivery.c.id.in_(oldest))
        with self._database.read() as connection:
            first: datetime | None = connection.execute(query).scalar_one()
        return first

    def queues(self) -> list[ChannelQueue]:
        """Return the pending deliveries of each channel that has any, by name."""
        query = (
            select(delivery.c.channel, func.count(), func.min(notification.c.created_at))
            .join(notification, notification.c.id == delivery.c.notification_id)
            .where(delivery.c.status == "pending")
            .group_by(delivery.c.channel)
            .order_by(delivery.c.channel)
        )
        with self._database.read() as connection:
            return [ChannelQueue(*row) for row in connection.execute(query)]

    def _mark(self, delivery_id: int, status: str, taken_until: datetime | None = None, **values: Any) -> None:
        try:
            with self._database.write() as connection:
                _mark(connection, delivery_id, status, taken_until, **values)
        except CommitUnknown:
            if not self._has(delivery_id, status, **values):
                raise

    def _has(self, delivery_id: int, status: str, **values: object) -> bool:
        with self._database.read() as connection:
            return _has(connection, delivery_id, status, **values)


def _is_due(now: Any) -> ColumnElement[bool]:
    latest = now + MAX_DELAY if isinstance(now, datetime) else now  # the column type refuses what is not an instant
    return or_(delivery.c.next_attempt_at <= now, delivery.c.next_attempt_at > latest)


def _has(connection: Connection, delivery_id: int, status: str, **values: object) -> bool:
    conditions = [delivery.c[name] == value for name, value in values.items()]
    query = select(delivery.c.id).where(delivery.c.id == delivery_id, delivery.c.status == status, *conditions)
    return connection.execute(query).one_or_none() is not None


def _mark(
    connection: Connection, delivery_id: int, status: str, taken_until: datetime | None, **values: object
) -> None:
    """Write the result of one attempt; with `taken_until`, only if no other sender has taken the delivery."""
    query = update(delivery).where(delivery.c.id == delivery_id, delivery.c.status == "pending")
    if taken_until is not None:
        query = query.where(delivery.c.next_attempt_at == taken_until)
    marked = connection.execute(query.values(status=status, attempts=delivery.c.attempts + 1, **values))
    if marked.rowcount == 1:
        return
    if taken_until is not None and _has(connection, delivery_id, "pending"):
        message = f"another sender took delivery {delivery_id} after this one's lease expired"
        raise DeliveryConflict(message, code="delivery-conflict")
    message = f"delivery {delivery_id} is not pending: it was sent or abandoned already"
    raise StoreError(message, code="delivery-conflict")


def _resent_row(row: Any) -> dict[str, Any]:
    payload = row.payload
    return {
        "id": row.notification_id,
        "channel": row.channel,
        "monitor": payload["monitor"],
        "window_start": payload["window"]["start"],
        "window_end": payload["window"]["end"],
        "status": payload["status"],
        "title": payload["title"],
        "created_at": format_instant(row.created_at),
        "attempts": row.attempts,
        "error": row.last_error,
    }
