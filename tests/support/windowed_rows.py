"""Rows of seven days around a change of clocks, and the windows to count them in."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from drift.monitors.window import Period

ZONE = ZoneInfo("America/New_York")
START = datetime(2011, 3, 10, 5, tzinfo=UTC)
ROWS = 4_000
DAYS = tuple(Period.parse("1d").windows(START, START + timedelta(days=9), ZONE))  # one of them has 23 hours
WINDOWS = (*DAYS[:3], *DAYS[4:])  # with a gap; the last two hold no rows
NAMES = ("x", "n", "plan", "city", "ok")


def windowed_rows(*, shuffled: bool = False, seed: int = 1) -> pa.Table:
    """Return rows of seven days, of which every hundredth has no instant; the first ones are before all windows."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(-20_000, 7 * 86_400 - 4_000, ROWS))
    if shuffled:
        rng.shuffle(seconds)
    x = rng.normal(size=ROWS)
    x[::50] = np.nan
    return pa.table(
        {
            "t": pa.array([None if i % 100 == 7 else START + timedelta(seconds=int(s)) for i, s in enumerate(seconds)]),
            "x": x,
            "n": pa.array(rng.integers(-50, 2**55, ROWS), mask=rng.random(ROWS) < 0.1),
            "plan": [("free", "pro", None, "café")[i] for i in rng.integers(0, 4, ROWS)],
            "city": [f"c{i}" for i in rng.geometric(0.02, ROWS)],
            "ok": pa.array(rng.random(ROWS) < 0.3),
        }
    )
