"""Current state of every monitor, read from the store once: for the page, the API and the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from drift.monitors.spec import Monitor
from drift.monitors.window import format_instant
from drift.store import MonitorStatus, Store


class MonitorHealth(Protocol):
    """Results of the newest checks; `drift.server.HealthSnapshot` is one."""

    @property
    def succeeded(self) -> Mapping[str, datetime]:
        """By monitor, when all its due windows were last checked successfully."""

    @property
    def failed(self) -> Mapping[str, str]:
        """By monitor, why the newest check failed."""


class SchedulerStatus(Protocol):
    """State of the scheduler; `drift.server.Scheduler` is one."""

    @property
    def health(self) -> MonitorHealth:
        """Current health."""

    def age(self) -> timedelta | None:
        """Return the time since the last heartbeat; None before the first."""

    def not_ready_reason(self) -> str:
        """Return why the service is not ready, without internal details, or an empty string."""


@dataclass(slots=True)
class MonitorOverview:
    """Current state of one monitor."""

    name: str
    monitor: Monitor | None = None  # None if its configuration cannot be used, or if only the store knows it
    configured: bool = False  # if the configuration does not name it, it was renamed or removed, and cannot fail
    stored: bool = False  # whether the store knows it
    problem: str = ""  # why it is not checked; empty if it is
    succeeded: datetime | None = None  # when this process last checked all its due windows successfully
    firing: list[Mapping[str, Any]] = field(default_factory=list)  # alerts, as `StoreQueries.alerts` has them
    status: MonitorStatus = field(default_factory=lambda: MonitorStatus(""))  # windows by verdict, newest, pending

    @property
    def last(self) -> Mapping[str, Any] | None:
        """The newest checked window, in the form of `StoreQueries.windows`."""
        return self.status.last

    def to_dict(self) -> dict[str, Any]:
        """Return a row of `/api/v1/monitors`."""
        last = self.last or {}
        return {
            "monitor": self.name,
            "configured": self.configured,
            "window": None if self.monitor is None else str(self.monitor.period),
            "timezone": None if self.monitor is None else str(self.monitor.timezone),
            **{key: last.get(key) for key in LAST_WINDOW_KEYS},
            "firing": len(self.firing),
            "waiting": self.status.waiting,
            "skipped": self.status.skipped,
            "last_success": None if self.succeeded is None else format_instant(self.succeeded),
            "problem": self.problem,
        }


LAST_WINDOW_KEYS = ("window_start", "window_end", "revision", "verdict", "rows", "columns", "drifted", "message")


def monitor_overviews(
    store: Store, monitors: Mapping[str, Monitor], broken: Mapping[str, str], health: MonitorHealth, now: datetime
) -> list[MonitorOverview]:
    """Return every monitor that is configured or stored, by name.

    `monitors` are those that are checked; `broken` are those configured that cannot be used, and why.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    stored = {status.monitor: status for status in store.monitors.statuses(now)}
    overviews = {name: MonitorOverview(name) for name in sorted({*monitors, *broken, *stored})}
    for name, overview in overviews.items():
        overview.stored = name in stored
        overview.status = stored.get(name, overview.status)
        overview.monitor = monitors.get(name)
        overview.configured = name in monitors or name in broken
        overview.succeeded = health.succeeded.get(name)
        overview.problem = broken.get(name) or health.failed.get(name, "")
    for row in store.queries.alerts(state="firing"):
        overviews.setdefault(row["monitor"], MonitorOverview(row["monitor"])).firing.append(row)
    return list(overviews.values())
