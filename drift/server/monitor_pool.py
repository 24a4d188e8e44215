"""Batches of windows, one thread for each monitor, so that no monitor waits for another one's source."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from drift.monitors.spec import Monitor
from drift.monitors.verdict import Verdict
from drift.runner.check import MonitorFailure, RecheckSkipped, WindowResult

SLOW_WINDOW_SECONDS: Final = 60.0
"""Seconds without a finished window after which a batch is slow: it keeps running, and another one may start."""


@dataclass(eq=False, slots=True)
class MonitorBatch:
    """Some windows of one monitor, checked in one thread."""

    monitor: Monitor
    last_progress: float = field(default_factory=time.monotonic)  # when it started or last finished a window
    checked: int = 0  # finished windows
    problem: str = "its batch ended because of a defect in drift; see the log"  # of the last one; empty if none
    code: str = "internal-error"  # of the problem
    stopped: bool = False  # whether it ended early because the service is stopping


class MonitorPool:
    """The running batches, at most one for each monitor.

    Parameters
    ----------
    check : callable
        Checks some due windows of a monitor, one after the other.
    stopping : callable
        Whether to stop; called after each window.
    max_batches : int
        Batches at a time. Slow ones do not count: they wait for their source.
    """

    def __init__(
        self,
        check: Callable[[Monitor], Iterator[WindowResult | RecheckSkipped | MonitorFailure]],
        stopping: Callable[[], bool],
        max_batches: int,
    ) -> None:
        self._check, self._stopping, self._max_batches = check, stopping, max_batches
        self._finished: queue.SimpleQueue[MonitorBatch] = queue.SimpleQueue()
        self._running: dict[str, tuple[MonitorBatch, threading.Thread]] = {}

    def start(self, monitor: Monitor) -> None:
        """Start a batch of a monitor that has none.

        Raises
        ------
        RuntimeError
            If the system cannot start a thread; the batch is not running then.
        """
        batch = MonitorBatch(monitor)
        thread = threading.Thread(target=self._run, args=(batch,), name=f"drift-batch-{monitor.name}", daemon=True)
        thread.start()
        self._running[monitor.name] = batch, thread  # not too late: `next_finished` is called by this thread

    def names(self) -> set[str]:
        """Return the monitors with a running batch."""
        return set(self._running)

    def active_count(self) -> int:
        """Return the number of running batches that are not slow."""
        limit = time.monotonic() - SLOW_WINDOW_SECONDS
        return sum(batch.last_progress > limit for batch, _ in self._running.values())

    def has_capacity(self) -> bool:
        return self.active_count() < self._max_batches

    def next_finished(self, seconds: float) -> MonitorBatch | None:
        """Wait so long for the next batch to finish; None if none does."""
        try:
            batch = self._finished.get(timeout=seconds) if seconds > 0 else self._finished.get_nowait()
        except queue.Empty:
            return None
        self._running.pop(batch.monitor.name, None)
        return batch

    def join(self, seconds: float) -> list[Monitor]:
        """Wait so long for all running batches to finish; return the monitors of those that did not."""
        deadline = time.monotonic() + seconds
        for _, thread in list(self._running.values()):
            thread.join(max(0.0, deadline - time.monotonic()))
        return [batch.monitor for batch, thread in list(self._running.values()) if thread.is_alive()]

    def _run(self, batch: MonitorBatch) -> None:
        try:
            batch.problem, batch.code = self._check_windows(batch)
        finally:
            self._finished.put(batch)

    def _check_windows(self, batch: MonitorBatch) -> tuple[str, str]:
        """Return the problem of the last window and its code; both empty if there is none."""
        problem, code = "", ""
        for result in self._check(batch.monitor):
            batch.checked += 1
            batch.last_progress = time.monotonic()
            if isinstance(result, MonitorFailure):
                problem, code = result.message, result.code
            elif isinstance(result, WindowResult) and result.outcome.verdict is Verdict.ERROR:
                problem, code = result.outcome.message, result.outcome.code
            if self._stopping():  # the remaining windows stay due
                batch.stopped = True
                break
        return problem, code
