"""Isolation of suspicious work: work that repeatedly crashed the process runs with nothing else beside it.

A process evaluates several windows at once, and a crash takes all of them with it. Without isolation, one monitor's
window would use up the attempts of every window that happened to run beside it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ISOLATE_AFTER_CRASHES: Final = 3
"""Crashed attempts after which work runs alone."""

MAX_EXCLUSIVE_SECONDS: Final = 60.0
"""Seconds that other work is held back, both while earlier work ends and while exclusive work runs."""

STOP_POLL_SECONDS: Final = 0.5  # between two calls of `stopping`


class Isolation:
    """Admission of work in one process. Callers wait for a slot before they claim anything, so no claim is at risk."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._started: dict[object, float] = {}  # running work: when it started, by `time.monotonic`
        self._exclusive: object | None = None
        self._exclusive_waiters = 0

    @contextmanager
    def work_slot(self, *, exclusive: bool, stopping: Callable[[], bool]) -> Iterator[bool]:
        """Wait for permission to work, and hold it for the duration of the body.

        Parameters
        ----------
        exclusive : bool
            Whether no other work may be running, and none may start for the first `MAX_EXCLUSIVE_SECONDS`. The slot is
            refused if other work runs longer than that: it may hang, and everything else would wait for it.
        stopping : callable
            Whether the process is stopping; no slot is granted then.

        Yields
        ------
        bool
            Whether the slot was granted.
        """
        slot = object()
        if not (self._wait_exclusive(slot, stopping) if exclusive else self._wait_shared(slot, stopping)):
            yield False
            return
        try:
            yield True
        finally:
            with self._changed:
                del self._started[slot]
                self._exclusive = None if self._exclusive is slot else self._exclusive
                self._changed.notify_all()

    def _wait_shared(self, slot: object, stopping: Callable[[], bool]) -> bool:
        with self._changed:
            while not stopping():
                blocked = self._exclusive is not None and self._age(self._exclusive) < MAX_EXCLUSIVE_SECONDS
                if not self._exclusive_waiters and not blocked:
                    self._started[slot] = time.monotonic()
                    return True
                self._changed.wait(STOP_POLL_SECONDS)
            return False

    def _wait_exclusive(self, slot: object, stopping: Callable[[], bool]) -> bool:
        with self._changed:
            self._exclusive_waiters += 1
            try:
                while not stopping():
                    if not self._started:
                        self._started[slot], self._exclusive = time.monotonic(), slot
                        return True
                    if any(self._age(other) >= MAX_EXCLUSIVE_SECONDS for other in self._started):
                        return False
                    self._changed.wait(STOP_POLL_SECONDS)
                return False
            finally:
                self._exclusive_waiters -= 1
                self._changed.notify_all()

    def _age(self, slot: object) -> float:
        return time.monotonic() - self._started[slot]


work_slot = Isolation().work_slot
"""Of this process."""
