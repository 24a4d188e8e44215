"""Checks of the monitors: their sources, windows that could not be evaluated, and firing alerts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from drift.cli.context import frozen_references, summarise_source
from drift.cli.doctor.check_result import CheckResult, format_bytes
from drift.cli.output import format_count
from drift.cli.run_summary import format_retries
from drift.errors import DriftError

if TYPE_CHECKING:
    from drift.config import Config
    from drift.monitors.spec import Monitor
    from drift.store import Store
    from drift.store.monitors import MonitorStatus
    from drift.store.references import StoredReference

ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)
BYTES_PER_COLUMN_WINDOW: Final = 650
"""Size of one column of one window in the store, the largest measured (docs/scale.md)."""


def check_monitor_sources(config: "Config", now: Callable[[], datetime]) -> list[CheckResult]:
    """Check the source and the reference of each valid monitor."""
    try:
        frozen = frozen_references(config)
    except DriftError:  # reported by the check of the store
        frozen = {}
    return [_check_source(monitor, frozen, now()) for monitor in config.monitors.values()]


def _check_source(monitor: "Monitor", frozen: "Mapping[str, StoredReference | None]", now: datetime) -> CheckResult:
    from drift.monitors.window import format_instant

    source = summarise_source(monitor, frozen)
    if source.problem or source.span is None:
        return CheckResult("monitor", monitor.name, works=False, message=source.problem, code=source.code)
    first, last = map(format_instant, source.span)
    age = now - source.span[1]
    retention, retention_details = _retention(monitor, source.watched or 0)
    columns = format_count(source.watched or 0, "column")
    message = f"{columns} watched, rows from {first} to {last}, {_age(age)}; {retention}"
    details = {
        "columns": source.watched, "rows_from": first, "rows_to": last, "newest_age_seconds": age.total_seconds(),
    }  # fmt: skip
    return CheckResult("monitor", monitor.name, works=True, message=message, details={**details, **retention_details})


def _retention(monitor: "Monitor", columns: int) -> tuple[str, dict[str, object]]:
    """Describe what `keep` means for the size of the store, by arithmetic alone: message and details."""
    from drift.monitors.window import format_duration

    if monitor.keep is not None:
        seconds = monitor.keep.total_seconds()
        return f"histograms and scores are kept for {format_duration(monitor.keep)}", {"keep_seconds": seconds}
    daily = columns * BYTES_PER_COLUMN_WINDOW * (timedelta(days=1) / monitor.period.length)
    per_segment = ", and by as much again for each segment" if monitor.segments else ""
    return (
        f"no `keep`: nothing is deleted, and the store grows by about {format_bytes(daily)} a day{per_segment}",
        {"keep_seconds": None, "bytes_a_day": round(daily)},
    )


def _age(age: timedelta) -> str:
    duration = _duration(abs(age))
    if age >= timedelta():
        return f"{duration} ago"
    return f"{duration} ahead of this host's clock: check the clock and the monitor's timezone"


def _duration(span: timedelta) -> str:
    hours, seconds = divmod(span.seconds, 3600)
    if span.days:
        return f"{span.days} d {hours} h" if hours else f"{span.days} d"
    return f"{hours} h {seconds // 60} min" if hours else f"{seconds // 60} min"


def check_windows(config: "Config") -> list[CheckResult]:
    """Check the stored windows and the alerts of each monitor."""
    from drift.store import Store

    try:
        with Store.open(config.store, create=False) as store:
            statuses = [status for status in store.monitors.statuses(store.now()) if status.monitor in config.monitors]
            return [
                check
                for status in statuses
                for check in (
                    _check_evaluated(store, status, config.monitors[status.monitor]),
                    *_firing_alerts(store, status.monitor),
                )
            ]
    except DriftError:  # reported by the check of the store
        return []


def _check_evaluated(store: "Store", status: "MonitorStatus", monitor: "Monitor") -> CheckResult:
    """Check that the newest window was evaluated, none waits for a retry, and the reference can be read."""
    from drift.runner.load_reference import abandoned_reference, crashing_reference

    now = store.now()
    abandoned = abandoned_reference(store, monitor, now)
    reference_problem = abandoned or crashing_reference(store, monitor, now)
    retries, errors = store.windows.retries(status.monitor, ALWAYS), status.verdicts["error"]
    message = f"{status.verdicts.total()} checked, {status.overdue} due"
    if reference_problem:
        message += f"; {reference_problem}"
    if retries:
        message += f"; {format_retries(status.monitor, retries)}"
    if final := errors - len(retries):
        message += (
            f"; {format_count(final, 'window')} stay in error and are not retried automatically (see `drift windows`): "
            "run `drift backfill --from ... --to ...`"
        )
    failed = (status.last or {}).get("verdict") == "error"
    return CheckResult(
        "windows",
        status.monitor,
        works=not (reference_problem or retries or failed),
        message=message,
        details={"checked": status.verdicts.total(), "due": status.overdue, "error": errors, "retries": len(retries)},
        code=(
            "reference-abandoned" if abandoned
            else "reference-crashing" if reference_problem
            else "retry-pending" if retries
            else "window-not-evaluated" if failed
            else None
        ),
    )  # fmt: skip


def _firing_alerts(store: "Store", monitor: str) -> list[CheckResult]:
    """Report firing alerts. They do not fail the check."""
    firing = len(store.queries.alerts(monitor=monitor, state="firing"))
    if not firing:
        return []
    message = f"{firing} firing; see `drift alerts list`"
    return [CheckResult("alerts", monitor, works=True, message=message, details={"firing": firing})]
