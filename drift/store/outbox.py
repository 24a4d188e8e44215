"""The outbox: what is still to be sent, in order."""

from datetime import datetime

from sqlalchemy import Connection, func, select, update

from drift.errors import StoreError
from drift.store.records import Delivery
from drift.store.tables import delivery, notification


def due(connection: Connection, now: datetime, limit: int) -> list[Delivery]:
    """Deliveries to try, oldest first; up to `limit` of each channel, so that none is starved by another's line."""
    place = func.row_number().over(partition_by=delivery.c.channel, order_by=delivery.c.id).label("place")
    line = (
        select(delivery.c.id, place).where(delivery.c.status == "pending", delivery.c.next_attempt_at <= now).subquery()
    )
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


def mark(connection: Connection, delivery_id: int, status: str, **values: object) -> None:
    """Write down how one attempt went.

    Raises
    ------
    StoreError
        Where there is no such delivery, or it is over already.
    """
    marked = connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.status == "pending")
        .values(status=status, attempts=delivery.c.attempts + 1, **values)
    )
    if marked.rowcount != 1:
        raise StoreError(f"delivery {delivery_id} is not pending: it was sent or given up already")


def counts(connection: Connection) -> dict[str, int]:
    """Number of deliveries by status."""
    rows = connection.execute(select(delivery.c.status, func.count()).group_by(delivery.c.status))
    return dict(rows.all())
