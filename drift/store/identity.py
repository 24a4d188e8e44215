"""Monitors, their definitions and their frozen references: each known by the digest of its content."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from drift.histogram import Profile
from drift.store.interning import AxisBook, insert_new, sha256
from drift.store.profiles import read_profiles, write_profiles
from drift.store.records import Baseline, Definition
from drift.store.tables import baseline, definition, monitor


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


def read_baseline(connection: Connection, book: AxisBook, monitor_id: int, digest: str) -> Baseline | None:
    """The frozen reference of a digest."""
    row = connection.execute(
        select(baseline).where(baseline.c.monitor_id == monitor_id, baseline.c.digest == digest)
    ).one_or_none()
    if row is None:
        return None
    return Baseline(row.id, read_profiles(connection, book, "baseline_id", row.id), row.note, row.created_at)


def freeze(
    connection: Connection,
    book: AxisBook,
    monitor_id: int,
    digest: str,
    profiles: Mapping[str, Profile],
    note: Mapping[str, Any],
    now: datetime,
) -> Baseline:
    """Write a reference, unless one of this digest stands already; gives the one that stands."""
    row = {"monitor_id": monitor_id, "digest": digest, "note": dict(note), "created_at": now}
    made = connection.execute(insert_new(connection, baseline).returning(baseline.c.id), row).scalar_one_or_none()
    if made is not None:
        write_profiles(connection, book, monitor_id, "baseline_id", made, profiles)
    stands = read_baseline(connection, book, monitor_id, digest)
    assert stands is not None  # noqa: S101 - for the type checker; it was inserted, now or before
    return stands
