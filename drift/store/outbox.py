"""The outbox: what is still to be sent, in order."""

from datetime import datetime

from sqlalchemy import Connection, func, select, update

from drift.errors import StoreError
from drift.store.records import Delivery, Taken
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


def take(connection: Connection, delivery_id: int, now: datetime, until: datetime) -> bool:
    """Have a delivery for oneself until then; False where another sender has it, or it is over.

    Its next attempt is put off, so `until` grows with each taking: that is what tells the takers apart.
    """
    taken = connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.status == "pending", delivery.c.next_attempt_at <= now)
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
            raise Taken(f"delivery {delivery_id} was taken by another sender when this one's time was over")
        raise StoreError(f"delivery {delivery_id} is not pending: it was sent or given up already")


def counts(connection: Connection) -> dict[str, int]:
    """Number of deliveries by status."""
    rows = connection.execute(select(delivery.c.status, func.count()).group_by(delivery.c.status))
    return dict(rows.all())
