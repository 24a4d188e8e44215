"""Monitors, their definitions and their frozen references: each known by the digest of its content."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from drift.histogram import History, Profile
from drift.monitors.window import Window
from drift.store.dimension_keys import AxisCache, insert_new, sha256
from drift.store.profiles import read_profiles, write_profiles
from drift.store.reference_windows import read_histories, read_windows, write_histories
from drift.store.tables import baseline, definition, monitor


@dataclass(frozen=True, slots=True)
class Definition:
    """A monitor as it was configured at some time.

    Parameters
    ----------
    id : int
        Of the definition.
    monitor_id : int
        Of the monitor.
    digest : str
        SHA-256 of the document as canonical JSON.
    """

    id: int
    monitor_id: int
    digest: str


@dataclass(frozen=True, slots=True)
class NewReference:
    """A reference that is not kept yet; its parts are those of `StoredReference`."""

    profiles: Mapping[str, Profile]
    note: Mapping[str, Any]
    windows: tuple[Window, ...] = ()
    histories: Mapping[str, Mapping[str, History]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredReference:
    """A frozen reference.

    Parameters
    ----------
    id : int
        Its key.
    profiles : mapping of str to Profile
        By segment; "" is all rows.
    note : mapping
        How it came about.
    created_at : datetime
        When it was frozen.
    windows : tuple of Window
        The windows that it was counted by, besides as a whole, in the order of time; not all of it need lie in
        one. Empty where it has no windows.
    histories : mapping of str to mapping of str to History
        The counts of those windows by segment, then column. A column that could not be counted in each has none.
    """

    id: int
    profiles: Mapping[str, Profile]
    note: Mapping[str, Any]
    created_at: datetime
    windows: tuple[Window, ...] = ()
    histories: Mapping[str, Mapping[str, History]] = field(default_factory=dict)


def newest_definition(connection: Connection, name: str) -> Definition | None:
    """The definition that was used last."""
    row = connection.execute(
        select(definition)
        .join(monitor, monitor.c.id == definition.c.monitor_id)
        .where(monitor.c.name == name)
        .order_by(definition.c.used_at.desc(), definition.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Definition(row.id, row.monitor_id, row.digest)


def define(connection: Connection, name: str, document: Mapping[str, Any], now: datetime) -> Definition:
    """Insert what is new of monitor and definition; the definition becomes the newest."""
    connection.execute(insert_new(connection, monitor), {"name": name, "created_at": now})
    monitor_id = connection.execute(select(monitor.c.id).where(monitor.c.name == name)).scalar_one()
    digest = sha256(dict(document))
    row = {"monitor_id": monitor_id, "digest": digest, "document": dict(document), "created_at": now, "used_at": now}
    connection.execute(insert_new(connection, definition), row)
    key = connection.execute(
        update(definition)
        .where(definition.c.monitor_id == monitor_id, definition.c.digest == digest)
        .values(used_at=now)
        .returning(definition.c.id)
    ).scalar_one()
    return Definition(key, monitor_id, digest)


def newest_baseline(connection: Connection, book: AxisCache, monitor_id: int, digest: str) -> StoredReference | None:
    """The reference of a digest: what was accepted in its place last, else what was frozen first."""
    row = connection.execute(
        select(baseline)
        .where(baseline.c.monitor_id == monitor_id, or_(baseline.c.digest == digest, _accepted(digest)))
        .order_by(baseline.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _baseline(connection, book, row)


def baselines(connection: Connection, book: AxisCache, monitor_id: int) -> list[StoredReference]:
    """Every reference that the monitor ever had, the newest first."""
    rows = connection.execute(
        select(baseline).where(baseline.c.monitor_id == monitor_id).order_by(baseline.c.id.desc())
    ).all()
    return [_baseline(connection, book, row) for row in rows]


def _baseline(connection: Connection, book: AxisCache, row: Any) -> StoredReference:
    profiles = read_profiles(connection, book, "baseline_id", row.id)
    windows = read_windows(connection, row.id)
    histories = read_histories(connection, book, row.id, len(windows))
    return StoredReference(row.id, profiles, row.note, row.created_at, windows, histories)


def _accepted(digest: str) -> ColumnElement[bool]:
    """What was accepted in the place of a reference has its digest, a slash, and the how manieth it is."""
    return baseline.c.digest.startswith(f"{digest}/", autoescape=True)


def freeze(
    connection: Connection, book: AxisCache, monitor_id: int, digest: str, draft: NewReference, now: datetime
) -> StoredReference:
    """Write a reference, unless one of this digest stands already; gives the one that stands."""
    _write(connection, book, monitor_id, digest, draft, now)
    stands = newest_baseline(connection, book, monitor_id, digest)
    assert stands is not None  # noqa: S101 - for the type checker; it was inserted, now or before
    return stands


def accept(
    connection: Connection, book: AxisCache, monitor_id: int, digest: str, draft: NewReference, now: datetime
) -> StoredReference:
    """Write a reference in the place of the one of this digest, which remains."""
    # One at a time (SQLite has one writer anyway): the second of two at once gets the next number.
    connection.execute(select(monitor.c.id).where(monitor.c.id == monitor_id).with_for_update(key_share=True))
    query = select(func.count()).where(baseline.c.monitor_id == monitor_id, _accepted(digest))
    number = connection.execute(query).scalar_one() + 1
    return freeze(connection, book, monitor_id, f"{digest}/{number}", draft, now)


def _write(
    connection: Connection, book: AxisCache, monitor_id: int, digest: str, draft: NewReference, now: datetime
) -> None:
    row = {"monitor_id": monitor_id, "digest": digest, "note": dict(draft.note), "created_at": now}
    made = connection.execute(insert_new(connection, baseline).returning(baseline.c.id), row).scalar_one_or_none()
    if made is not None:
        write_profiles(connection, book, monitor_id, "baseline_id", made, draft.profiles)
        write_histories(connection, book, monitor_id, made, draft.windows, draft.histories)
