"""The store: is it there, at the newest schema, may it be written, whose clock does it have, is there room?"""

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

CLOCKS_APART: Final = timedelta(seconds=30)
"""Beyond that, this host plans windows noticeably too early or too late by the database's clock."""
SPARE: Final = 256 * 2**20
"""Bytes that must be free beside a SQLite store; as many as it has itself where that is more (a migration copies)."""


def check_store(config: "Config", now: Callable[[], datetime]) -> list[CheckResult]:
    """Everything about the configured store; `now` is this host's time."""
    from drift.store.engine import describe_url, make_engine, parse_url, sqlite_path
    from drift.store.migrate import check, current, head
    from drift.store.permissions import obstacle

    name, disk = "store", list[CheckResult]()
    try:
        url = parse_url(config.store)
        name, file = describe_url(url), sqlite_path(url)
        if file is not None and not os.path.exists(file):  # noqa: PTH110 - Path.exists raises where it may not look
            if amiss := obstacle(file):
                return [CheckResult("store", name, works=False, message=f"not there yet; {amiss}")]
            return [
                CheckResult("store", name, works=True, message="not there yet; `drift run` makes it"),
                _disk(name, file),
            ]
        disk = [] if file is None else [_disk(name, file)]
        problems = check(config.store)
        schema = {"schema": current(config.store), "newest": head()}
        told = "; ".join(problems) or f"schema {head()}"
        found = [CheckResult("store", name, works=not problems, message=told, details=schema)]
        engine = make_engine(url)
    except DriftError as error:
        return [CheckResult("store", name, works=False, message=str(error)), *disk]
    try:
        return found + ([] if problems else [_writes(name, engine)]) + _clock(url, name, engine, now) + disk
    finally:
        engine.dispose()


def _writes(name: str, engine: "Engine") -> CheckResult:
    """May this user write every table? Statements that touch no row ask that, and write nothing."""
    from drift.store.engine import transaction

    try:
        with transaction(engine, writes=True) as connection:
            _touch_no_row(connection)
    except DriftError as error:
        return CheckResult("writes", name, works=False, message=f"{error}; drift has to write here: grant it")
    return CheckResult("writes", name, works=True, message="may be written")


def _touch_no_row(connection: "Connection") -> None:
    from sqlalchemy import false, insert, select, update

    from drift.store.tables import metadata

    for table in metadata.sorted_tables:
        column = next(iter(table.columns))
        connection.execute(insert(table).from_select(list(table.columns), select(table).where(false())))
        connection.execute(update(table).values({column: column}).where(false()))


def _clock(url: "URL", name: str, engine: "Engine", now: Callable[[], datetime]) -> list[CheckResult]:
    """How far this host's clock is from the database server's; SQLite has none of its own."""
    if url.get_backend_name() == "sqlite":
        return []
    from sqlalchemy import text

    from drift.store.engine import transaction

    try:
        with transaction(engine, writes=False) as connection:
            connection.execute(text("SELECT 1"))  # connected: what follows is one round trip
            before = now()
            theirs = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            after = now()
    except DriftError as error:
        return [CheckResult("clock", name, works=False, message=str(error))]
    apart = theirs - (before + (after - before) / 2)
    works = abs(apart) <= CLOCKS_APART
    told = f"the database's clock is {apart.total_seconds():+.1f} s from this host's"
    message = told if works else f"{told}; set both by NTP"
    return [CheckResult("clock", name, works, message, {"apart_seconds": apart.total_seconds()})]


def _disk(name: str, file: Path) -> CheckResult:
    """Is there room beside a SQLite store?"""
    free = shutil.disk_usage(file.parent).free
    size = file.stat().st_size if file.exists() else 0
    needed = max(SPARE, size)
    told = f"{format_bytes(free)} free in {file.parent}, the store has {format_bytes(size)}"
    message = (
        told if free >= needed else f"{told}; {format_bytes(needed)} should be free: make room, or name another folder"
    )
    return CheckResult("disk", name, free >= needed, message, {"free_bytes": free, "store_bytes": size})
