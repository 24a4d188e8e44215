"""Learning from reference windows, and judging by it: ``python benchmarks/calibrating.py``.

Goals: 200 columns of 100 windows are learned in less than 2 s, 10,000 columns of one window judged in less than 1 s
once they are counted. Columns of 10 bins and the special ones; 60 reference windows where columns are judged. Seconds,
best of some rounds.
"""

import argparse

import numpy as np
from machine import seconds

from drift.histogram import Histogram, History, NumericAxis
from drift.stats.calibration import Calibration
from drift.stats.scoring import Method

ROUNDS = 3
BINS = 10
AXIS = NumericAxis(tuple(range(BINS + 1)))


def main() -> None:
    """Each step by itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=10_000)
    given = parser.parse_args()
    few = histories(200, 100)
    print(f"learn 200 columns x 100 windows       {seconds(ROUNDS, lambda: Calibration(few)):6.3f} s")
    print(f"the same, and what ordinary ones score {seconds(ROUNDS, lambda: scored(few)):5.3f} s")
    many = histories(given.columns, 60)
    calibration = Calibration(many)
    live = {name: Histogram(AXIS, history.counts[-1]) for name, history in many.items()}
    print(f"learn {given.columns:,} columns x 60 windows     {seconds(ROUNDS, lambda: Calibration(many)):6.3f} s")
    print(
        f"judge {given.columns:,} columns x 1 window       {seconds(ROUNDS, lambda: calibration.evidence(live)):6.3f} s"
    )


def scored(known: dict[str, History]) -> None:
    """All that a window of a monitor asks of a reference seen for the first time."""
    Calibration(known).typical_scores(Method("js_distance"), 1e-4, known)


def histories(columns: int, windows: int) -> dict[str, History]:
    """Windows of 1,000 independent rows, one in a hundred missing."""
    rng = np.random.default_rng(0)
    shares = np.concatenate([[0.0], np.full(BINS, 0.99 / BINS), [0.0, 0.01]])
    counts = rng.multinomial(1000, shares, size=(columns, windows))
    return {f"c{i}": History(AXIS, each) for i, each in enumerate(counts)}


if __name__ == "__main__":
    main()
