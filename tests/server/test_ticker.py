"""The alarm clock rings by the seconds that pass, whatever the host's clock shows."""

import threading
import time
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

import pytest

from drift.server.ticker import Ticker


class Wrong(datetime):
    """The host's clock, which somebody sets."""

    by: ClassVar[timedelta] = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Wrong":
        return cls.fromtimestamp((datetime.now(tz) + cls.by).timestamp(), tz)


@pytest.mark.parametrize("days", [-1, 1])
def test_it_rings_on_at_its_pace_when_the_hosts_clock_is_set(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    for module in ("apscheduler.schedulers.base", "drift.server.ticker"):
        monkeypatch.setattr(f"{module}.datetime", Wrong)
    monkeypatch.setattr(Wrong, "by", timedelta(0))
    rings: list[float] = []
    some = threading.Semaphore(0)

    def ring() -> None:
        rings.append(time.monotonic())
        some.release()

    alarm = Ticker(ring, 0.2, pytest.fail)
    alarm.start()
    try:
        for by in (0, days, 0):  # as it was, set, and set right again
            time.sleep(0.05)  # the scheduler sleeps by then
            Wrong.by = timedelta(days=by)
            for _ in range(3):
                assert some.acquire(timeout=60), f"no ring with the clock set by {by} days"
        assert len(rings) == 9
        assert rings[-1] - rings[0] >= 8 * 0.2 - 0.1, "as often as before, not once for each that a clock missed"
    finally:
        alarm.stop(1)
