"""The ticker follows the monotonic clock, whatever the host's clock shows."""

import threading
import time
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

import pytest

from drift.server.ticker import Ticker


class AdjustedClock(datetime):
    """The host's clock, set by an offset."""

    offset: ClassVar[timedelta] = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "AdjustedClock":
        return cls.fromtimestamp((datetime.now(tz) + cls.offset).timestamp(), tz)


@pytest.mark.parametrize("days", [-1, 1])
def test_ticks_keep_their_interval_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    for module in ("apscheduler.schedulers.base", "drift.server.ticker"):
        monkeypatch.setattr(f"{module}.datetime", AdjustedClock)
    monkeypatch.setattr(AdjustedClock, "offset", timedelta(0))
    ticks: list[float] = []
    ticked = threading.Semaphore(0)

    def tick() -> None:
        ticks.append(time.monotonic())
        ticked.release()

    ticker = Ticker(tick, 0.2, pytest.fail)
    ticker.start()
    try:
        for offset in (0, days, 0):  # as it was, set, and set right again
            time.sleep(0.05)  # the scheduler sleeps by then
            AdjustedClock.offset = timedelta(days=offset)
            for _ in range(3):
                assert ticked.acquire(timeout=60), f"no tick with the clock set by {offset} days"
        assert len(ticks) == 9
        assert ticks[-1] - ticks[0] >= 8 * 0.2 - 0.1, "as often as before, not once for each that a clock missed"
    finally:
        ticker.stop(1)
