"""How every monitor stands, read from the store once: for the page, the API and the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from drift.monitors.spec import Monitor
from drift.monitors.window import format_instant
from drift.store import MonitorStatus, Store


class SchedulerHealth(Protocol):
    """What the monitors did last; `drift.server.HealthSnapshot` is one."""

    @property
    def succeeded(self) -> Mapping[str, datetime]:
        """By monitor, when all its due windows could last be checked."""
        ...

    @property
    def failed(self) -> Mapping[str, str]:
        """By monitor, why it could not be, when last tried."""
        ...


class SchedulerStatus(Protocol):
    """What ticks behind the page; `drift.server.Scheduler` is one."""

    @property
    def pulse(self) -> SchedulerHealth:
        """How it does."""
        ...

    def age(self) -> timedelta | None:
        """Time since its last sign of life; None before the first."""
        ...

    def trouble(self) -> str:
        """Why it is not to be relied on, in words for anybody; empty where it is."""
        ...


@dataclass(slots=True)
class MonitorOverview:
    """How one monitor stands.

    Parameters
    ----------
    name : str
        Its name.
    monitor : Monitor or None
        As configured; None where its configuration cannot be used, or only the store still knows it.
    configured : bool
        Whether the configuration names it. One that it does not was renamed or removed, and fails at nothing.
    stored : bool
        Whether the store knows it.
    problem : str
        Why it is not checked; empty where it is.
    succeeded : datetime or None
        When all its due windows could last be checked, by this process.
    firing : list of mapping
        Its alerts that fire, as `Store.alerts` gives them.
    stand : Stand
        What the store tells of it: windows by verdict, the newest one, what waits.
    """

    name: str
    monitor: Monitor | None = None
    configured: bool = False
    stored: bool = False
    problem: str = ""
    succeeded: datetime | None = None
    firing: list[Mapping[str, Any]] = field(default_factory=list)
    stand: MonitorStatus = field(default_factory=lambda: MonitorStatus(""))

    @property
    def last(self) -> Mapping[str, Any] | None:
        """The newest checked window, as `Store.windows` gives it."""
        return self.stand.last

    def to_dict(self) -> dict[str, Any]:
        """A row of `/api/v1/monitors`."""
        last = self.last or {}
        return {
            "monitor": self.name,
            "configured": self.configured,
            "window": None if self.monitor is None else str(self.monitor.period),
            "timezone": None if self.monitor is None else str(self.monitor.timezone),
            **{key: last.get(key) for key in LAST},
            "firing": len(self.firing),
            "waiting": self.stand.waiting,
            "skipped": self.stand.skipped,
            "last_success": None if self.succeeded is None else format_instant(self.succeeded),
            "problem": self.problem,
        }


LAST = ("window_start", "window_end", "revision", "verdict", "rows", "columns", "drifted", "message")


def monitor_overviews(
    store: Store, monitors: Mapping[str, Monitor], broken: Mapping[str, str], pulse: SchedulerHealth, now: datetime
) -> list[MonitorOverview]:
    """Every monitor that is configured, or that the store knows, by name.

    Parameters
    ----------
    store : Store
        Where it is read.
    monitors : mapping of str to Monitor
        Those that are checked.
    broken : mapping of str to str
        Those whose configuration cannot be used, and why.
    pulse : Pulse
        What they did last.
    now : datetime
        The time, with a time zone.

    Raises
    ------
    StoreError
        Where the store cannot be read.
    """
    stored = {one.monitor: one for one in store.standings(now)}
    found = {name: MonitorOverview(name) for name in sorted({*monitors, *broken, *stored})}
    for name, one in found.items():
        one.stored = name in stored
        one.stand = stored.get(name, one.stand)
        one.monitor = monitors.get(name)
        one.configured = name in monitors or name in broken
        one.succeeded = pulse.succeeded.get(name)
        one.problem = broken.get(name) or pulse.failed.get(name, "")
    for row in store.alerts(state="firing"):
        found.setdefault(row["monitor"], MonitorOverview(row["monitor"])).firing.append(row)
    return list(found.values())
