"""What `drift doctor` looks at, each part by itself: one that fails hides no other. It writes and sends nothing."""

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drift.cli.context import frozen_references, look_at
from drift.cli.waiting import told_retries
from drift.errors import ConfigError, DriftError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from drift.config import ChannelSpec, Config
    from drift.monitor import Monitor
    from drift.store import Baseline, Store
    from drift.store.standing import Stand

LIBRARIES: Final = (
    "numpy",
    "scipy",
    "pyarrow",
    "narwhals",
    "pandas",
    "polars",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "apscheduler",
    "fastapi",
    "uvicorn",
    "pydantic",
    "altair",
    "vl-convert-python",
)
LATELY: Final = timedelta(days=7)
"""A message that was given up longer ago is told, and no reason any more to look for what does not work."""
PROBE: Final = 5.0  # seconds for each channel
CLOCKS_APART: Final = timedelta(seconds=30)
"""Beyond that, this host plans windows noticeably too early or too late by the database's clock."""
SPARE: Final = 256 * 2**20
"""Bytes that must be free beside a SQLite store; as many as it has itself where that is more (a migration copies)."""
EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
COLUMN_WINDOW: Final = 650
"""Bytes that a column of a window takes in the store, at most of what was measured (docs/scale.md)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, and whether it works.

    Parameters
    ----------
    part : str
        `configuration`, `store`, `writes`, `clock`, `disk`, `monitor`, `windows`, `alerts`, `channel` or `deliveries`.
    name : str
        Which one.
    works : bool
        Whether it does.
    message : str
        What was found, or what is wrong and what to do.
    details : mapping
        The same for a program: numbers, and times in ISO 8601.
    """

    part: str
    name: str
    works: bool
    message: str
    details: Mapping[str, object] = field(default_factory=dict)


def versions() -> dict[str, str | None]:
    """Versions of drift, Python and the libraries; None of those that are not installed."""
    from drift import __version__

    return {"drift": __version__, "python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def examine(path: Path, environ: Mapping[str, str], now: Callable[[], datetime]) -> list[Finding]:
    """Look at everything that a configuration names.

    Parameters
    ----------
    path : Path
        The configuration.
    environ : mapping of str to str
        Fills in its variables.
    now : callable
        This host's time.
    """
    from drift.config import load

    try:
        config = load(path, environ, strict=False)
    except ConfigError as error:
        return [Finding("configuration", str(path), works=False, message=str(error))]
    told = "; ".join([f"{len(config.monitors)} monitors, {len(config.channels)} channels", *config.warnings])
    found = [Finding("configuration", str(path), works=True, message=told), *_store(config, now)]
    found += [Finding("monitor", name, works=False, message=why) for name, why in config.broken.items()]
    frozen = _frozen(config)
    found += [_monitor(one, frozen, now()) for one in config.monitors.values()] + _windows(config)
    return found + [_channel(spec) for spec in config.channels.values()] + _deliveries(config, now())


def _frozen(config: "Config") -> "Mapping[str, Baseline | None]":
    try:
        return frozen_references(config)
    except DriftError:  # the finding on the store has said it
        return {}


def _store(config: "Config", now: Callable[[], datetime]) -> list[Finding]:
    from drift.store.engine import describe, make_engine, parse_url, sqlite_path
    from drift.store.migrate import check, current, head
    from drift.store.permissions import obstacle

    name, disk = "store", list[Finding]()
    try:
        url = parse_url(config.store)
        name, file = describe(url), sqlite_path(url)
        if file is not None and not os.path.exists(file):  # noqa: PTH110 - Path.exists raises where it may not look
            if amiss := obstacle(file):
                return [Finding("store", name, works=False, message=f"not there yet; {amiss}")]
            return [
                Finding("store", name, works=True, message="not there yet; `drift run` makes it"),
                _disk(name, file),
            ]
        disk = [] if file is None else [_disk(name, file)]
        problems = check(config.store)
        schema = {"schema": current(config.store), "newest": head()}
        told = "; ".join(problems) or f"schema {head()}"
        found = [Finding("store", name, works=not problems, message=told, details=schema)]
        engine = make_engine(url)
    except DriftError as error:
        return [Finding("store", name, works=False, message=str(error)), *disk]
    try:
        return found + ([] if problems else [_writes(name, engine)]) + _clock(url, name, engine, now) + disk
    finally:
        engine.dispose()


def _writes(name: str, engine: "Engine") -> Finding:
    """May this user write every table? Statements that touch no row ask that, and write nothing."""
    from drift.store.engine import transaction

    try:
        with transaction(engine, writes=True) as connection:
            _touch_no_row(connection)
    except DriftError as error:
        return Finding("writes", name, works=False, message=f"{error}; drift has to write here: grant it")
    return Finding("writes", name, works=True, message="may be written")


def _touch_no_row(connection: "Connection") -> None:
    from sqlalchemy import false, insert, select, update

    from drift.store.tables import metadata

    for table in metadata.sorted_tables:
        column = next(iter(table.columns))
        connection.execute(insert(table).from_select(list(table.columns), select(table).where(false())))
        connection.execute(update(table).values({column: column}).where(false()))


def _clock(url: "URL", name: str, engine: "Engine", now: Callable[[], datetime]) -> list[Finding]:
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
        return [Finding("clock", name, works=False, message=str(error))]
    apart = theirs - (before + (after - before) / 2)
    works = abs(apart) <= CLOCKS_APART
    told = f"the database's clock is {apart.total_seconds():+.1f} s from this host's"
    message = told if works else f"{told}; set both by NTP"
    return [Finding("clock", name, works, message, {"apart_seconds": apart.total_seconds()})]


def _disk(name: str, file: Path) -> Finding:
    """Is there room beside a SQLite store?"""
    free = shutil.disk_usage(file.parent).free
    size = file.stat().st_size if file.exists() else 0
    needed = max(SPARE, size)
    told = f"{_bytes(free)} free in {file.parent}, the store has {_bytes(size)}"
    message = told if free >= needed else f"{told}; {_bytes(needed)} should be free: make room, or name another folder"
    return Finding("disk", name, free >= needed, message, {"free_bytes": free, "store_bytes": size})


def _monitor(monitor: "Monitor", frozen: "Mapping[str, Baseline | None]", now: datetime) -> Finding:
    from drift.window import format_instant

    found = look_at(monitor, frozen)
    if found.problem or found.span is None:
        return Finding("monitor", monitor.name, works=False, message=found.problem)
    first, last = map(format_instant, found.span)
    age = now - found.span[1]
    kept, grows = _kept(monitor, found.watched or 0)
    told = f"{found.watched} columns watched, rows from {first} to {last}, {_age(age)}; {kept}"
    details = {"columns": found.watched, "rows_from": first, "rows_to": last, "newest_age_seconds": age.total_seconds()}
    return Finding("monitor", monitor.name, works=True, message=told, details={**details, **grows})


def _kept(monitor: "Monitor", columns: int) -> tuple[str, dict[str, object]]:
    """What `keep` does to the store: for a person, and for a program. Arithmetic alone: nothing is read."""
    from drift.window import format_duration

    if monitor.keep is not None:
        seconds = monitor.keep.total_seconds()
        return f"histograms and scores are kept for {format_duration(monitor.keep)}", {"keep_seconds": seconds}
    daily = columns * COLUMN_WINDOW * (timedelta(days=1) / monitor.period.length)
    each = ", and for each segment as much again" if monitor.segments else ""
    return (
        f"no `keep`: nothing is dropped, and the store grows by some {_bytes(daily)} a day{each}",
        {"keep_seconds": None, "bytes_a_day": round(daily)},
    )


def _age(age: timedelta) -> str:
    told = _duration(abs(age))
    return f"{told} ago" if age >= timedelta() else f"{told} ahead of this host's clock: check it, and the timezone"


def _duration(span: timedelta) -> str:
    hours, seconds = divmod(span.seconds, 3600)
    if span.days:
        return f"{span.days} d {hours} h" if hours else f"{span.days} d"
    return f"{hours} h {seconds // 60} min" if hours else f"{seconds // 60} min"


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def _windows(config: "Config") -> list[Finding]:
    """Windows of the monitors that could not be checked, and what fires, where there is a store to ask."""
    from drift.store import Store

    try:
        with Store.open(config.store, create=False) as store:
            stands = [one for one in store.standings(store.now()) if one.monitor in config.monitors]
            return [finding for one in stands for finding in (_unchecked(store, one), *_firing(store, one.monitor))]
    except DriftError:  # the finding on the store has said it
        return []


def _unchecked(store: "Store", stand: "Stand") -> Finding:
    """A monitor works where its newest window could be checked and none waits for another attempt."""
    retries, errors = store.retries(stand.monitor, EVER), stand.verdicts["error"]
    told = f"{stand.verdicts.total()} checked, {stand.overdue} due"
    if retries:
        told += f"; {told_retries(stand.monitor, retries)}"
    if stands := errors - len(retries):
        told += f"; {stands} stay in error (`drift windows` names them): `drift backfill` checks them again"
    works = not retries and (stand.last or {}).get("verdict") != "error"
    details = {"checked": stand.verdicts.total(), "due": stand.overdue, "error": errors, "retries": len(retries)}
    return Finding("windows", stand.monitor, works, told, details)


def _firing(store: "Store", monitor: str) -> list[Finding]:
    """What fires is no defect of drift, and is told all the same."""
    found = store.alerts(monitor=monitor, state="firing")
    if not found:
        return []
    told = f"{len(found)} firing; `drift alerts list` names them"
    return [Finding("alerts", monitor, works=True, message=told, details={"firing": len(found)})]


def _deliveries(config: "Config", now: datetime) -> list[Finding]:
    """What the outbox holds, where there is a store to ask. What was given up long ago is told, and fails nothing."""
    from drift.store import Store

    try:
        with Store.open(config.store, create=False) as store:
            held = store.delivery_counts()
            lately = store.given_up_since(now - LATELY)
    except DriftError:  # the finding on the store has said it
        return []
    pending, dead = held.get("pending", 0), held.get("dead", 0)
    told = f"{held.get('sent', 0)} messages delivered, {pending} still to be, {dead} given up"
    told += f" ({lately} of them in the last {LATELY.days} days)" if dead else ""
    told += "; once their channel takes them, `drift alerts resend` has them sent again" if dead else ""
    details = {"sent": held.get("sent", 0), "pending": pending, "dead": dead, "dead_lately": lately}
    return [Finding("deliveries", "outbox", works=not pending and not lately, message=told, details=details)]


def _channel(spec: "ChannelSpec") -> Finding:
    from drift.channels import open_channel

    try:
        told = open_channel(spec.name, spec.type, spec.options).probe(deadline=PROBE)
    except DriftError as error:
        return Finding("channel", spec.name, works=False, message=str(error))
    return Finding("channel", spec.name, works=True, message=f"{spec.type}: {told}")
