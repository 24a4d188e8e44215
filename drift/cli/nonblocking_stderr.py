"""A stream whose writes never block: a thread passes the text on, and lines that do not fit are counted and dropped.

Otherwise a pipe that no process reads would block one thread after another that logs, in a process that looks alive.
"""

import io
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

MAX_PENDING_BYTES: Final = 1 << 20  # some thousand lines


class NonBlockingStream(io.TextIOBase):
    """Text stream to a file descriptor whose `write` returns at once, whether or not a process reads.

    Parameters
    ----------
    wrapped : TextIO
        The stream to replace. Needs a file descriptor.
    on_dropped : callable
        Called with the number of dropped lines as soon as writing works again, to log it.
    capacity : int
        Maximum bytes that wait to be written.

    Attributes
    ----------
    dropped : int
        Lines dropped so far.
    """

    def __init__(self, wrapped: TextIO, on_dropped: Callable[[int], None], capacity: int = MAX_PENDING_BYTES) -> None:
        self.wrapped, self._on_dropped, self._capacity = wrapped, on_dropped, capacity
        self._descriptor = wrapped.fileno()
        self._pending: deque[bytes] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._unreported = 0
        self._mid_line = False
        self.dropped = 0
        threading.Thread(target=self._run, name="drift-stderr", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed: an attribute
        """UTF-8, whatever the terminal's encoding."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """Escape what cannot be encoded."""
        return "backslashreplace"

    def write(self, text: str) -> int:
        """Queue the text; drop it if the queue is full."""
        data = text.encode(self.encoding, self.errors)
        with self._changed:
            if self._size + len(data) > self._capacity:
                self._drop(data)
            else:
                self._pending.append(data)
                self._size += len(data)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Do nothing: `logging` calls this after each line, and it would block."""

    def drain(self, seconds: float) -> bool:
        """Wait until the queue is empty, at most `seconds`. Return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending, seconds)

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether the descriptor is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Return True."""
        return True

    def _drop(self, data: bytes) -> None:
        self.dropped += data.count(b"\n")
        self._unreported += data.count(b"\n")

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                data = self._pending[0]  # stays in the queue until it is written: `drain` waits for it
            written = self._write_all(data)
            with self._changed:
                if not written:
                    self._drop(data)
                unreported = self._unreported if written and len(self._pending) == 1 else 0
                self._unreported -= unreported
            if unreported:
                self._on_dropped(unreported)
            with self._changed:
                self._pending.popleft()
                self._size -= len(data)
                self._changed.notify_all()

    def _write_all(self, data: bytes) -> bool:
        data = b"\n" * self._mid_line + data  # a line that was cut off must not swallow the next one
        while data:
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:  # another process made the shared descriptor non-blocking
                select.select([], [self._descriptor], [])
            except OSError:  # broken pipe or full disk: drop the lines
                return False
            else:
                self._mid_line = not data[:written].endswith(b"\n")
                data = data[written:]
        self._mid_line = False
        return True
