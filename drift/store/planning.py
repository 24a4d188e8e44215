"""Windows from planned to done: truth is these rows, not timers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, not_, null, or_, select, update

from drift.store.interning import insert_new
from drift.store.records import Claim, Definition, Ended, Held, LeaseLost, PlannedWindow
from drift.store.tables import monitor, revision, window
from drift.verdict import Verdict
from drift.window import Window

Planned = Sequence[tuple[Window, datetime]]
CHECK = "check"
LATE = "late"
BACKFILL = "backfill"  # asked for by hand and never checked before: never skipped, and no news where it is of the past
GIVEN_UP = "given_up"  # stands in a revision's source: nothing was read of the window, and no second look is taken


def plan(connection: Connection, definition: Definition, windows: Planned, kind: str, cause: str | None = None) -> int:
    """Insert the windows that are not there yet; gives their number."""
    rows = [
        {
            "monitor_id": definition.monitor_id,
            "definition_id": definition.id,
            "start_at": interval.start,
            "end_at": interval.end,
            "kind": kind,
            "status": "due",
            "due_at": due_at,
            "next_attempt_at": due_at,
            "attempts": 0,
            "token": 0,
            "revision": 0,
            "cause": cause,
        }
        for interval, due_at in windows
    ]
    if not rows:
        return 0
    return len(connection.execute(insert_new(connection, window).returning(window.c.id), rows).all())


def plan_again(connection: Connection, definition: Definition, windows: Planned) -> int:
    """Insert the missing ones and make all others due that no worker has in hand; gives the number of both.

    Those that wait for a second look or a retry are among them: they are asked for now, and with whatever rules hold.
    """
    again = 0
    of_its_own = and_(window.c.status == "due", window.c.cause.is_distinct_from(BACKFILL))
    cause = case((and_(window.c.revision == 0, not_(of_its_own)), BACKFILL), else_=null())
    for interval, due_at in windows:
        again += connection.execute(
            update(window)
            .where(
                window.c.monitor_id == definition.monitor_id,
                window.c.start_at == interval.start,
                window.c.end_at == interval.end,
                window.c.kind == CHECK,
                window.c.status.in_(["due", "done", "failed", "skipped"]),
            )
            .values(status="due", due_at=due_at, next_attempt_at=due_at, attempts=0, last_error=None, cause=cause)
        ).rowcount
    return again + plan(connection, definition, windows, CHECK, BACKFILL)


def overdue(monitor_id: int, before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Which windows were due before an instant and nobody ever began, nor asked for."""
    return (
        window.c.monitor_id == monitor_id,
        window.c.status == "due",
        window.c.due_at < before,
        window.c.attempts == 0,
        window.c.revision == 0,
        window.c.cause.is_distinct_from(BACKFILL),
    )


def has_overdue(connection: Connection, monitor_id: int, before: datetime) -> bool:
    """Whether there is any window to skip."""
    return connection.execute(select(window.c.id).where(*overdue(monitor_id, before)).limit(1)).first() is not None


def skip(connection: Connection, monitor_id: int, before: datetime, reason: str) -> int:
    """Leave out windows that were due before an instant; gives their number."""
    left = update(window).where(*overdue(monitor_id, before)).values(status="skipped", last_error=reason)
    return connection.execute(left).rowcount


def ended_since(connection: Connection, monitor_id: int, since: datetime) -> list[Ended]:
    """Checked windows that ended after an instant, oldest first, with what their source looked like.

    None that was given up, nor any that was thinned out: there is nothing to hold a second look against.
    """
    kept = or_(monitor.c.thinned_until.is_(None), window.c.start_at > monitor.c.thinned_until)
    query = (
        select(window.c.id, window.c.start_at, window.c.end_at, window.c.seen, revision.c.source, revision.c.rows)
        .join(revision, (revision.c.window_id == window.c.id) & (revision.c.number == window.c.revision))
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .where(window.c.monitor_id == monitor_id, window.c.status == "done", window.c.end_at > since, kept)
        .order_by(window.c.start_at)
    )
    return [
        Ended(row.id, Window(row.start_at, row.end_at), row.seen, row.source, row.rows)
        for row in connection.execute(query)
        if GIVEN_UP not in row.source
    ]


def look_again(connection: Connection, seen: Mapping[int, str], now: datetime) -> int:
    """Make checked windows due once more, each for a source that looks like this by now."""
    again = 0
    for key, looks in seen.items():
        change = update(window).where(window.c.id == key, window.c.status == "done")
        change = change.values(status="due", next_attempt_at=now, attempts=0, cause=LATE, seen=looks)
        again += connection.execute(change).rowcount
    return again


def is_looking(connection: Connection, monitor_id: int) -> bool:
    """Whether any window waits for its second look."""
    waits = window.c.monitor_id == monitor_id, window.c.status.in_(["due", "claimed"]), window.c.cause == LATE
    return connection.execute(select(window.c.id).where(*waits).limit(1)).first() is not None


def last_planned_end(connection: Connection, monitor_id: int) -> datetime | None:
    """The end of the newest window that any definition of the monitor planned."""
    newest = select(func.max(window.c.end_at)).where(window.c.monitor_id == monitor_id)
    found: datetime | None = connection.execute(newest).scalar_one()
    return found


def _ready(now: datetime) -> ColumnElement[bool]:
    """Due, or claimed by a worker whose lease ran out."""
    return or_(
        and_(window.c.status == "due", window.c.next_attempt_at <= now),
        and_(window.c.status == "claimed", window.c.lease_until <= now),
    )


def due(connection: Connection, monitor_id: int, now: datetime, limit: int | None) -> list[PlannedWindow]:
    """Windows to check, oldest first, up to the first that another worker holds: alerts are decided in order.

    Second looks come last: they would keep what was never checked from being checked, where each takes long.
    """
    holding = select(func.min(_start())).where(*_held(monitor_id, now)).scalar_subquery()
    query = (
        select(window)
        .where(window.c.monitor_id == monitor_id, window.c.status.in_(["due", "claimed"]), _ready(now))
        .where(or_(holding.is_(None), window.c.start_at < holding))
        .order_by(case((window.c.cause == LATE, 1), else_=0), _start(), window.c.end_at, window.c.id)
        .limit(limit)
    )
    return [
        PlannedWindow(
            id=row.id,
            window=Window(row.start_at, row.end_at),
            kind=row.kind,
            due_at=row.due_at,
            attempts=row.attempts,
            late=row.cause == LATE,
            lost=_lost(connection, row),
        )
        for row in connection.execute(query).all()
    ]


def _start() -> ColumnElement[datetime]:
    """A window's start, not to be had from an index: SQLite would walk a year in order for the few that wait."""
    return func.coalesce(window.c.start_at, window.c.end_at)


def held(connection: Connection, monitor_id: int, now: datetime) -> list[Held]:
    """Windows that workers hold, oldest first."""
    query = select(window).where(*_held(monitor_id, now)).order_by(_start())
    return [
        Held(row.id, Window(row.start_at, row.end_at), row.token, row.lease_owner or "", row.lease_until)
        for row in connection.execute(query)
    ]


def renew(connection: Connection, held: Claim, until: datetime) -> bool:
    """Keep a window for longer; False where another worker has taken it, or it is ended."""
    kept = connection.execute(
        update(window)
        .where(window.c.id == held.window_id, window.c.token == held.token, window.c.status == "claimed")
        .values(lease_until=until)
    )
    return kept.rowcount == 1


def free(connection: Connection, abandoned: Held | Claim, now: datetime) -> None:
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


def _held(monitor_id: int, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return window.c.monitor_id == monitor_id, window.c.status == "claimed", window.c.lease_until > now


def claim(
    connection: Connection, window_id: int, definition: Definition, owner: str, now: datetime, lease: timedelta
) -> Claim | None:
    """Take a window, unless another worker was first."""
    taken = connection.execute(
        update(window)
        .where(window.c.id == window_id, window.c.monitor_id == definition.monitor_id, _ready(now))
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
        failures=_failures(connection, row, row.attempts - 1),
    )


def _lost(connection: Connection, row: Row[tuple[object, ...]]) -> int:
    """How many of the attempts on a window that is due came to no end."""
    return row.attempts - _failures(connection, row, row.attempts) if row.attempts else 0


def _failures(connection: Connection, row: Row[tuple[object, ...]], begun: int) -> int:
    """How many of so many attempts on a window gave an error: those that were written since it became due as it is.

    A second look has none: its first end is its last.
    """
    if row.cause == LATE or not begun:
        return 0
    errors = select(func.count()).where(
        revision.c.window_id == row.id,
        revision.c.verdict == Verdict.ERROR.value,
        revision.c.counted_at >= row.due_at,
    )
    return min(int(connection.execute(errors).scalar_one()), begun)


def let_go(connection: Connection, held: Claim, status: str, **values: object) -> None:
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


def counts(connection: Connection) -> dict[str, int]:
    """Number of windows by status."""
    rows = connection.execute(select(window.c.status, func.count()).group_by(window.c.status))
    return dict(rows.all())
