"""Standard error that keeps nobody waiting: a thread of its own passes on what is written, and counts what is lost.

A pipe that nobody reads would else hold up whoever logs, one after the other, and a process would look well that does
nothing any more.
"""

import io
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

MAX_PENDING_BYTES: Final = 1 << 20  # bytes that may wait, until what comes is dropped: some thousand lines


class NonBlockingStream(io.TextIOBase):
    """A text stream to a file descriptor; to write to it takes no time, whoever reads there, or does not.

    Parameters
    ----------
    instead : TextIO
        The stream in whose place it stands; has a file descriptor.
    tell : callable
        Gets the number of lines that were dropped, once something can be written again: to say so in the log.
    room : int
        Bytes that may wait.
    """

    def __init__(self, instead: TextIO, tell: Callable[[int], None], room: int = MAX_PENDING_BYTES) -> None:
        self.instead, self._tell, self._room = instead, tell, room
        self._descriptor = instead.fileno()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._moved = threading.Condition()
        self._untold = 0
        self._cut = False
        self.dropped = 0
        threading.Thread(target=self._pass_on, name="drift-outlet", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed: an attribute
        """UTF-8, whatever the terminal's: what it cannot hold is escaped."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """Never a reason not to write."""
        return "backslashreplace"

    def write(self, text: str) -> int:
        """Have it passed on; where there is no room, it is lost."""
        data = text.encode(self.encoding, self.errors)
        with self._moved:
            if self._size + len(data) > self._room:
                self._lose(data)
            else:
                self._waiting.append(data)
                self._size += len(data)
                self._moved.notify_all()
        return len(text)

    def flush(self) -> None:
        """Nothing: it is asked for after each line, and would have to wait."""

    def drain(self, seconds: float) -> bool:
        """Wait until all is passed on, so long at most. Whether it is."""
        with self._moved:
            return self._moved.wait_for(lambda: not self._waiting, seconds)

    def fileno(self) -> int:
        """Where it goes, for those who know how to wait for it."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Always."""
        return True

    def _lose(self, data: bytes) -> None:
        self.dropped += data.count(b"\n")
        self._untold += data.count(b"\n")

    def _pass_on(self) -> None:
        while True:
            with self._moved:
                self._moved.wait_for(lambda: self._waiting)
                data = self._waiting[0]  # and stays there until it is out: whoever drains waits for it
            out = self._put(data)
            with self._moved:
                if not out:
                    self._lose(data)
                untold = self._untold if out and len(self._waiting) == 1 else 0
                self._untold -= untold
            if untold:
                self._tell(untold)
            with self._moved:
                self._waiting.popleft()
                self._size -= len(data)
                self._moved.notify_all()

    def _put(self, data: bytes) -> bool:
        data = b"\n" * self._cut + data  # the line that was cut off costs no other one
        while data:
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:  # another process that has it made it so
                select.select([], [self._descriptor], [])
            except OSError:  # nobody is left to read it, no room on its disk: it costs the lines, no more
                return False
            else:
                self._cut = not data[:written].endswith(b"\n")
                data = data[written:]
        self._cut = False
        return True
