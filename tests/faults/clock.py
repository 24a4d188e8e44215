"""A settable clock: the time of day of processes that are started with its environment, while they run."""

import mmap
import shutil
import struct
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from tests.faults.preload import library

_SETTING: Final = struct.Struct("=qqq")  # as `struct setting` in clock.c
_NEWEST: Final = struct.Struct("=q")
_SIZE: Final = 1 << 20  # bytes: some 40,000 settings
_SECOND: Final = 1_000_000_000  # nanoseconds


class Clock:
    """A time of day, correct at first. Close it after the processes that use it have ended."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="drift-clock-"))
        self._folder.chmod(0o755)  # a database server runs as another user
        path = self._folder / "time-of-day"
        path.write_bytes(bytes(_SIZE))
        path.chmod(0o644)
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _SIZE)
        self._number, self._lock = 0, threading.Lock()
        self._ahead, self._since, self._ppm = 0, time.monotonic_ns(), 0
        self.env: Final = {"LD_PRELOAD": str(library("clock", self._folder)), "TIME_OF_DAY": str(path)}
        """Environment variables of a process that uses this clock."""

    @property
    def seconds(self) -> float:
        """How far the clock is ahead now, in seconds."""
        return self._at(time.monotonic_ns()) / _SECOND

    def now(self) -> datetime:
        """The time shown by the clock, in UTC."""
        return datetime.fromtimestamp(time.time() + self.seconds, UTC)

    def step(self, seconds: float) -> None:
        """Set the clock ahead, or back if negative."""
        self._set(round(seconds * _SECOND))

    def set_to(self, moment: datetime) -> None:
        """Set the clock to an instant."""
        self.step((moment - self.now()).total_seconds())

    def slew(self, ppm: int) -> None:
        """Let the clock gain `ppm` microseconds a second from now on, or lose them if negative."""
        self._set(0, ppm)

    def close(self) -> None:
        """Remove the clock's files."""
        self._page.close()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _at(self, monotonic: int) -> int:
        return self._ahead + (monotonic - self._since) // 1_000_000 * self._ppm

    def _set(self, by: int, ppm: int | None = None) -> None:
        with self._lock:
            self._write(by, self._ppm if ppm is None else ppm)

    def _write(self, by: int, ppm: int) -> None:
        now = time.monotonic_ns()
        self._ahead, self._since, self._ppm = self._at(now) + by, now, ppm
        self._number += 1
        offset = _NEWEST.size + self._number * _SETTING.size
        self._page[offset : offset + _SETTING.size] = _SETTING.pack(self._ahead, self._since, ppm)
        self._page[: _NEWEST.size] = _NEWEST.pack(self._number)  # after its setting; one write of eight bytes
