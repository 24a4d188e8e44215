"""Monitors: definitions known by the digest of their content, alert states, and status."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Function, ScalarSelect, Select, and_, func, select, update

from drift.errors import StoreError
from drift.monitors.alert_state import AlertState, Fingerprint
from drift.monitors.window import format_instant
from drift.store.alerts import read_alerts
from drift.store.database import StoreDatabase
from drift.store.dimension_keys import insert_new, sha256
from drift.store.tables import definition, monitor, revision, tally, window


@dataclass(frozen=True, slots=True)
class Definition:
    """A version of a monitor's configuration, with its key and that of the monitor.

    `digest` is the SHA-256 of the document as canonical JSON.
    """

    id: int
    monitor_id: int
    digest: str


@dataclass(frozen=True, slots=True)
class MonitorStatus:
    """Status of one monitor in the store."""

    monitor: str
    verdicts: Counter[str] = field(default_factory=Counter)  # checked windows by the verdict of their newest revision
    # The newest checked window: `window_start`, `window_end`, `revision`, `verdict`, `rows`, `columns`, `drifted`,
    # `message`, as in `StoreQueries.windows`
    last: dict[str, Any] | None = None
    checked_until: datetime | None = None
    checked_at: datetime | None = None
    waiting: int = 0  # windows planned but neither checked nor skipped, and windows to check again
    overdue: int = 0  # those of them that are due now
    oldest_due: datetime | None = None  # when the oldest of these became due
    skipped: int = 0


class MonitorStore:
    """Monitors and their definitions."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def names(self) -> list[str]:
        """Return the names of all monitors, sorted."""
        with self._database.read() as connection:
            return list(connection.execute(select(monitor.c.name).order_by(monitor.c.name)).scalars())

    def find(self, name: str) -> Definition | None:
        """Return a monitor's newest definition, the one used last; None if the store does not know the monitor."""
        with self._database.read() as connection:
            row = connection.execute(_newest_definition(name)).one_or_none()
        return None if row is None else Definition(row.id, row.monitor_id, row.digest)

    def document(self, name: str) -> dict[str, Any]:
        """Return the document of a monitor's newest definition.

        Raises
        ------
        StoreError
            If the store does not know the monitor.
        """
        with self._database.read() as connection:
            row = connection.execute(_newest_definition(name)).one_or_none()
        if row is None:
            known = ", ".join(self.names())
            remedy = f"it has: {known}" if known else "it is empty; `drift run` fills it"
            raise StoreError(f"the store has no monitor named {name!r}; {remedy}", code="unknown-monitor")
        document: dict[str, Any] = row.document
        return document

    def define(self, name: str, document: Mapping[str, Any], now: datetime) -> Definition:
        """Make a document the monitor's newest definition; write nothing if it already is."""
        digest = sha256(dict(document))
        newest = self.find(name)
        if newest is not None and newest.digest == digest:
            return newest
        with self._database.write() as connection:
            connection.execute(insert_new(connection, monitor), {"name": name, "created_at": now})
            monitor_id = connection.execute(select(monitor.c.id).where(monitor.c.name == name)).scalar_one()
            row = {"monitor_id": monitor_id, "digest": digest, "document": dict(document)}
            connection.execute(insert_new(connection, definition), row | {"created_at": now, "used_at": now})
            key = connection.execute(
                update(definition)
                .where(definition.c.monitor_id == monitor_id, definition.c.digest == digest)
                .values(used_at=now)
                .returning(definition.c.id)
            ).scalar_one()
            return Definition(key, monitor_id, digest)

    def alert_states(self, monitor_id: int) -> dict[Fingerprint, AlertState]:
        """Return the state of each of the monitor's alerts; an alert without one is `ok`."""
        with self._database.read() as connection:
            return {fingerprint: state for fingerprint, (_, state) in read_alerts(connection, monitor_id).items()}

    def statuses(self, now: datetime) -> list[MonitorStatus]:
        """Return the status of every monitor, by name, in time that does not grow with the windows stored."""
        verdicts: dict[int, Counter[str]] = {}
        with self._database.read() as connection:
            for row in connection.execute(select(tally).where(tally.c.windows != 0)):
                verdicts.setdefault(row.monitor_id, Counter())[row.verdict] = row.windows
            return [
                MonitorStatus(
                    monitor=row.name,
                    verdicts=verdicts.get(row.monitor_id, Counter()),
                    last=None if row.start_at is None else _last_window(row),
                    checked_until=row.end_at,
                    checked_at=row.counted_at,
                    waiting=row.waiting,
                    overdue=row.overdue,
                    oldest_due=row.oldest_due,
                    skipped=row.skipped,
                )
                for row in connection.execute(_statuses(now))
            ]


def _newest_definition(name: str) -> Select[Any]:
    return (
        select(definition)
        .join(monitor, monitor.c.id == definition.c.monitor_id)
        .where(monitor.c.name == name)
        .order_by(definition.c.used_at.desc(), definition.c.id.desc())
        .limit(1)
    )


def _statuses(now: datetime) -> Select[Any]:
    """Select each monitor with its newest checked window and its queue, by a few steps into indexes.

    By subqueries, not joins: SQLite would walk through all windows to join them to their monitors.
    """
    newest = (
        select(window.c.id)
        .where(window.c.monitor_id == monitor.c.id, window.c.revision > 0)
        .order_by(window.c.start_at.desc(), window.c.end_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    waiting, due = window.c.status.in_(["due", "claimed"]), window.c.due_at <= now
    each = select(
        monitor.c.id,
        monitor.c.name,
        newest.label("window_id"),
        _of_windows(func.count(), waiting).label("waiting"),
        _of_windows(func.count(), waiting, due).label("overdue"),
        _of_windows(func.min(window.c.due_at), waiting, due).label("oldest_due"),
        _of_windows(func.count(), window.c.status == "skipped").label("skipped"),
    ).subquery()
    return (
        select(
            each.c.id.label("monitor_id"),
            *(each.c[n] for n in ("name", "waiting", "overdue", "oldest_due", "skipped")),
            *(window.c[n] for n in ("start_at", "end_at", "last_error")),
            *(revision.c[n] for n in ("number", "verdict", "rows", "columns", "drifted", "message", "counted_at")),
        )
        .select_from(each)
        .outerjoin(window, window.c.id == each.c.window_id)
        .outerjoin(revision, and_(revision.c.window_id == window.c.id, revision.c.number == window.c.revision))
        .order_by(each.c.name)
    )


def _of_windows(value: Function[Any], *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """Return an aggregate over windows of the enclosing query's monitor."""
    return select(value).select_from(window).where(window.c.monitor_id == monitor.c.id, *conditions).scalar_subquery()


def _last_window(row: Any) -> dict[str, Any]:
    return {
        "window_start": format_instant(row.start_at),
        "window_end": format_instant(row.end_at),
        "revision": row.number,
        "verdict": row.verdict,
        "rows": row.rows,
        "columns": row.columns,
        "drifted": row.drifted,
        "message": row.last_error or row.message or "",
    }
