"""One clock for all users of a store: the database server's, asked now and then, continued by the host's counter."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

MAX_READING_AGE: Final = 30.0
"""Seconds until the server is asked again; a host's counter drifts by less than a millisecond in that time."""


def elapsed() -> float:
    """Return the host's count of seconds, which is never set; on Linux it includes suspended time.

    Elsewhere the shared time is late by the suspended time, until the server is asked again.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


@dataclass(frozen=True, slots=True)
class _Reading:
    """Time of the server's clock, and the host's count of seconds then."""

    instant: datetime
    seconds: float


class SharedClock:
    """The server's time. Changes of the host's own clock do not matter; the delay of an answer is not added.

    `read` opens a transaction; `seconds` is the host's count of seconds, which is never set.
    """

    def __init__(
        self, read: Callable[[], AbstractContextManager[Connection]], seconds: Callable[[], float] = elapsed
    ) -> None:
        self._read, self._seconds = read, seconds
        self._last: _Reading | None = None

    def __call__(self) -> datetime:
        """Return the time, in UTC.

        Raises
        ------
        StoreError
            If the server must be asked and does not answer.
        """
        last, seconds = self._last, self._seconds()  # another thread may replace it: either reading is right
        if last is None or seconds - last.seconds >= MAX_READING_AGE:
            with self._read() as connection:
                instant: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            last = self._last = _Reading(instant.astimezone(UTC), self._seconds())
            return last.instant
        return last.instant + timedelta(seconds=seconds - last.seconds)
