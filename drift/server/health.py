"""How the service does: its ticks, and each monitor; what it logs of that, and what others are told."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from drift.errors import StoreError
from drift.server.watchdog import Watchdog

MAX_SILENCE_SECONDS: Final = 3  # ticks without a sign of life until the service is no longer ready

log = logging.getLogger("drift.server")


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """How the service does, at one moment.

    Parameters
    ----------
    started : datetime or None
        When the newest tick began.
    finished : datetime or None
        When a tick last went through.
    delivered : datetime or None
        When the outbox was last gone through; a long tick does so every few seconds.
    alive : datetime or None
        The last sign of life: a tick began or ended, or looked after the rounds under way.
    fault : str
        Why the newest tick that ended did not go through; empty where it did, or the one under way gets on.
    succeeded : mapping of str to datetime
        By monitor, when all its due windows could last be checked.
    failed : mapping of str to str
        By monitor, why it could not be, when last tried.
    """

    started: datetime | None = None
    finished: datetime | None = None
    delivered: datetime | None = None
    alive: datetime | None = None
    fault: str = ""
    succeeded: Mapping[str, datetime] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


class Health:
    """Keeps the pulse. Only the ticking thread changes it; any thread may ask.

    Parameters
    ----------
    now : callable
        The time that all replicas share; it may fail with `StoreError`.
    clock : callable
        This host's time, for signs of life: to be had where the store is not.
    seconds : float
        From one tick to the next.
    watchdog : Watchdog or None
        Who is given each sign of life.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        clock: Callable[[], datetime],
        seconds: float,
        watchdog: Watchdog | None,
    ) -> None:
        self._now, self._clock, self._seconds, self._watchdog = now, clock, seconds, watchdog
        self.pulse = HealthSnapshot()

    def beat(self, **changes: Any) -> None:
        """Note a sign of life, and what has changed with it."""
        if self._watchdog is not None:
            self._watchdog.alive()
        self.pulse = replace(self.pulse, alive=self._clock(), **changes)

    def note(self, name: str, problem: str) -> None:
        """How a monitor did; a problem is logged when it comes and when it goes, not at every tick."""
        before = self.pulse.failed.get(name, "")
        others = {other: why for other, why in self.pulse.failed.items() if other != name}
        if problem:
            if problem != before:
                log.error("monitor %s: %s", name, problem, extra={"fields": {"monitor": name}})
            self.beat(failed={**others, name: problem})
            return
        if before:
            log.info("monitor %s is checked again", name, extra={"fields": {"monitor": name}})
        self.beat(failed=others, succeeded={**self.pulse.succeeded, name: self._told_as()})

    def _told_as(self) -> datetime:
        """The time as others have it: this host's signs of life do not count the time that it was suspended."""
        try:
            return self._now()
        except StoreError:  # gone since: near enough, and nothing to end a tick for
            return self._clock()

    def tell_fault(self, error: BaseException) -> None:
        """A defect, which APScheduler caught and logged with its traceback; the next tick comes all the same."""
        kind = type(error).__name__
        log.error("a tick ended by a defect (%s, traceback above); the next one goes on", kind)
        self.pulse = replace(self.pulse, fault=f"a defect: {kind}")

    def age(self) -> timedelta | None:
        """Time since the last sign of life; None before the first."""
        return None if self.pulse.alive is None else self._clock() - self.pulse.alive

    def trouble(self) -> str:
        """Why the ticks are not to be relied on, in words that may be shown to anybody; empty where they are."""
        pulse, age = self.pulse, self.age()
        if pulse.started is None or age is None:
            return "no tick has begun yet"
        if age.total_seconds() >= MAX_SILENCE_SECONDS * self._seconds:
            return f"no sign of life for {age.total_seconds():.0f} s; a tick is due every {self._seconds:g} s"
        if pulse.fault:
            return "the newest tick did not go through; the log says why"
        # Not when the first tick is over: to catch up may take it hours, in which all is well.
        return "" if pulse.delivered else "the first tick is still on its way"
