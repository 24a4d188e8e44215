"""A store with a year of windows, time and size: ``python benchmarks/store.py [--url URL] [--columns 200]``.

Every window passes through `plan`, `claim` and `finish`, as in the service, without counting and comparing: 24 results
prepared before are reused in turn. Default: a SQLite file in a temporary folder. A store filled before (``--keep FILE``
or the same ``--url``) is only queried.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import machine
import numpy as np

from drift.histogram import Histogram, NumericAxis, Profile
from drift.monitors.comparison import SegmentResult, compare_profiles
from drift.monitors.spec import Columns
from drift.monitors.verdict import worst
from drift.monitors.window import Window
from drift.store import NewReference, Outcome, Store, migrate

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROWS = 10_000
DISTINCT = 24
T = TypeVar("T")
GOALS = {"finish": 0.05, "column_year": 0.1, "bytes_per_column_window": 1024}


def main() -> None:
    """Fill an empty store, query it, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an empty PostgreSQL database, or a store filled before")
    parser.add_argument("--keep", help="a SQLite file to keep")
    parser.add_argument("--windows", type=int, default=8760)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--bins", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.url or f"sqlite:///{options.keep or Path(folder) / 'year.db'}"
        migrate.upgrade(url)
        with Store.open(url) as store:
            before = store.queries.size()
            results: dict[str, Any] = {
                "machine": machine.described(),
                "windows": options.windows,
                "columns": options.columns,
            }
            if not store.monitors.names():
                results["filling"] = fill(store, options.windows, options.columns, options.bins)
                results["bytes_per_column_window"] = (store.queries.size() - before) / (
                    options.windows * options.columns
                )
            results["bytes"] = store.queries.size()
            results["querying"] = query_times(store, options.windows)
    results |= {"load_at_end": round(os.getloadavg()[0], 2), "goals": GOALS}
    print(json.dumps(results, indent=2))


def fill(store: Store, windows: int, columns: int, bins: int) -> dict[str, float]:
    """Store a year of windows of one monitor; return seconds of each kind of transaction."""
    rng = np.random.default_rng(7)
    reference = profile(ROWS * 28, columns, bins, rng)
    prepared = [compare(profile(ROWS, columns, bins, rng), reference, rng) for _ in range(min(windows, DISTINCT))]
    definition = store.monitors.define("wide", {"window": "1h"}, FIRST)
    baseline = store.references.freeze(definition.monitor_id, "reference", NewReference({"": reference}, {}), FIRST)
    seconds: dict[str, list[float]] = {"plan": [], "claim": [], "finish": []}
    for number in range(windows):
        window = Window(FIRST + number * HOUR, FIRST + (number + 1) * HOUR)
        segment = prepared[number % len(prepared)]
        _, elapsed = timed(store.windows.plan, definition, [(window, window.end)])
        seconds["plan"].append(elapsed)
        (due,) = store.windows.due(definition, window.end, 1)
        claim, elapsed = timed(store.windows.claim, due.id, definition, "benchmark", window.end, HOUR)
        if claim is None:
            raise SystemExit("another process uses this store; run the benchmark on a store of its own")
        seconds["claim"].append(elapsed)
        outcome = Outcome(
            rows=segment.live.rows,
            verdict=worst([column.verdict for column in segment.columns]),
            message=f"0 of {columns} columns drifted",
            source={"files": [{"path": f"/data/{window.start:%Y/%m/%d/%H}.parquet", "bytes": 1_000_000}]},
            baseline_id=baseline.id,
            segments=(segment,),
            judged={"reference": "fixed", "windows": 672},
        )
        _, elapsed = timed(store.windows.commit, claim, outcome, window.end)
        seconds["finish"].append(elapsed)
    newest = {name: elapsed[-len(elapsed) // 10 :] for name, elapsed in seconds.items()}
    return {
        "seconds": sum(map(sum, seconds.values())),
        **{f"{name}_median": statistics.median(elapsed) for name, elapsed in newest.items()},
        **{f"{name}_p95": statistics.quantiles(elapsed, n=20)[-1] for name, elapsed in newest.items()},
    }


def profile(rows: int, columns: int, bins: int, rng: np.random.Generator) -> Profile:
    """Return a profile whose columns have edges of their own."""
    counted = {}
    for number in range(columns):
        axis = NumericAxis(tuple(float(number + edge) for edge in range(bins + 1)))
        counts = rng.multinomial(rows, np.full(axis.n_bins, 1 / axis.n_bins))
        counted[f"column_{number:03d}"] = Histogram(axis, counts)
    return Profile(counted, rows)


def compare(live: Profile, reference: Profile, rng: np.random.Generator) -> SegmentResult:
    """Compare a window with the reference."""
    return SegmentResult("", live, compare_profiles(live, reference, Columns(), rng))


def query_times(store: Store, windows: int) -> dict[str, dict[str, float]]:
    """Return the time of the queries of pages, reports and references."""
    end = FIRST + windows * HOUR
    (name,) = store.monitors.names()
    return {
        "column_year": timings(lambda: store.queries.scores(name, column="column_017")),
        "windows_year": timings(lambda: store.queries.windows(name)),
        "one_window_scores": timings(lambda: store.queries.scores(name, since=end - HOUR)),
        "one_window_results": timings(lambda: store.history.results(name, end - HOUR)),
        "past_28_days": timings(lambda: store.history.windows(name, since=end - 28 * 24 * HOUR)),
        "standings": timings(lambda: store.monitors.statuses(end)),
    }


def timings(function: Callable[[], object]) -> dict[str, float]:
    """Return seconds, and CPU seconds of this process without a server's, of nine calls after a first one."""
    first = timed(function)[1]
    seconds, cpu = [], []
    for _ in range(9):
        started = time.process_time()
        seconds.append(timed(function)[1])
        cpu.append(time.process_time() - started)
    return {"first": first, "seconds": min(seconds), "median": statistics.median(seconds), "cpu_seconds": min(cpu)}


def timed(function: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    """Return the result of a call and its seconds."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


if __name__ == "__main__":
    main()
