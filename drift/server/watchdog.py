"""The watchdog: ends a process that gives no sign of life, which nothing within that process could be asked to do."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

POLL_SECONDS: Final = 5.0  # seconds from one look to the next, at most
WARN_AFTER_SECONDS: Final = 2.0  # seconds that a log is given to take the last line: who reads it may hang as well

log = logging.getLogger("drift.server")


class Watchdog:
    """Calls for the end where no sign of life came for too long; a context manager, watching while it is open.

    Parameters
    ----------
    what : str
        Of what the sign is, as a message says it.
    silence : float
        Seconds without one until it is given up.
    dead : callable
        Called then, once, from a thread of its own.
    """

    def __init__(self, what: str, silence: float, dead: Callable[[], None]) -> None:
        self._what, self._silence, self._dead = what, silence, dead
        self._sign = time.monotonic()
        self._ending = False
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Watch from now on."""
        self.alive()
        threading.Thread(target=self._watch, name="drift-watchdog", daemon=True).start()

    def alive(self) -> None:
        """Give a sign of life; none puts off an end that is expected."""
        if not self._ending:
            self._sign = time.monotonic()

    def expect_end(self, seconds: float) -> None:
        """What is watched from now on is how the process ends: within so many seconds. Fit for a signal handler."""
        self._ending = True
        self._what, self._silence, self._sign = "its end", seconds, time.monotonic()

    def stop(self) -> None:
        """Watch no more; may be called twice."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(min(self._silence / 4, POLL_SECONDS)):
            silent = time.monotonic() - self._sign
            if silent >= self._silence:
                said = "no sign of life of %s for %.0f s: the process is ended, to be started anew"
                last = threading.Thread(target=log.critical, args=(said, self._what, silent), daemon=True)
                try:
                    last.start()
                    last.join(WARN_AFTER_SECONDS)
                finally:  # also where no thread can be started any more
                    self._dead()
                return
