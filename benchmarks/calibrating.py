"""Time of calibration on reference windows, and of evidence for a window: ``python benchmarks/calibrating.py``.

Goals: calibrate 200 columns of 100 windows in less than 2 s; give the evidence for 10,000 counted columns of one window
in less than 1 s, by 60 reference windows. Columns have 10 bins and the special ones. Seconds, best of 3 rounds.
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
    """Time each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=10_000)
    options = parser.parse_args()
    few = histories(200, 100)
    print(f"calibrate 200 columns x 100 windows       {seconds(ROUNDS, lambda: Calibration(few)):6.3f} s")
    print(f"the same, with typical scores            {seconds(ROUNDS, lambda: calibrate_and_score(few)):5.3f} s")
    many = histories(options.columns, 60)
    calibration = Calibration(many)
    live = {name: Histogram(AXIS, history.counts[-1]) for name, history in many.items()}
    print(f"calibrate {options.columns:,} columns x 60 windows     {seconds(ROUNDS, lambda: Calibration(many)):6.3f} s")
    evidence = seconds(ROUNDS, lambda: calibration.evidence(live))
    print(f"evidence for {options.columns:,} columns x 1 window   {evidence:6.3f} s")


def calibrate_and_score(histories_by_column: dict[str, History]) -> None:
    """Compute all that the first window of a monitor needs from a reference."""
    Calibration(histories_by_column).typical_scores(Method("js_distance"), 1e-4, histories_by_column)


def histories(columns: int, windows: int) -> dict[str, History]:
    """Return windows of 1,000 independent rows, 1 % of them missing."""
    rng = np.random.default_rng(0)
    shares = np.concatenate([[0.0], np.full(BINS, 0.99 / BINS), [0.0, 0.01]])
    counts = rng.multinomial(1000, shares, size=(columns, windows))
    return {f"c{i}": History(AXIS, each) for i, each in enumerate(counts)}


if __name__ == "__main__":
    main()
