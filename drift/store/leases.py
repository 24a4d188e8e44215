"""Claims: conditions of leases, which tolerate clock jumps, and the compare-and-swap that ends a claim."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update

from drift.errors import StoreError
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store.monitors import Definition
from drift.store.tables import monitor, revision, window
from drift.store.work_items import BACKFILL, LATE, Claim, LeasedWindow

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


def is_ready(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a window is due, or claimed with an expired lease."""
    return or_(
        and_(window.c.status == "due", window.c.next_attempt_at <= now),
        and_(window.c.status == "claimed", is_expired(window.c.lease_until, now)),
    )


def is_leased(monitor_id: int, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a worker is checking a window of the monitor."""
    return and_(window.c.monitor_id == monitor_id, window.c.status == "claimed", is_running(window.c.lease_until, now))


def is_claimed(claim: Claim | LeasedWindow) -> ColumnElement[bool]:
    """Return the condition that a claim has neither ended nor been replaced by another worker's."""
    return and_(window.c.id == claim.window_id, window.c.token == claim.token, window.c.status == "claimed")


def count_failures(connection: Connection, row: Row[tuple[object, ...]], attempts: int) -> int:
    """Count those of a window's attempts that wrote an error since it became due; a re-check has none."""
    if row.cause == LATE or not attempts:
        return 0
    errors = select(func.count()).where(
        revision.c.window_id == row.id, revision.c.verdict == Verdict.ERROR.value, revision.c.counted_at >= row.due_at
    )
    return min(int(connection.execute(errors).scalar_one()), attempts)


def claim_from_row(connection: Connection, row: Row[tuple[object, ...]], definition: Definition) -> Claim:
    """Return the claim of a window whose row was claimed, to be checked as the definition says."""
    name = connection.execute(select(monitor.c.name).where(monitor.c.id == definition.monitor_id)).scalar_one()
    verdict = connection.execute(
        select(revision.c.verdict).where(revision.c.window_id == row.id, revision.c.number == row.revision)
    ).scalar_one_or_none()
    return Claim(
        window_id=row.id,
        monitor_id=definition.monitor_id,
        monitor=name,
        definition_id=definition.id,
        window=Window(row.start_at, row.end_at),
        kind=row.kind,
        token=row.token,
        attempt=row.attempts,
        revision=row.revision + 1,
        previous_verdict=None if verdict is None else Verdict(verdict),
        is_recheck=row.cause == LATE,
        is_backfill=row.cause == BACKFILL,
        failures=count_failures(connection, row, row.attempts - 1),
    )


def end_claim(connection: Connection, claim: Claim, status: str, **values: object) -> None:
    """Set the window's new status if the claim is still valid.

    Raises
    ------
    LeaseLost
        If another worker has claimed the window, or the claim has ended already.
    """
    ended = update(window).where(is_claimed(claim)).values(status=status, lease_owner=None, lease_until=None, **values)
    if connection.execute(ended).rowcount != 1:
        raise LeaseLost(
            f"window {claim.window} of {claim.monitor} is no longer leased with token {claim.token}: "
            "another worker claimed it after the lease expired; this result is dropped",
            code="lease-lost",
        )
