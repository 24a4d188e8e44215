"""Scheduler: at each tick it checks due windows, sends pending notifications, and prunes old windows.

What is due is stored, not remembered: a tick that is lost, late or killed loses nothing, the next one does its work.
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
from drift.server.health import MAX_MISSED_TICKS, Health, HealthSnapshot
from drift.server.memory import release_memory
from drift.server.monitor_pool import MonitorBatch, MonitorPool
from drift.server.ticker import Ticker
from drift.server.watchdog import Watchdog
from drift.store import SchemaMismatch, Store

TICK_SECONDS: Final = 30.0  # between ticks
BATCH_WINDOWS: Final = 20  # windows of one monitor before other monitors get their turn
MAX_BATCHES: Final = 4  # at a time
DELIVERY_INTERVAL: Final = 5.0  # seconds between deliveries within a long tick
RECHECK_INTERVAL: Final = 900.0  # seconds between searches for late rows
SILENCE_SECONDS: Final = 300.0  # without a heartbeat, until the process is ended
STOP_GRACE_SECONDS: Final = 20.0  # for windows that are being evaluated when the service stops
EXIT_SECONDS: Final = 60.0  # from the request to stop until the watchdog ends the process

log = logging.getLogger("drift.server")


class Scheduler:
    """Checks due windows and sends pending notifications, tick by tick.

    The tick starts batches and sends notifications; windows are checked in one thread for each monitor.

    Parameters
    ----------
    store : Store
        The caller closes it after `stop`.
    now : callable
        The time shared by all replicas, with a time zone: `Store.now`.
    worker : Worker
        Identity of this process in claims.
    rng : numpy.random.Generator
        Spreads the retries of deliveries.
    interval : float
        Seconds between ticks.
    clock : callable or None
        The host's time, for heartbeats; available without the store. Default: `now`.
    on_silence : callable or None
        Called once by the watchdog if the heartbeats stop, to end the process.
    max_silence : float
        Seconds without a heartbeat until then, at least `MAX_MISSED_TICKS` intervals.
    max_batches : int
        Monitors that are checked at a time.

    Raises
    ------
    InputError
        If `interval` is not above 0 and up to 86400.
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
        interval: float = TICK_SECONDS,
        clock: Callable[[], datetime] | None = None,
        on_silence: Callable[[], None] | None = None,
        max_silence: float = SILENCE_SECONDS,
        max_batches: int = MAX_BATCHES,
    ) -> None:
        if not 0 < interval <= 86_400:
            message = f"the tick interval must be above 0 and at most 86400 seconds; got {interval:g}"
            raise InputError(message, code="invalid-value")
        self._store, self._channels = store, channels
        self._monitors = deque(monitors)
        self._now, self._worker, self._rng = now, worker, rng
        self._clock, self._interval = clock or now, interval
        silence = max(max_silence, MAX_MISSED_TICKS * interval)
        self._watchdog = None if on_silence is None else Watchdog("the ticks", silence, on_silence)
        self._stopping = threading.Event()
        self._health = Health(now, self._clock, interval, self._watchdog)
        self._pool = MonitorPool(
            lambda monitor: run_all(
                store,
                [monitor],
                worker=worker,
                now=now,
                limit=BATCH_WINDOWS,
                recheck=self._is_recheck_due(monitor),
                stopping=lambda: self.stopping,
            ),
            lambda: self.stopping,
            max_batches,
        )
        self._last_recheck: dict[str, float] = {}  # by monitor; its one batch at a time writes it
        self._ticker = Ticker(self.tick, interval, self._health.record_defect)

    @property
    def health(self) -> HealthSnapshot:
        """Current health; safe to read from any thread."""
        return self._health.snapshot

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def start(self) -> None:
        self._ticker.start()
        if self._watchdog is not None:
            self._watchdog.start()

    def stop_soon(self) -> None:
        """Start no further window or delivery; safe in a signal handler, and may be called twice.

        From now on the watchdog gives the process `EXIT_SECONDS`: a database that hangs could block the exit.
        """
        if self._watchdog is not None and not self.stopping:
            self._watchdog.expect_exit(EXIT_SECONDS)
        self._stopping.set()

    def stop(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """Stop after the running windows; release those that take longer than `grace` seconds, so they are due."""
        self.stop_soon()
        deadline = time.monotonic() + grace
        tick_ended = self._ticker.stop(grace)
        unfinished = self._pool.join(deadline - time.monotonic())
        if not tick_ended:
            log.warning("the running tick did not end within %g s", grace, extra={"code": "stop-grace-exceeded"})
        for monitor in unfinished:
            for window in release_all(self._store, monitor.name):
                message = "window %s of %s did not end within %g s: released, due at once"
                log.warning(message, window, monitor.name, grace, extra={"code": "stop-grace-exceeded"})
            end_attempts(self._store, monitor.name)
        if self._watchdog is not None:
            self._watchdog.stop()

    def tick(self) -> None:
        """Check due windows in batches and send notifications between them.

        A long backlog thus delays neither alerts nor other monitors. The tick ends when only slow batches are left:
        they wait for their source and have their own deadline.
        """
        self._health.beat(started=self._clock())
        if fault := self._schema_fault():
            self._health.beat(fault=fault)
            return
        while (finished := self._pool.next_finished(0)) is not None:  # slow batches of earlier ticks
            self._record_batch(finished)
        running, crashes = self._pool.names(), self._crashing_monitors()
        waiting = self._by_crashes((monitor for monitor in self._monitors if monitor.name not in running), crashes)
        delivered = time.monotonic()
        while not self.stopping and (waiting or self._pool.active_count()):
            while waiting and self._pool.has_capacity():
                if waiting[0].name in crashes:  # it may crash this process: the others finish first, and are delivered
                    if self._pool.active_count():
                        break
                    self._deliver()
                self._start_batch(waiting.popleft())
            finished = self._pool.next_finished(min(self._interval, 1.0))
            self._health.beat()
            if finished is not None and self._record_batch(finished):
                crashes.pop(finished.monitor.name, None)  # its reference was read: windows were compared with it
                waiting = self._by_crashes([*waiting, finished.monitor], crashes)
            if time.monotonic() - delivered >= DELIVERY_INTERVAL:
                if fault := self._schema_fault() or self._deliver():
                    self._health.beat(fault=fault)
                    return
                self._health.beat(delivered=self._clock(), fault="")
                release_memory()
                delivered = time.monotonic()
        fault = self._deliver() or self._prune()
        release_memory()
        ended = self._clock()
        self._health.beat(fault=fault) if fault else self._health.beat(finished=ended, delivered=ended, fault="")

    @staticmethod
    def _by_crashes(monitors: Iterable[Monitor], crashes: Mapping[str, int]) -> deque[Monitor]:
        """Sort monitors by crashes, else in their order: suspects wait for all windows of the others."""
        return deque(sorted(monitors, key=lambda monitor: crashes.get(monitor.name, 0)))

    def _crashing_monitors(self) -> dict[str, int]:
        """Return monitors whose reference crashed processes, with the number of crashes."""
        try:
            return monitors_with_crashes(self._store, self._monitors, self._worker, self._now())
        except StoreError as error:  # the next step of the tick reports it, by monitor
            log.debug("cannot read the attempts to read references: %s", error)
            return {}

    def _schema_fault(self) -> str:
        """Return why the store's schema does not fit: another drift may upgrade the store while this one runs."""
        fault = code = ""
        try:
            self._store.require_schema()
        except SchemaMismatch as error:
            fault, code = str(error), error.code
        except StoreError as error:  # the next step of the tick reports it, by monitor
            log.debug("cannot read the schema version: %s", error)
        if fault and fault != self._health.snapshot.fault:  # once, not at every tick
            log.error("nothing is checked or sent from now on: %s", fault, extra={"code": code})
        return fault

    def _is_recheck_due(self, monitor: Monitor) -> bool:
        """Return whether to search for late rows: a source that changes all the time would be counted all the time."""
        now, last = time.monotonic(), self._last_recheck.get(monitor.name)
        if last is not None and now - last < RECHECK_INTERVAL:
            return False
        self._last_recheck[monitor.name] = now
        return True

    def _start_batch(self, monitor: Monitor) -> None:
        # Move it to the end: if this tick ends early, the next one starts with the monitors that had no turn.
        self._monitors.remove(monitor)
        self._monitors.append(monitor)
        try:
            self._pool.start(monitor)
        except RuntimeError as error:  # the next tick tries again
            problem = f"not checked: the system could not start a thread ({error})"
            self._health.record_monitor(monitor.name, problem, "thread-not-started")

    def _record_batch(self, batch: MonitorBatch) -> bool:
        """Record the result of a batch; return whether its monitor may have more due windows."""
        if batch.stopped:
            return False
        self._health.record_monitor(batch.monitor.name, batch.problem, batch.code)
        return batch.checked == BATCH_WINDOWS

    def _deliver(self) -> str:
        """Send pending notifications; return why that failed, or an empty string."""
        if not self.stopping:
            try:
                drain(self._store.outbox, self._channels, self._now, rng=self._rng, stopping=lambda: self.stopping)
            except DriftError as error:  # of the store, which keeps them
                log.warning("notifications stay pending: %s", error, extra={"code": error.code})
                return str(error)
        return ""

    def _prune(self) -> str:
        """Prune old windows; return why that failed, or an empty string."""
        if not self.stopping:
            try:
                prune_monitors(self._store, self._monitors, self._now())
            except StoreError as error:
                log.warning("old windows were not pruned: %s", error, extra={"code": error.code})
                return str(error)
        return ""

    def age(self) -> timedelta | None:
        return self._health.age()

    def not_ready_reason(self) -> str:
        return "stopping" if self.stopping else self._health.not_ready_reason()
