"""Time of comparing 10,000 counted columns: ``python benchmarks/judging.py [--columns 10000]``.

Seventy columns of a hundred are numbers in 10 bins and the special ones, thirty are names (8 to 53 bins); live windows
and references of 10,000 and of 1,000,000 rows. `plain`: every bin used by the reference has many rows. `edges`: as in
practice, a value or two are beyond the reference's range, and few names are rare: counts that no formula covers.
`moved`: as `edges`, and one column in ten has drifted. Seconds, best of 3 rounds.
"""

import argparse

import numpy as np
import numpy.typing as npt
from machine import seconds

from drift.histogram import CategoricalAxis, Histogram, NumericAxis, Profile
from drift.monitors.comparison import compare_profiles
from drift.monitors.spec import Columns
from drift.stats.scoring import Method, Pair, score_all

ROUNDS = 3
Shares = npt.NDArray[np.float64]
NUMBERS = NumericAxis(tuple(range(11)))


def main() -> None:
    """Time each kind of window, without and with verdicts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=10_000)
    parser.add_argument("--metric", default="js_distance")
    options = parser.parse_args()
    method = Method(options.metric)
    for rows in (10_000, 1_000_000):
        for kind in ("plain", "edges", "moved"):
            live, reference = profiles(options.columns, rows, kind)
            pairs = [Pair(live[name], reference[name], method, (1, i)) for i, name in enumerate(live)]
            scores_only = seconds(ROUNDS, lambda: score_all(pairs))  # noqa: B023 - called at once
            verdicts = seconds(ROUNDS, lambda: compare_profiles(live, reference, Columns(), np.random.default_rng(1)))  # noqa: B023
            print(f"{options.columns:,} columns of {rows:>9,} rows, {kind:6} score_all {scores_only:6.2f} s   "
                  f"compare_profiles (js_distance) {verdicts:6.2f} s", flush=True)  # fmt: skip


def profiles(columns: int, rows: int, kind: str) -> tuple[Profile, Profile]:
    """Return a live window and a reference."""
    rng = np.random.default_rng(0)
    live, reference = {}, {}
    for i in range(columns):
        axis, shares = numbers(rng, kind) if i % 10 < 7 else names(rng, kind)
        changed = shares
        if kind == "moved" and i % 10 in {0, 9}:
            changed = shares * rng.uniform(0.7, 1.4, len(shares))
        reference[f"c{i}"] = Histogram(axis, rng.multinomial(rows, shares))
        live[f"c{i}"] = Histogram(axis, rng.multinomial(rows, changed / changed.sum()))
    return Profile(live, rows), Profile(reference, rows)


def numbers(rng: np.random.Generator, kind: str) -> tuple[NumericAxis, Shares]:
    """Return ten bins of about equal shares; one row in ten thousand is beyond each end."""
    beyond = 0.0 if kind == "plain" else 1e-4
    missing = rng.choice([0.0, 0.03])
    inner = rng.dirichlet(np.full(10, 50.0)) * (1 - 2 * beyond - missing)
    return NUMBERS, np.concatenate([[beyond], inner, [beyond, missing]])


def names(rng: np.random.Generator, kind: str) -> tuple[CategoricalAxis, Shares]:
    """Return five to fifty names by Zipf's law, with rare, unseen and missing ones."""
    n = int(rng.integers(5, 51))
    axis = CategoricalAxis(tuple(f"n{i}" for i in range(n)))
    known = 1 / np.arange(1.0, n + 1)
    others = [0.03, 0.0, 0.02] if kind == "plain" else [3e-4, 0.0, 1e-4]
    return axis, np.concatenate([known / known.sum() * (1 - sum(others)), others])


if __name__ == "__main__":
    main()
