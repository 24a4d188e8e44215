"""Lease expiry that tolerates clock jumps, and the compare-and-swap that ends a claim."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, or_, update

from drift.errors import StoreError
from drift.store.tables import window
from drift.store.work_items import Claim

MAX_LEASE: Final = timedelta(hours=1)
"""Longest lease of any worker. A lease that ends later than this from now was given by a clock that ran ahead and was
set back: it counts as expired. Otherwise the window of a dead worker would wait until that time, perhaps for days.
A live worker loses its work by this and nothing else: the fencing token keeps it from writing."""


class LeaseLost(StoreError):  # noqa: N818 - names the event
    """Another worker has claimed the window; the result of this worker is not written."""

    default_code = "lease-lost"


def is_expired(until: ColumnElement[datetime], now: datetime) -> ColumnElement[bool]:
    """Return the condition that a lease has run out."""
    return or_(until <= now, until > _latest(now))


def is_running(until: ColumnElement[datetime], now: datetime) -> ColumnElement[bool]:
    """Return the condition that a lease is valid."""
    return and_(until > now, until <= _latest(now))


def _latest(now: Any) -> Any:
    return now + MAX_LEASE if isinstance(now, datetime) else now  # the column type refuses what is not an instant


def end_claim(connection: Connection, claim: Claim, status: str, **values: object) -> None:
    """Set the window's new status if the claim is still valid.

    Raises
    ------
    LeaseLost
        If another worker has claimed the window, or the claim has ended already.
    """
    ended = connection.execute(
        update(window)
        .where(window.c.id == claim.window_id, window.c.token == claim.token, window.c.status == "claimed")
        .values(status=status, lease_owner=None, lease_until=None, **values)
    )
    if ended.rowcount != 1:
        raise LeaseLost(
            f"window {claim.window} of {claim.monitor} is no longer leased with token {claim.token}: "
            "another worker claimed it after the lease expired; this result is dropped",
            code="lease-lost",
        )
