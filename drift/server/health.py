"""Health of the service: its ticks and its monitors, for the log, the readiness probe and the page."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from drift.errors import StoreError
from drift.server.watchdog import Watchdog

MAX_MISSED_TICKS: Final = 3  # tick intervals without a heartbeat after which the service is not ready

log = logging.getLogger("drift.server")


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """Health of the service at one instant."""

    started: datetime | None = None  # when the newest tick started
    finished: datetime | None = None  # when a tick last succeeded
    delivered: datetime | None = None  # when the outbox was last processed; a long tick does so every few seconds
    alive: datetime | None = None  # the last heartbeat: a tick started, ended, or polled its batches
    fault: str = ""  # why the newest completed tick failed; empty if it succeeded, or if the running one makes progress
    succeeded: Mapping[str, datetime] = field(default_factory=dict)  # by monitor, the last check of all due windows
    failed: Mapping[str, str] = field(default_factory=dict)  # by monitor, why the newest check failed


class Health:
    """Current health. Only the ticking thread changes it; any thread may read it.

    `now` is the time shared by all replicas, and may raise `StoreError`; `clock` is the host's time, for heartbeats,
    and available without the store. `interval` is the number of seconds between ticks.
    """

    def __init__(
        self, now: Callable[[], datetime], clock: Callable[[], datetime], interval: float, watchdog: Watchdog | None
    ) -> None:
        self._now, self._clock, self._interval, self._watchdog = now, clock, interval, watchdog
        self.snapshot = HealthSnapshot()

    def beat(self, **changes: Any) -> None:
        """Record a heartbeat, and changes of the snapshot."""
        if self._watchdog is not None:
            self._watchdog.beat()
        self.snapshot = replace(self.snapshot, alive=self._clock(), **changes)

    def record_monitor(self, name: str, problem: str, code: str = "") -> None:
        """Record the result of checking a monitor; log a problem when it starts and when it ends, not at every tick."""
        before = self.snapshot.failed.get(name, "")
        others = {other: reason for other, reason in self.snapshot.failed.items() if other != name}
        if problem:
            if problem != before:
                log.error("monitor %s: %s", name, problem, extra={"code": code, "fields": {"monitor": name}})
            self.beat(failed={**others, name: problem})
            return
        if before:
            log.info("monitor %s is checked again", name, extra={"fields": {"monitor": name}})
        self.beat(failed=others, succeeded={**self.snapshot.succeeded, name: self._shared_now()})

    def _shared_now(self) -> datetime:
        """Return the store's time: the clock of heartbeats omits the time that the host was suspended."""
        try:
            return self._now()
        except StoreError:  # lost just now: the host's time is close enough, and no reason to end the tick
            return self._clock()

    def record_defect(self, error: BaseException) -> None:
        """Record a defect that ended a tick; APScheduler logged its traceback, and the next tick comes."""
        kind = type(error).__name__
        message = "a tick ended because of a defect in drift (%s, traceback above); the next tick continues"
        log.error(message, kind, extra={"code": "internal-error"})
        self.snapshot = replace(self.snapshot, fault=f"a defect in drift: {kind}")

    def age(self) -> timedelta | None:
        """Return the time since the last heartbeat; None before the first."""
        return None if self.snapshot.alive is None else self._clock() - self.snapshot.alive

    def not_ready_reason(self) -> str:
        """Return why the service is not ready, without internal details, or an empty string."""
        snapshot, age = self.snapshot, self.age()
        if snapshot.started is None or age is None:
            return "no tick has started yet"
        if age.total_seconds() >= MAX_MISSED_TICKS * self._interval:
            return f"no heartbeat for {age.total_seconds():.0f} s; ticks are due every {self._interval:g} s"
        if snapshot.fault:
            return "the newest tick failed; see the log"
        # The service is ready before the first tick ends: catching up may take hours.
        return "" if snapshot.delivered else "the first tick is still running"
