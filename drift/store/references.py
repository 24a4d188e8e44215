"""Frozen references, known by the digest of what decides them, and the attempts to read them.

Each attempt to read a reference is a row, deleted when the attempt ends. Rows that remain belong to processes that
died. Rows, not a counter: a process that was paused past its lease deletes its own row and no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from drift.histogram import History, Profile
from drift.monitors.window import Window
from drift.store.database import StoreDatabase
from drift.store.dimension_keys import AxisCache, insert_new
from drift.store.engine import CommitUnknown
from drift.store.leases import MAX_LEASE, is_expired
from drift.store.profiles import read_profiles, write_profiles
from drift.store.reference_windows import read_histories, read_windows, write_histories
from drift.store.tables import baseline, monitor, reference_attempt


@dataclass(frozen=True, slots=True)
class NewReference:
    """A reference to store; its fields are those of `StoredReference`."""

    profiles: Mapping[str, Profile]
    note: Mapping[str, Any]
    windows: tuple[Window, ...] = ()
    histories: Mapping[str, Mapping[str, History]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredReference:
    """A frozen reference."""

    id: int
    profiles: Mapping[str, Profile]  # by segment; "" is all rows
    note: Mapping[str, Any]  # how it was made
    created_at: datetime
    # Windows that it was also counted by, in the order of time; rows may lie outside of all. Empty for a reference
    # without windows.
    windows: tuple[Window, ...] = ()
    # Counts of those windows by segment, then column. A column that could not be counted in each has none.
    histories: Mapping[str, Mapping[str, History]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt of a worker (`owner`) to read a reference that has not ended as far as the store knows.

    `digest` is that of what decides the reference. From `until`, the end of its lease, the attempt counts as lost.
    """

    id: int
    monitor: str
    digest: str
    owner: str
    begun_at: datetime
    until: datetime

    def is_leased(self, now: datetime) -> bool:
        """Return whether its worker is still considered alive."""
        return now < self.until <= now + MAX_LEASE


class ReferenceStore:
    """Frozen references, and the attempts to read them."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def find(self, monitor_id: int, digest: str) -> StoredReference | None:
        """Return the reference of a digest, or the last one accepted in its place; None if there is none."""
        with self._database.read() as connection:
            return _newest(connection, self._database.axes, monitor_id, digest)

    def all(self, monitor_id: int) -> list[StoredReference]:
        """Return every reference that the monitor ever had, newest first."""
        query = select(baseline).where(baseline.c.monitor_id == monitor_id).order_by(baseline.c.id.desc())
        with self._database.read() as connection:
            return [_read(connection, self._database.axes, row) for row in connection.execute(query).all()]

    def freeze(self, monitor_id: int, digest: str, new: NewReference, now: datetime) -> StoredReference:
        """Store a reference for good; if another process has frozen this digest, return that one."""
        with self._database.write() as connection:
            _forget(connection, monitor_id, now)
            return _freeze(connection, self._database.axes, monitor_id, digest, new, now)

    def accept(self, monitor_id: int, digest: str, new: NewReference, now: datetime) -> StoredReference:
        """Store a reference that replaces the one of this digest; that one is kept."""
        accepted = select(func.count()).where(baseline.c.monitor_id == monitor_id, _is_accepted(digest))
        with self._database.write() as connection:
            _forget(connection, monitor_id, now)
            # One at a time (SQLite has one writer anyway): of two processes the second gets the next number.
            connection.execute(select(monitor.c.id).where(monitor.c.id == monitor_id).with_for_update(key_share=True))
            number = connection.execute(accepted).scalar_one() + 1
            return _freeze(connection, self._database.axes, monitor_id, f"{digest}/{number}", new, now)

    # Attempts to read a reference

    def attempts(self, name: str | None = None) -> list[Attempt]:
        """Return attempts that have not ended, of one monitor or of all, oldest first."""
        with self._database.read() as connection:
            return _attempts(connection, name)

    def begin_attempt(
        self, monitor_id: int, digest: str, owner: str, now: datetime, lease: timedelta
    ) -> Attempt | None:
        """Record an attempt to read a reference before it is made; None if another worker is reading it."""
        try:
            with self._database.write() as connection:
                return _begin(connection, monitor_id, digest, owner, now, lease)
        except CommitUnknown:
            for attempt in self.attempts():
                if (attempt.owner, attempt.digest, attempt.begun_at) == (owner, digest, now):
                    return attempt
            raise

    def renew_attempt(self, attempt: Attempt, until: datetime) -> bool:
        """Extend an attempt's lease; False if the attempt has ended or was forgotten."""
        renewed = update(reference_attempt).where(*_is_attempt(attempt)).values(lease_until=until)
        with self._database.write() as connection:
            return connection.execute(renewed).rowcount == 1

    def end_attempt(self, attempt: Attempt) -> None:
        """End an attempt, successful or not: it does not count as lost."""
        with self._database.write() as connection:
            connection.execute(delete(reference_attempt).where(*_is_attempt(attempt)))

    def expire_attempt(self, attempt: Attempt, now: datetime) -> None:
        """End the lease of a dead worker: the attempt counts as lost."""
        same = reference_attempt.c.id == attempt.id, reference_attempt.c.lease_until == attempt.until
        with self._database.write() as connection:
            connection.execute(update(reference_attempt).where(*same).values(lease_until=now))

    def forget_attempts(self, monitor_id: int, now: datetime) -> int:
        """Delete the monitor's lost attempts; return their number."""
        with self._database.write() as connection:
            return _forget(connection, monitor_id, now)


def _newest(connection: Connection, cache: AxisCache, monitor_id: int, digest: str) -> StoredReference | None:
    row = connection.execute(
        select(baseline)
        .where(baseline.c.monitor_id == monitor_id, or_(baseline.c.digest == digest, _is_accepted(digest)))
        .order_by(baseline.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _read(connection, cache, row)


def _is_accepted(digest: str) -> ColumnElement[bool]:
    """Return the condition of a reference accepted in place of another: that one's digest, a slash, and a number."""
    return baseline.c.digest.startswith(f"{digest}/", autoescape=True)


def _read(connection: Connection, cache: AxisCache, row: Any) -> StoredReference:
    profiles = read_profiles(connection, cache, "baseline_id", row.id)
    windows = read_windows(connection, row.id)
    histories = read_histories(connection, cache, row.id, len(windows))
    return StoredReference(row.id, profiles, row.note, row.created_at, windows, histories)


def _freeze(
    connection: Connection, cache: AxisCache, monitor_id: int, digest: str, new: NewReference, now: datetime
) -> StoredReference:
    row = {"monitor_id": monitor_id, "digest": digest, "note": dict(new.note), "created_at": now}
    key = connection.execute(insert_new(connection, baseline).returning(baseline.c.id), row).scalar_one_or_none()
    if key is not None:
        write_profiles(connection, cache, monitor_id, "baseline_id", key, new.profiles)
        write_histories(connection, cache, monitor_id, key, new.windows, new.histories)
    stored = _newest(connection, cache, monitor_id, digest)
    assert stored is not None  # noqa: S101 - for the type checker; it was inserted, now or before
    return stored


def _attempts(connection: Connection, name: str | None = None) -> list[Attempt]:
    query = select(reference_attempt, monitor.c.name).join(monitor, monitor.c.id == reference_attempt.c.monitor_id)
    if name is not None:
        query = query.where(monitor.c.name == name)
    return [
        Attempt(row.id, row.name, row.digest, row.owner, row.begun_at, row.lease_until)
        for row in connection.execute(query.order_by(reference_attempt.c.id))
    ]


def _begin(
    connection: Connection, monitor_id: int, digest: str, owner: str, now: datetime, lease: timedelta
) -> Attempt | None:
    # One at a time (SQLite has one writer anyway): of two processes the second sees what the first has written.
    lock = select(monitor.c.name).where(monitor.c.id == monitor_id).with_for_update(key_share=True)
    name = connection.execute(lock).scalar_one()
    if any(attempt.digest == digest and attempt.is_leased(now) for attempt in _attempts(connection, name)):
        return None
    row = {"monitor_id": monitor_id, "digest": digest, "owner": owner, "begun_at": now, "lease_until": now + lease}
    key = connection.execute(insert(reference_attempt).returning(reference_attempt.c.id), row).scalar_one()
    return Attempt(key, name, digest, owner, now, now + lease)


def _is_attempt(attempt: Attempt) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of an attempt and no later one: SQLite reuses the key of a deleted row."""
    columns = reference_attempt.c
    return columns.id == attempt.id, columns.owner == attempt.owner, columns.begun_at == attempt.begun_at


def _forget(connection: Connection, monitor_id: int, now: datetime) -> int:
    lost = reference_attempt.c.monitor_id == monitor_id, is_expired(reference_attempt.c.lease_until, now)
    return connection.execute(delete(reference_attempt).where(*lost)).rowcount
