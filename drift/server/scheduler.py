"""The service: an alarm clock that goes through the monitors and the outbox, again and again.

Truth is the store, not the clock: a tick that is lost, late or killed loses nothing, the next one does its work.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from drift.errors import DriftError, InputError, StoreError
from drift.monitors.spec import Monitor
from drift.notify.channels import Channel
from drift.notify.sender import drain
from drift.runner.check import run_all
from drift.runner.lease import release_all
from drift.runner.load_reference import end_attempts, monitors_with_crashes
from drift.runner.retention import prune_monitors
from drift.runner.worker import Worker
from drift.server.health import MAX_SILENCE_SECONDS, Health, HealthSnapshot
from drift.server.memory import release_memory
from drift.server.monitor_pool import MonitorBatch, MonitorPool
from drift.server.ticker import Ticker
from drift.server.watchdog import Watchdog
from drift.store import SchemaMismatch, Store

TICK: Final = 30.0  # seconds
BATCH_WINDOWS: Final = 20  # windows of a monitor, until others have their turn
MAX_BATCHES: Final = 4  # rounds at once
DELIVERY_INTERVAL: Final = 5.0  # seconds of a long tick from one look at the outbox to the next
RECHECK_INTERVAL: Final = 900.0  # seconds from one look for late rows to the next
SILENCE: Final = 300.0  # seconds without one until it is given up
STOP_GRACE_SECONDS: Final = 20.0  # seconds that a window in hand is given to end, told to stop
ENDING: Final = 60.0  # seconds from then until the process has ended, else the watchdog ends it

log = logging.getLogger("drift.server")


class Scheduler:
    """Checks what is due and sends what waits, tick by tick.

    The tick hands out rounds and sends; windows are checked in threads of their own, one for each monitor at a time.

    Parameters
    ----------
    store : Store
        Stays the caller's: close it after `stop`.
    monitors : sequence of Monitor
        What is watched.
    channels : mapping of str to Channel
        Where notifications go.
    now : callable
        The time that all replicas share, with a time zone: `Store.now`.
    worker : Worker
        Who claims windows: host and process.
    rng : numpy.random.Generator
        Spreads retries of deliveries.
    seconds : float
        From one tick to the next.
    clock : callable or None
        This host's time, for signs of life: to be had where the store is not. Default: `now`.
    dead : callable or None
        Called by the watchdog, once, where the ticks give no sign of life: to end a process that cannot help itself.
    silence : float
        Seconds without a sign of life until then, `MAX_SILENCE_SECONDS` ticks at least.
    places : int
        Monitors that are checked at once.

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
        clock: Callable[[], datetime] | None = None,
        dead: Callable[[], None] | None = None,
        silence: float = SILENCE,
        places: int = MAX_BATCHES,
    ) -> None:
        if not 0 < seconds <= 86_400:
            raise InputError(f"a tick comes every so many seconds, above 0 and up to 86400; got {seconds:g}")
        self._store, self._channels = store, channels
        self._monitors = deque(monitors)
        self._now, self._worker, self._rng = now, worker, rng
        self._clock, self._seconds = clock or now, seconds
        self._watchdog = (
            Watchdog("the ticks", max(silence, MAX_SILENCE_SECONDS * seconds), dead) if dead is not None else None
        )
        self._stopping = threading.Event()
        self._health = Health(now, self._clock, seconds, self._watchdog)
        self._rounds = MonitorPool(
            lambda monitor: run_all(
                store,
                [monitor],
                worker=worker,
                now=now,
                limit=BATCH_WINDOWS,
                look_back=self._looks_back(monitor),
                stopping=lambda: self.stopping,
            ),
            lambda: self.stopping,
            places,
        )
        self._looked: dict[str, float] = {}  # when, by monitor; each has one round at a time
        self._alarm = Ticker(self.tick, seconds, self._health.tell_fault)

    @property
    def pulse(self) -> HealthSnapshot:
        """How it does; safe to ask from any thread."""
        return self._health.pulse

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Tick from now on."""
        self._alarm.start()
        if self._watchdog is not None:  # a thread that is dead, a database that is frozen: somebody has to notice
            self._watchdog.start()

    def stop_soon(self) -> None:
        """Begin no further window and no further delivery; may be called from a signal handler, and twice.

        From now on the watchdog gives the process a minute: a database that is frozen would keep it from ending.
        """
        if self._watchdog is not None and not self.stopping:
            self._watchdog.expect_end(ENDING)
        self._stopping.set()

    def stop(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """Stop after the windows in hand; one that takes longer than `grace` seconds is given back, due at once."""
        self.stop_soon()
        until = time.monotonic() + grace
        ended = self._alarm.stop(grace)
        left = self._rounds.join(until - time.monotonic())
        if not ended:
            log.warning("the tick under way did not end within %g s: left behind", grace)
        for monitor in left:
            for window in release_all(self._store, monitor.name):
                log.warning("window %s of %s did not end within %g s: given back", window, monitor.name, grace)
            end_attempts(self._store, monitor.name)
        if self._watchdog is not None:
            self._watchdog.stop()

    def tick(self) -> None:
        """Check what is due and send what waits, in rounds: a long backlog holds back no alert, nor other monitors.

        Ends when nothing is left but rounds that wait for a slow source: they have their own deadline.
        """
        self._health.beat(started=self._clock())
        if fault := self._outdated():
            self._health.beat(fault=fault)
            return
        while (over := self._rounds.hear(0)) is not None:  # slow ones, since the last tick
            self._ended(over)
        under_way, last = self._rounds.names(), self._suspects()
        idle = (monitor for monitor in self._monitors if monitor.name not in under_way)
        waiting = self._in_turn(idle, last)
        sent = time.monotonic()
        while not self.stopping and (waiting or self._rounds.quick()):
            while waiting and self._rounds.has_place():
                if waiting[0].name in last:  # it may end this process: others have their turn, what they found is sent
                    if self._rounds.quick():
                        break
                    self._deliver()
                self._begin(waiting.popleft())
            over = self._rounds.hear(min(self._seconds, 1.0))
            self._health.beat()
            if over is not None and self._ended(over):
                last.pop(over.monitor.name, None)  # its reference is there: windows were held against it
                waiting = self._in_turn([*waiting, over.monitor], last)
            if time.monotonic() - sent >= DELIVERY_INTERVAL:
                if fault := self._outdated() or self._deliver():
                    self._health.beat(fault=fault)
                    return
                self._health.beat(delivered=self._clock(), fault="")
                release_memory()
                sent = time.monotonic()
        fault = self._deliver() or self._thin_out()
        release_memory()
        here = self._clock()
        self._health.beat(fault=fault) if fault else self._health.beat(finished=here, delivered=here, fault="")

    @staticmethod
    def _in_turn(monitors: Iterable[Monitor], last: Mapping[str, int]) -> deque[Monitor]:
        """As they come, but those that come last behind all others: also behind those with more to do than a round."""
        return deque(sorted(monitors, key=lambda monitor: last.get(monitor.name, 0)))

    def _suspects(self) -> dict[str, int]:
        """Monitors that come last: reading their reference has ended processes, so and so often."""
        try:
            return monitors_with_crashes(self._store, self._monitors, self._worker, self._now())
        except StoreError as error:  # what the tick does next will say so, by monitor
            log.debug("attempts to read references cannot be asked for: %s", error)
            return {}

    def _outdated(self) -> str:
        """What is wrong with the schema: another drift may upgrade the store of one that runs, which then idles."""
        fault = ""
        try:
            self._store.require_schema()
        except SchemaMismatch as error:
            fault = str(error)
        except StoreError as error:  # it cannot be reached: what the tick does next will say so, by monitor
            log.debug("the schema cannot be asked for: %s", error)
        if fault and fault != self._health.pulse.fault:  # once, not at every tick
            log.error("nothing is checked or sent from now on: %s", fault)
        return fault

    def _looks_back(self, monitor: Monitor) -> bool:
        """Whether it is time again: a source that changes all the time would else be counted all the time."""
        here, last = time.monotonic(), self._looked.get(monitor.name)
        if last is not None and here - last < RECHECK_INTERVAL:
            return False
        self._looked[monitor.name] = here
        return True

    def _begin(self, monitor: Monitor) -> None:
        # Put behind the others: should this tick end early, the next one begins with those that had no turn.
        self._monitors.remove(monitor)
        self._monitors.append(monitor)
        try:
            self._rounds.begin(monitor)
        except RuntimeError as error:  # the next tick tries it again
            self._health.note(monitor.name, f"it is not checked: no thread could be started ({error})")

    def _ended(self, over: MonitorBatch) -> bool:
        """Note how a round went; whether its monitor may have more to do."""
        if over.cut:
            return False
        self._health.note(over.monitor.name, over.problem)
        return over.checked == BATCH_WINDOWS

    def _deliver(self) -> str:
        if not self.stopping:
            try:
                drain(self._store, self._channels, self._now, rng=self._rng, stopping=lambda: self.stopping)
            except DriftError as error:  # the store: deliveries wait there until it is back
                log.warning("deliveries wait: %s", error)
                return str(error)
        return ""

    def _thin_out(self) -> str:
        if not self.stopping:
            try:
                prune_monitors(self._store, self._monitors, self._now())
            except StoreError as error:
                log.warning("old windows stay for now: %s", error)
                return str(error)
        return ""

    def age(self) -> timedelta | None:
        """Time since the last sign of life; None before the first."""
        return self._health.age()

    def trouble(self) -> str:
        """Why the service is not to be relied on, in words that may be shown to anybody; empty where it is."""
        return "stopping" if self.stopping else self._health.trouble()
