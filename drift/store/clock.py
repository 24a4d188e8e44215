"""One clock for all who share a store: the database server's, asked now and then, told on by the host's own ticking."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

MAX_READING_AGE: Final = 30.0
"""Seconds until the server is asked again; a host's ticking strays by less than a millisecond in that time."""


def elapsed() -> float:
    """The host's count of seconds, which never steps; on Linux with those that it was suspended for.

    Elsewhere the server's time is behind by these, until it is asked again.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the server's clock showed, and the host's count of seconds then."""

    moment: datetime
    seconds: float


class SharedClock:
    """The server's time. Steps of the host's own clock do not matter; how late an answer came is not added.

    Parameters
    ----------
    read : callable
        Opens a transaction.
    seconds : callable
        The host's count of seconds, which never steps.
    """

    def __init__(
        self, read: Callable[[], AbstractContextManager[Connection]], seconds: Callable[[], float] = elapsed
    ) -> None:
        self._read, self._seconds = read, seconds
        self._last: _Reading | None = None

    def __call__(self) -> datetime:
        """The time, in UTC.

        Raises
        ------
        StoreError
            Where the server has to be asked and does not answer.
        """
        last, here = self._last, self._seconds()  # another thread may replace it: either reading is right
        if last is None or here - last.seconds >= MAX_READING_AGE:
            with self._read() as connection:
                asked: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            last = self._last = _Reading(asked.astimezone(UTC), self._seconds())
            return last.moment
        return last.moment + timedelta(seconds=here - last.seconds)
