"""The service behind `drift serve`: an alarm clock that goes through the monitors and the outbox, again and again.

Truth is the store, not the clock: a tick that is lost, late or killed loses nothing, the next one does its work.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from apscheduler.events import EVENT_JOB_ERROR
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from drift.channels import Channel
from drift.check import Failed, run_all
from drift.deliver import drain
from drift.errors import DriftError, InputError
from drift.monitor import Monitor
from drift.store import Store
from drift.verdict import Verdict
from drift.worker import Worker

TICK: Final = 30.0  # seconds
ROUND: Final = 20  # windows of a monitor, until the others have their turn and deliveries go out
PATIENCE: Final = 3  # ticks without a sign of life until the service is no longer ready

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the service does, at one moment.

    Parameters
    ----------
    started : datetime or None
        When the newest tick began.
    finished : datetime or None
        When a tick last went through.
    alive : datetime or None
        The last sign of life: a tick began or ended, or a window of it was done.
    fault : str
        Why the newest tick that ended did not go through; empty where it did.
    succeeded : mapping of str to datetime
        By monitor, when all its due windows could last be checked.
    failed : mapping of str to str
        By monitor, why it could not be, when last tried.
    """

    started: datetime | None = None
    finished: datetime | None = None
    alive: datetime | None = None
    fault: str = ""
    succeeded: Mapping[str, datetime] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


class Service:
    """Checks what is due and sends what waits, tick by tick, in one thread of its own.

    Parameters
    ----------
    store : Store
        Stays the caller's: close it after `stop`.
    monitors : sequence of Monitor
        What is watched.
    channels : mapping of str to Channel
        Where notifications go.
    now : callable
        The time, with a time zone.
    worker : Worker
        Who claims windows: host and process.
    rng : numpy.random.Generator
        Spreads retries of deliveries.
    seconds : float
        From one tick to the next.

    Raises
    ------
    InputError
        Where `seconds` is not above zero.
    """

    def __init__(
        self,
        store: Store,
        monitors: Sequence[Monitor],
        channels: Mapping[str, Channel],
        *,
        now: Callable[[], datetime],
        worker: Worker,
        rng: np.random.Generator,
        seconds: float = TICK,
    ) -> None:
        if not 0 < seconds <= 86_400:
            raise InputError(f"a tick comes every so many seconds, above 0 and up to 86400; got {seconds:g}")
        self._store, self._channels = store, channels
        self._monitors = deque(monitors)
        self._now, self._worker, self._rng = now, worker, rng
        self._seconds = seconds
        self._stopping = threading.Event()
        self._pulse = Pulse()
        self._alarm = self._make_alarm()

    @property
    def pulse(self) -> Pulse:
        """How it does; safe to ask from any thread."""
        return self._pulse

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def _make_alarm(self) -> BackgroundScheduler:
        # In memory only: a stored job is pickled, dropped where it cannot be loaded, and run twice where shared.
        quiet = log.getChild("alarm")
        quiet.setLevel(logging.ERROR)  # a tick that outlasts the next one's time is no warning: that one is skipped
        alarm = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1)},
            timezone=UTC,
            logger=quiet,
        )
        alarm.add_listener(self._tell_fault, EVENT_JOB_ERROR)
        return alarm

    def start(self) -> None:
        """Tick from now on."""
        self._alarm.add_job(
            self.tick,
            "interval",
            seconds=self._seconds,
            next_run_time=datetime.now(UTC),  # at once, by the alarm's own clock
            id="tick",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # a late tick is as good as any
        )
        self._alarm.start()

    def stop_soon(self) -> None:
        """Begin no further window and no further delivery; may be called from a signal handler, and twice."""
        self._stopping.set()

    def stop(self) -> None:
        """Stop after the window in hand: when this returns, nothing uses the store any more."""
        self.stop_soon()
        if self._alarm.running:
            self._alarm.shutdown(wait=True)

    def tick(self) -> None:
        """Check what is due and send what waits, in rounds: a long backlog holds back no alert, nor other monitors."""
        self._beat(started=self._now())
        more = True
        while more and not self.stopping:
            try:
                more = self._check()
            finally:  # whatever happened, deliveries go out
                fault = self._deliver()
            if fault:
                self._beat(fault=fault)
                return
            self._beat(finished=self._now(), fault="")

    def _check(self) -> bool:
        """One round: some windows of every monitor. Whether any may have more."""
        more = False
        for _ in range(len(self._monitors)):
            # Turned first: should this round end here, the next one begins with the monitors after.
            self._monitors.rotate(-1)
            more |= self._check_one(self._monitors[-1]) == ROUND
            if self.stopping:
                return False
        return more

    def _check_one(self, monitor: Monitor) -> int:
        message, checked = "", 0
        for one in run_all(self._store, [monitor], worker=self._worker, now=self._now, limit=ROUND):
            checked += 1
            if isinstance(one, Failed):
                message = one.message
            elif one.outcome.verdict is Verdict.ERROR:
                message = one.outcome.message
            self._beat()
            if self.stopping:  # the rest stays due
                return checked
        self._note(monitor.name, message)
        return checked

    def _note(self, name: str, problem: str) -> None:
        """How a monitor did; a problem is logged when it comes and when it goes, not at every tick."""
        before = self._pulse.failed.get(name, "")
        others = {other: why for other, why in self._pulse.failed.items() if other != name}
        if problem:
            if problem != before:
                log.error("monitor %s: %s", name, problem, extra={"fields": {"monitor": name}})
            self._beat(failed={**others, name: problem})
            return
        if before:
            log.info("monitor %s is checked again", name, extra={"fields": {"monitor": name}})
        self._beat(failed=others, succeeded={**self._pulse.succeeded, name: self._now()})

    def _deliver(self) -> str:
        if not self.stopping:
            try:
                drain(self._store, self._channels, self._now, rng=self._rng)
            except DriftError as error:  # the store: deliveries wait there until it is back
                log.warning("deliveries wait: %s", error)
                return str(error)
        return ""

    def _beat(self, **changes: Any) -> None:
        """Note a sign of life. Only the ticking thread changes the pulse."""
        self._pulse = replace(self._pulse, alive=self._now(), **changes)

    def _tell_fault(self, event: Any) -> None:
        """A defect, which APScheduler caught and logged with its traceback; the next tick comes all the same."""
        kind = type(event.exception).__name__
        log.error("a tick ended by a defect (%s, traceback above); the next one goes on", kind)
        self._pulse = replace(self._pulse, fault=f"a defect: {kind}")

    def age(self) -> timedelta | None:
        """Time since the last sign of life; None before the first."""
        return None if self._pulse.alive is None else self._now() - self._pulse.alive

    def trouble(self) -> str:
        """Why the service is not to be relied on, in words that may be shown to anybody; empty where it is."""
        pulse, age = self._pulse, self.age()
        if self.stopping:
            return "stopping"
        if pulse.started is None or age is None:
            return "no tick has begun yet"
        if age.total_seconds() >= PATIENCE * self._seconds:
            return f"no sign of life for {age.total_seconds():.0f} s; a tick is due every {self._seconds:g} s"
        if pulse.fault:
            return "the newest tick did not go through; the log says why"
        return "" if pulse.finished else "the first tick is still on its way"
