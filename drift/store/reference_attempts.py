"""Attempts to read a reference: a row each, gone once the attempt has ended, well or badly.

What remains are those that nobody ended: their process died. A row each, and no counter that goes up and down: whoever
comes to late (halted past its lease, and another reads by now) takes away his own row, and no other's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from drift.store import lease_expiry
from drift.store.tables import monitor, reference_attempt


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to read a reference that has not ended, as far as the store knows.

    Parameters
    ----------
    id : int
        Its key.
    monitor : str
        Whose reference.
    digest : str
        Which one: what of the configuration decides it.
    owner : str
        The worker, as it called itself.
    begun_at : datetime
        When it was begun.
    until : datetime
        When its lease ends: from then on it is lost.
    """

    id: int
    monitor: str
    digest: str
    owner: str
    begun_at: datetime
    until: datetime

    def is_leased(self, now: datetime) -> bool:
        """Whether whoever made it is still taken to be at it."""
        return now < self.until <= now + lease_expiry.MAX_LEASE


def standing(connection: Connection, name: str | None = None) -> list[Attempt]:
    """Those that have not ended, of one monitor or of all, oldest first."""
    query = select(reference_attempt, monitor.c.name).join(monitor, monitor.c.id == reference_attempt.c.monitor_id)
    if name is not None:
        query = query.where(monitor.c.name == name)
    return [
        Attempt(row.id, row.name, row.digest, row.owner, row.begun_at, row.lease_until)
        for row in connection.execute(query.order_by(reference_attempt.c.id))
    ]


def begin(
    connection: Connection, monitor_id: int, digest: str, owner: str, now: datetime, lease: timedelta
) -> Attempt | None:
    """Write an attempt down before it is made; None where another one is under way."""
    # One at a time (SQLite has one writer anyway): of two at once the second sees what the first has written.
    named = select(monitor.c.name).where(monitor.c.id == monitor_id).with_for_update(key_share=True)
    name = connection.execute(named).scalar_one()
    if any(one.digest == digest and one.is_leased(now) for one in standing(connection, name)):
        return None
    row = {"monitor_id": monitor_id, "digest": digest, "owner": owner, "begun_at": now, "lease_until": now + lease}
    key = connection.execute(insert(reference_attempt).returning(reference_attempt.c.id), row).scalar_one()
    return Attempt(key, name, digest, owner, now, now + lease)


def renew(connection: Connection, attempt: Attempt, until: datetime) -> bool:
    """Keep an attempt's lease for longer; False where it has ended, or was forgotten."""
    return connection.execute(update(reference_attempt).where(*_this(attempt)).values(lease_until=until)).rowcount == 1


def end(connection: Connection, attempt: Attempt) -> None:
    """An attempt came to its end: it is no lost one."""
    connection.execute(delete(reference_attempt).where(*_this(attempt)))


def _this(attempt: Attempt) -> tuple[ColumnElement[bool], ...]:
    """It, and none that came after it: SQLite gives a key anew once its row is gone."""
    its = reference_attempt.c
    return its.id == attempt.id, its.owner == attempt.owner, its.begun_at == attempt.begun_at


def lose(connection: Connection, attempt: Attempt, now: datetime) -> None:
    """End the lease of a worker that is no more."""
    its = reference_attempt.c.id == attempt.id, reference_attempt.c.lease_until == attempt.until
    connection.execute(update(reference_attempt).where(*its).values(lease_until=now))


def forget(connection: Connection, monitor_id: int, now: datetime) -> int:
    """Begin anew: no attempt on the monitor's references that was lost counts any more; gives their number."""
    lost = reference_attempt.c.monitor_id == monitor_id, lease_expiry.over(reference_attempt.c.lease_until, now)
    return connection.execute(delete(reference_attempt).where(*lost)).rowcount
