"""The monitors: what their sources hold, which windows could not be checked, what fires."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from drift.cli.context import frozen_references, summarise_source
from drift.cli.doctor.check_result import CheckResult, format_bytes
from drift.cli.run_summary import format_retries
from drift.errors import DriftError

if TYPE_CHECKING:
    from drift.config import Config
    from drift.monitors.spec import Monitor
    from drift.store import Store
    from drift.store.definitions import StoredReference
    from drift.store.monitor_status import MonitorStatus

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
COLUMN_WINDOW: Final = 650
"""Bytes that a column of a window takes in the store, at most of what was measured (docs/scale.md)."""


def check_monitor_sources(config: "Config", now: Callable[[], datetime]) -> list[CheckResult]:
    """The source of each monitor that can be used, and its reference."""
    frozen = _frozen(config)
    return [_monitor(one, frozen, now()) for one in config.monitors.values()]


def _frozen(config: "Config") -> "Mapping[str, StoredReference | None]":
    try:
        return frozen_references(config)
    except DriftError:  # the finding on the store has said it
        return {}


def _monitor(monitor: "Monitor", frozen: "Mapping[str, StoredReference | None]", now: datetime) -> CheckResult:
    from drift.monitors.window import format_instant

    found = summarise_source(monitor, frozen)
    if found.problem or found.span is None:
        return CheckResult("monitor", monitor.name, works=False, message=found.problem)
    first, last = map(format_instant, found.span)
    age = now - found.span[1]
    kept, grows = _kept(monitor, found.watched or 0)
    told = f"{found.watched} columns watched, rows from {first} to {last}, {_age(age)}; {kept}"
    details = {"columns": found.watched, "rows_from": first, "rows_to": last, "newest_age_seconds": age.total_seconds()}
    return CheckResult("monitor", monitor.name, works=True, message=told, details={**details, **grows})


def _kept(monitor: "Monitor", columns: int) -> tuple[str, dict[str, object]]:
    """What `keep` does to the store: for a person, and for a program. Arithmetic alone: nothing is read."""
    from drift.monitors.window import format_duration

    if monitor.keep is not None:
        seconds = monitor.keep.total_seconds()
        return f"histograms and scores are kept for {format_duration(monitor.keep)}", {"keep_seconds": seconds}
    daily = columns * COLUMN_WINDOW * (timedelta(days=1) / monitor.period.length)
    each = ", and for each segment as much again" if monitor.segments else ""
    return (
        f"no `keep`: nothing is dropped, and the store grows by some {format_bytes(daily)} a day{each}",
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


def check_windows(config: "Config") -> list[CheckResult]:
    """Windows of the monitors that could not be checked, and what fires, where there is a store to ask."""
    from drift.store import Store

    try:
        with Store.open(config.store, create=False) as store:
            stands = [one for one in store.standings(store.now()) if one.monitor in config.monitors]
            return [
                finding
                for one in stands
                for finding in (_unchecked(store, one, config.monitors[one.monitor]), *_firing(store, one.monitor))
            ]
    except DriftError:  # the finding on the store has said it
        return []


def _unchecked(store: "Store", stand: "MonitorStatus", monitor: "Monitor") -> CheckResult:
    """A monitor works where its newest window could be checked, none waits for another attempt, and its reference
    ends no processes.
    """
    from drift.runner.load_reference import abandoned_reference, crashing_reference

    now = store.now()
    refused = abandoned_reference(store, monitor, now) or crashing_reference(store, monitor, now)
    retries, errors = store.retries(stand.monitor, EVER), stand.verdicts["error"]
    told = f"{stand.verdicts.total()} checked, {stand.overdue} due"
    if refused:
        told += f"; {refused}"
    if retries:
        told += f"; {format_retries(stand.monitor, retries)}"
    if stands := errors - len(retries):
        told += f"; {stands} stay in error (`drift windows` names them): `drift backfill` checks them again"
    works = not (retries or refused) and (stand.last or {}).get("verdict") != "error"
    details = {"checked": stand.verdicts.total(), "due": stand.overdue, "error": errors, "retries": len(retries)}
    return CheckResult("windows", stand.monitor, works, told, details)


def _firing(store: "Store", monitor: str) -> list[CheckResult]:
    """What fires is no defect of drift, and is told all the same."""
    found = store.alerts(monitor=monitor, state="firing")
    if not found:
        return []
    told = f"{len(found)} firing; `drift alerts list` names them"
    return [CheckResult("alerts", monitor, works=True, message=told, details={"firing": len(found)})]
