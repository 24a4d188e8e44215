"""Checks of the store: schema, write permission, clock, and free disk space."""

import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drift.cli.doctor.check_result import CheckResult, format_bytes
from drift.errors import DriftError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from drift.config import Config

MAX_CLOCK_DIFFERENCE: Final = timedelta(seconds=30)
"""With a larger difference, this host plans windows noticeably too early or too late."""
MIN_FREE_BYTES: Final = 256 * 2**20
"""Free space needed beside a SQLite store, or the size of the store if that is more (a migration copies it)."""


def check_store(config: "Config", now: Callable[[], datetime]) -> list[CheckResult]:
    """Check the configured store; `now` returns this host's time."""
    from drift.store.engine import describe_url, make_engine, parse_url, sqlite_path

    name, disk = "store", list[CheckResult]()
    try:
        url = parse_url(config.store)
        name, file = describe_url(url), sqlite_path(url)
        if file is not None and not os.path.exists(file):  # noqa: PTH110 - Path.exists raises without search permission
            return _check_missing(name, file)
        disk = [] if file is None else [_check_disk(name, file)]
        schema = _check_schema(name, config.store)
        engine = make_engine(url)
    except DriftError as error:
        return [CheckResult("store", name, works=False, message=str(error), code=error.code), *disk]
    try:
        writes = [_check_writes(name, engine)] if schema.works else []
        return [schema, *writes, *_check_clock(url, name, engine, now), *disk]
    finally:
        engine.dispose()


def _check_missing(name: str, file: Path) -> list[CheckResult]:
    from drift.store.permissions import obstacle

    if problem := obstacle(file):
        message = f"does not exist yet; {problem}"
        return [CheckResult("store", name, works=False, message=message, code="store-unreachable")]
    return [
        CheckResult("store", name, works=True, message="does not exist yet; `drift run` creates it"),
        _check_disk(name, file),
    ]


def _check_schema(name: str, url: str) -> CheckResult:
    from drift.store.migrate import check, head, stored_revision
    from drift.store.schema import REVISIONS

    problems, schema = check(url), stored_revision(url)
    details = {"schema": schema, "newest": head()}
    if not problems:
        return CheckResult("store", name, works=True, message=f"schema {head()}", details=details)
    behind = schema is None or (schema in REVISIONS and schema != head())
    code = "store-not-migrated" if behind else "store-newer" if schema != head() else "store-changed"
    return CheckResult("store", name, works=False, message="; ".join(problems), details=details, code=code)


def _check_writes(name: str, engine: "Engine") -> CheckResult:
    """Check write permission on every table with statements that touch no row."""
    from drift.store.engine import transaction

    try:
        with transaction(engine, writes=True) as connection:
            _touch_no_row(connection)
    except DriftError as error:
        message = f"{error}; grant drift permission to write"
        return CheckResult("writes", name, works=False, message=message, code=error.code)
    return CheckResult("writes", name, works=True, message="writable")


def _touch_no_row(connection: "Connection") -> None:
    from sqlalchemy import false, insert, select, update

    from drift.store.tables import metadata

    for table in metadata.sorted_tables:
        column = next(iter(table.columns))
        connection.execute(insert(table).from_select(list(table.columns), select(table).where(false())))
        connection.execute(update(table).values({column: column}).where(false()))


def _check_clock(url: "URL", name: str, engine: "Engine", now: Callable[[], datetime]) -> list[CheckResult]:
    """Compare this host's clock with the database server's; SQLite has none."""
    if url.get_backend_name() == "sqlite":
        return []
    from sqlalchemy import text

    from drift.store.engine import transaction

    try:
        with transaction(engine, writes=False) as connection:
            connection.execute(text("SELECT 1"))  # connect first, so that the next statement is one round trip
            before = now()
            server_time = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            after = now()
    except DriftError as error:
        return [CheckResult("clock", name, works=False, message=str(error), code=error.code)]
    difference = server_time - (before + (after - before) / 2)
    message = f"the database's clock is {difference.total_seconds():+.1f} s from this host's"
    details = {"apart_seconds": difference.total_seconds()}
    if abs(difference) <= MAX_CLOCK_DIFFERENCE:
        return [CheckResult("clock", name, works=True, message=message, details=details)]
    message += "; synchronise both with NTP"
    return [CheckResult("clock", name, works=False, message=message, details=details, code="clock-skew")]


def _check_disk(name: str, file: Path) -> CheckResult:
    """Check the free space beside a SQLite store."""
    free = shutil.disk_usage(file.parent).free
    size = file.stat().st_size if file.exists() else 0
    needed = max(MIN_FREE_BYTES, size)
    message = f"{format_bytes(free)} free in {file.parent}, the store has {format_bytes(size)}"
    details = {"free_bytes": free, "store_bytes": size}
    if free >= needed:
        return CheckResult("disk", name, works=True, message=message, details=details)
    message += f"; at least {format_bytes(needed)} should be free: free some space, or move the store"
    return CheckResult("disk", name, works=False, message=message, details=details, code="disk-full")
