"""Rounds: some windows of one monitor, checked in a thread of its own, so that none waits for another's source."""

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
"""Seconds without a window done, after which a round gives up its place (not its work) to another monitor's."""


@dataclass(eq=False, slots=True)
class MonitorBatch:
    """One round.

    Parameters
    ----------
    monitor : Monitor
        Whose windows.
    alive : float
        When it began or last had a window done, by `time.monotonic`.
    checked : int
        Windows done.
    problem : str
        What was wrong with the last that was.
    cut : bool
        Whether it was told to stop before its end.
    """

    monitor: Monitor
    alive: float = field(default_factory=time.monotonic)
    checked: int = 0
    problem: str = "its round ended by a defect of drift; the log shows it"
    cut: bool = False


class MonitorPool:
    """The rounds under way: one at most for each monitor.

    Parameters
    ----------
    check : callable
        Checks some due windows of a monitor, one after the other.
    stopping : callable
        Asked after each window: where it says yes, the round ends there.
    places : int
        Rounds at once. One that is slow does not count: it waits for its source.
    """

    def __init__(
        self,
        check: Callable[[Monitor], Iterator[WindowResult | RecheckSkipped | MonitorFailure]],
        stopping: Callable[[], bool],
        places: int,
    ) -> None:
        self._check, self._stopping, self._places = check, stopping, places
        self._news: queue.SimpleQueue[MonitorBatch] = queue.SimpleQueue()
        self._threads: dict[str, tuple[MonitorBatch, threading.Thread]] = {}

    def begin(self, monitor: Monitor) -> None:
        """Check some windows of a monitor that has no round under way.

        Raises
        ------
        RuntimeError
            Where the system has no thread left for it; it is not under way then.
        """
        one = MonitorBatch(monitor)
        thread = threading.Thread(target=self._work, args=(one,), name=f"drift-round-{monitor.name}", daemon=True)
        thread.start()
        self._threads[monitor.name] = one, thread  # in time: who hears of its end is the thread that runs this

    def names(self) -> set[str]:
        """Monitors with a round under way."""
        return set(self._threads)

    def quick(self) -> int:
        """How many are under way and not slow."""
        since = time.monotonic() - SLOW_WINDOW_SECONDS
        return sum(one.alive > since for one, _ in self._threads.values())

    def has_place(self) -> bool:
        """Whether one more may begin."""
        return self.quick() < self._places

    def hear(self, seconds: float) -> MonitorBatch | None:
        """The next round that is over; None where none is in so many seconds."""
        try:
            one = self._news.get(timeout=seconds) if seconds > 0 else self._news.get_nowait()
        except queue.Empty:
            return None
        self._threads.pop(one.monitor.name, None)
        return one

    def join(self, seconds: float) -> list[Monitor]:
        """Wait for those under way, so long at most for all of them; gives the monitors of those that are left."""
        until = time.monotonic() + seconds
        for _, thread in list(self._threads.values()):
            thread.join(max(0.0, until - time.monotonic()))
        return [one.monitor for one, thread in list(self._threads.values()) if thread.is_alive()]

    def _work(self, one: MonitorBatch) -> None:
        try:
            one.problem = self._each(one)
        finally:
            self._news.put(one)

    def _each(self, one: MonitorBatch) -> str:
        problem = ""
        for found in self._check(one.monitor):
            one.checked += 1
            one.alive = time.monotonic()
            if isinstance(found, MonitorFailure):
                problem = found.message
            elif isinstance(found, WindowResult) and found.outcome.verdict is Verdict.ERROR:
                problem = found.outcome.message
            if self._stopping():  # the rest stays due
                one.cut = True
                break
        return problem
