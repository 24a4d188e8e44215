"""The right to write a window's outcome: taken, kept, found again, given up. Truth is these rows, not timers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, select, update

from drift.errors import StoreError
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store.definitions import Definition
from drift.store.due_windows import LeasedWindow, failures, ready
from drift.store.plan import BACKFILL
from drift.store.recheck import LATE
from drift.store.tables import monitor, revision, window


class LeaseLost(StoreError):  # noqa: N818 - reads as what happened
    """Another worker has this window by now: whatever this one found is not written."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write the outcome of one window.

    Parameters
    ----------
    window_id, monitor_id, definition_id : int
        Keys.
    monitor : str
        The monitor's name.
    window : Window
        The interval.
    kind : str
        What is to be done with it: `check`.
    token : int
        Fencing token: the newest claim has the largest.
    attempt : int
        1 for the first since it became due. One that was given back does not count.
    revision : int
        Number of the revision that finishing this claim makes.
    before : Verdict or None
        Of the newest revision there is; None where this is the first.
    late : bool
        It was checked before, and its source has changed since: a revision is due only where it has other rows.
    asked : bool
        It was asked for by hand (`drift backfill`) before it was ever checked.
    failures : int
        How many attempts before this one ended with an `error` verdict.
    """

    window_id: int
    monitor_id: int
    monitor: str
    definition_id: int
    window: Window
    kind: str
    token: int
    attempt: int
    revision: int
    before: Verdict | None = None
    late: bool = False
    asked: bool = False
    failures: int = 0

    @property
    def lost(self) -> int:
        """How many attempts before this one came to no end: the lease ran out, or the worker was found dead."""
        return self.attempt - 1 - self.failures


def claim(
    connection: Connection, window_id: int, definition: Definition, owner: str, now: datetime, lease: timedelta
) -> Claim | None:
    """Take a window, unless another worker was first."""
    taken = connection.execute(
        update(window)
        .where(window.c.id == window_id, window.c.monitor_id == definition.monitor_id, ready(now))
        .values(
            status="claimed",
            lease_owner=owner,
            lease_until=now + lease,
            token=window.c.token + 1,
            attempts=window.c.attempts + 1,
        )
        .returning(window)
    ).one_or_none()
    return None if taken is None else _claim(connection, taken, definition)


def claimed(
    connection: Connection, window_id: int, definition: Definition, owner: str, until: datetime
) -> Claim | None:
    """The claim that an owner holds until exactly then; None where there is none: it never came to be."""
    found = connection.execute(
        select(window).where(
            window.c.id == window_id,
            window.c.status == "claimed",
            window.c.lease_owner == owner,
            window.c.lease_until == until,
        )
    ).one_or_none()
    return None if found is None else _claim(connection, found, definition)


def renew(connection: Connection, held: Claim, until: datetime) -> bool:
    """Keep a window for longer; False where another worker has taken it, or it is ended."""
    kept = connection.execute(
        update(window)
        .where(window.c.id == held.window_id, window.c.token == held.token, window.c.status == "claimed")
        .values(lease_until=until)
    )
    return kept.rowcount == 1


def free(connection: Connection, abandoned: LeasedWindow | Claim, now: datetime) -> None:
    """End the lease of work that came to no end, unless somebody did before; the attempt stays counted."""
    connection.execute(
        update(window)
        .where(
            window.c.id == abandoned.window_id,
            window.c.token == abandoned.token,
            window.c.status == "claimed",
            window.c.lease_until > now,
        )
        .values(lease_until=now)
    )


def written(connection: Connection, held: Claim) -> bool:
    """Whether this very claim was ended by its revision."""
    found = connection.execute(
        select(revision.c.id).where(
            revision.c.window_id == held.window_id,
            revision.c.number == held.revision,
            revision.c.token == held.token,
        )
    ).one_or_none()
    return found is not None


def end_claim(connection: Connection, held: Claim, status: str, **values: object) -> None:
    """End a claim: the compare-and-swap that a worker without a lease fails.

    Raises
    ------
    LeaseLost
        Where another worker claimed the window since, or somebody ended this claim before.
    """
    ended = connection.execute(
        update(window)
        .where(window.c.id == held.window_id, window.c.token == held.token, window.c.status == "claimed")
        .values(status=status, lease_owner=None, lease_until=None, **values)
    )
    if ended.rowcount != 1:
        raise LeaseLost(
            f"window {held.window} of {held.monitor} is no longer held with token {held.token}: "
            "another worker took it after the lease ran out, and this result is dropped"
        )


def _claim(connection: Connection, row: Row[tuple[object, ...]], definition: Definition) -> Claim:
    name = connection.execute(select(monitor.c.name).where(monitor.c.id == definition.monitor_id)).scalar_one()
    before = connection.execute(
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
        before=None if before is None else Verdict(before),
        late=row.cause == LATE,
        asked=row.cause == BACKFILL,
        failures=failures(connection, row, row.attempts - 1),
    )
