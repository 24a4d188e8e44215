"""The outbox: what is still to be sent, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select, update

from drift.errors import StoreError
from drift.monitors.window import format_instant
from drift.store.tables import delivery, notification

NEVER_DUE: Final = timedelta(days=4)
"""No sender puts off a delivery for more than a day, nor do clocks of senders differ by several: one put off further
was so by a clock that ran ahead. It is due; else it would hold back its channel until that time comes."""


class DeliveryConflict(StoreError):  # noqa: N818 - reads as what happened
    """Another sender has this delivery by now, or it is over: how this one fared does not count."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending of a notification to a channel that is due.

    Parameters
    ----------
    id : int
        Its key.
    notification_id : str
        Stable over retries: receivers may use it to discard repeats.
    channel : str
        Name of the channel.
    attempts : int
        How often it was tried.
    payload : mapping
        The notification.
    """

    id: int
    notification_id: str
    channel: str
    attempts: int
    payload: Mapping[str, Any]


def _is_due(now: Any) -> ColumnElement[bool]:
    far = now + NEVER_DUE if isinstance(now, datetime) else now  # what is no instant is refused by the column
    return or_(delivery.c.next_attempt_at <= now, delivery.c.next_attempt_at > far)


def due(connection: Connection, now: datetime | None, limit: int) -> list[Delivery]:
    """Deliveries to try by `now` (None: all that are pending), oldest first.

    Up to `limit` of each channel, so that none is starved by another's line.
    """
    place = func.row_number().over(partition_by=delivery.c.channel, order_by=delivery.c.id).label("place")
    pending = select(delivery.c.id, place).where(delivery.c.status == "pending")
    line = (pending if now is None else pending.where(_is_due(now))).subquery()
    query = (
        select(delivery, notification.c.payload)
        .join(line, line.c.id == delivery.c.id)
        .join(notification, notification.c.id == delivery.c.notification_id)
        .where(line.c.place <= limit)
        .order_by(delivery.c.id)
    )
    return [
        Delivery(row.id, row.notification_id, row.channel, row.attempts, row.payload)
        for row in connection.execute(query)
    ]


def take(connection: Connection, delivery_id: int, now: datetime, until: datetime) -> bool:
    """Have a delivery for oneself until then; False where another sender has it, or it is over.

    Its next attempt is put off, so `until` grows with each taking: that is what tells the takers apart.
    """
    taken = connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.status == "pending", _is_due(now))
        .values(next_attempt_at=until)
    )
    return taken.rowcount == 1


def stands(connection: Connection, delivery_id: int, status: str, **values: object) -> bool:
    """Whether a delivery is as these words say."""
    alike = [delivery.c[name] == value for name, value in values.items()]
    found = select(delivery.c.id).where(delivery.c.id == delivery_id, delivery.c.status == status, *alike)
    return connection.execute(found).one_or_none() is not None


def mark(connection: Connection, delivery_id: int, status: str, held: datetime | None = None, **values: object) -> None:
    """Write down how one attempt went; with `held`, only where nobody took the delivery after that taking.

    Raises
    ------
    StoreError
        Where there is no such delivery, it is over already, or another sender has it.
    """
    query = update(delivery).where(delivery.c.id == delivery_id, delivery.c.status == "pending")
    if held is not None:
        query = query.where(delivery.c.next_attempt_at == held)
    marked = connection.execute(query.values(status=status, attempts=delivery.c.attempts + 1, **values))
    if marked.rowcount != 1:
        if held is not None and stands(connection, delivery_id, "pending"):
            raise DeliveryConflict(f"delivery {delivery_id} was taken by another sender when this one's time was over")
        raise StoreError(f"delivery {delivery_id} is not pending: it was sent or given up already")


def resend(
    connection: Connection, now: datetime, channels: Sequence[str], since: datetime | None
) -> list[dict[str, Any]]:
    """Have deliveries that were given up due again, as if never tried; gives them, oldest first.

    They keep their place: what of the same channel waits behind them is sent after them.
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
    found = connection.execute(query).all()
    if found:
        again = update(delivery).where(delivery.c.id == bindparam("key"))
        fresh = again.values(status="pending", attempts=0, next_attempt_at=now)
        connection.execute(fresh, [{"key": row.id} for row in found])
    return [_given_up(row) for row in found]


def _given_up(row: Any) -> dict[str, Any]:
    told = row.payload
    return {
        "id": row.notification_id,
        "channel": row.channel,
        "monitor": told["monitor"],
        "window_start": told["window"]["start"],
        "window_end": told["window"]["end"],
        "status": told["status"],
        "title": told["title"],
        "created_at": format_instant(row.created_at),
        "attempts": row.attempts,
        "error": row.last_error,
    }


def given_up_since(connection: Connection, since: datetime) -> int:
    """How many deliveries were given up since then, by when their last sender's time ended: minutes later at most."""
    query = select(func.count()).where(delivery.c.status == "dead", delivery.c.next_attempt_at >= since)
    return connection.execute(query).scalar_one()


def counts(connection: Connection) -> dict[str, int]:
    """Number of deliveries by status."""
    rows = connection.execute(select(delivery.c.status, func.count()).group_by(delivery.c.status))
    return dict(rows.all())


def next_attempt(connection: Connection) -> datetime | None:
    """When the first of the channels is tried (again), each by its oldest pending delivery; None where none waits."""
    first = select(func.min(delivery.c.id)).where(delivery.c.status == "pending").group_by(delivery.c.channel)
    soonest = select(func.min(delivery.c.next_attempt_at)).where(delivery.c.id.in_(first))
    found: datetime | None = connection.execute(soonest).scalar_one()
    return found
