"""A clock that can be set: the time of day of whichever processes are started with it, while they run."""

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
    """A time of day; right at first. Close it when whoever runs by it has ended."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="drift-clock-"))
        self._folder.chmod(0o755)  # a database server runs as a user of its own
        path = self._folder / "time-of-day"
        path.write_bytes(bytes(_SIZE))
        path.chmod(0o644)
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _SIZE)
        self._number, self._lock = 0, threading.Lock()
        self._ahead, self._since, self._ppm = 0, time.monotonic_ns(), 0
        self.env: Final = {"LD_PRELOAD": str(library("clock", self._folder)), "TIME_OF_DAY": str(path)}
        """What a process needs in its environment to have this time."""

    @property
    def seconds(self) -> float:
        """How far it is ahead by now."""
        return self._at(time.monotonic_ns()) / _SECOND

    def now(self) -> datetime:
        """The time that it shows, in UTC."""
        return datetime.fromtimestamp(time.time() + self.seconds, UTC)

    def step(self, seconds: float) -> None:
        """Set it ahead, or back where negative."""
        self._set(round(seconds * _SECOND))

    def turn_to(self, moment: datetime) -> None:
        """Set it to a moment."""
        self.step((moment - self.now()).total_seconds())

    def slew(self, ppm: int) -> None:
        """From now on let it gain so many microseconds in each second, or lose them where negative."""
        self._set(0, ppm)

    def close(self) -> None:
        """Remove its files."""
        self._page.close()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _at(self, steady: int) -> int:
        return self._ahead + (steady - self._since) // 1_000_000 * self._ppm

    def _set(self, by: int, ppm: int | None = None) -> None:
        with self._lock:
            self._write(by, self._ppm if ppm is None else ppm)

    def _write(self, by: int, ppm: int) -> None:
        here = time.monotonic_ns()
        self._ahead, self._since, self._ppm = self._at(here) + by, here, ppm
        self._number += 1
        where = _NEWEST.size + self._number * _SETTING.size
        self._page[where : where + _SETTING.size] = _SETTING.pack(self._ahead, self._since, ppm)
        self._page[: _NEWEST.size] = _NEWEST.pack(self._number)  # after its setting: eight bytes, written as one
