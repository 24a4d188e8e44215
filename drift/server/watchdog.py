"""Watchdog: ends a process whose heartbeats stop, because nothing else within the process can."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Self

POLL_SECONDS: Final = 5.0  # longest time between two looks at the heartbeat
LOG_SECONDS: Final = 2.0  # longest time to write the last log line: whatever reads the log may hang as well

log = logging.getLogger("drift.server")


class Watchdog:
    """Call `on_silence` once, in a separate thread, after `max_silence` seconds without a heartbeat.

    A context manager, watching while it is open. `subject` is what sends heartbeats, for the log.
    """

    def __init__(self, subject: str, max_silence: float, on_silence: Callable[[], None]) -> None:
        self._subject, self._max_silence, self._on_silence = subject, max_silence, on_silence
        self._last_beat = time.monotonic()
        self._exiting = False
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        self.beat()
        threading.Thread(target=self._watch, name="drift-watchdog", daemon=True).start()

    def beat(self) -> None:
        """Record a heartbeat; it does not postpone an expected exit."""
        if not self._exiting:
            self._last_beat = time.monotonic()

    def expect_exit(self, seconds: float) -> None:
        """Watch from now on whether the process exits within so many seconds; safe in a signal handler."""
        self._exiting = True
        self._subject, self._max_silence, self._last_beat = "the exit", seconds, time.monotonic()

    def stop(self) -> None:
        """Stop watching; may be called twice."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(min(self._max_silence / 4, POLL_SECONDS)):
            silence = time.monotonic() - self._last_beat
            if silence >= self._max_silence:
                last_line = threading.Thread(target=self._log_silence, args=(silence,), daemon=True)
                try:
                    last_line.start()
                    last_line.join(LOG_SECONDS)
                finally:  # even if no thread can be started any more
                    self._on_silence()
                return

    def _log_silence(self, silence: float) -> None:
        message = "no heartbeat of %s for %.0f s: the process ends itself, to be restarted"
        log.critical(message, self._subject, silence, extra={"code": "heartbeat-lost"})
