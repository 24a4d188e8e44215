"""The store with a year in it: ``python benchmarks/store.py [--url URL] [--windows 8760] [--columns 200]``.

Every window goes through what the service does, `plan`, `claim` and `finish`; only counting and judging are left out:
windows take turns with 24 that were counted and judged before. Default: a SQLite file in a folder that is removed.
A store that was filled before (``--keep FILE`` or the same ``--url``) is only asked.
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
    """Fill what is empty, ask, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an empty PostgreSQL database, or a store filled before")
    parser.add_argument("--keep", help="a SQLite file to leave behind")
    parser.add_argument("--windows", type=int, default=8760)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--bins", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{given.keep or Path(folder) / 'year.db'}"
        migrate.upgrade(url)
        with Store.open(url) as store:
            before = store.queries.size()
            told: dict[str, Any] = {"machine": machine.described(), "windows": given.windows, "columns": given.columns}
            if not store.monitors.names():
                told["filling"] = fill(store, given.windows, given.columns, given.bins)
                told["bytes_per_column_window"] = (store.queries.size() - before) / (given.windows * given.columns)
            told["bytes"] = store.queries.size()
            told["asking"] = ask(store, given.windows)
    told |= {"load_at_end": round(os.getloadavg()[0], 2), "goals": GOALS}
    print(json.dumps(told, indent=2))


def fill(store: Store, windows: int, columns: int, bins: int) -> dict[str, float]:
    """A year of windows of one monitor; seconds of the transactions that each takes."""
    rng = np.random.default_rng(7)
    reference = profile(ROWS * 28, columns, bins, rng)
    found = [judged(profile(ROWS, columns, bins, rng), reference, rng) for _ in range(min(windows, DISTINCT))]
    definition = store.monitors.define("wide", {"window": "1h"}, FIRST)
    baseline = store.references.freeze(definition.monitor_id, "reference", NewReference({"": reference}, {}), FIRST)
    seconds: dict[str, list[float]] = {"plan": [], "claim": [], "finish": []}
    for number in range(windows):
        window = Window(FIRST + number * HOUR, FIRST + (number + 1) * HOUR)
        part = found[number % len(found)]
        _, took = timed(store.windows.plan, definition, [(window, window.end)], window.end)
        seconds["plan"].append(took)
        (due,) = store.windows.due(definition, window.end, 1)
        claim, took = timed(store.windows.claim, due.id, definition, "benchmark", window.end, HOUR)
        if claim is None:
            raise SystemExit("another process checks this store; give the benchmark one of its own")
        seconds["claim"].append(took)
        outcome = Outcome(
            rows=part.live.rows,
            verdict=worst([column.verdict for column in part.columns]),
            message=f"0 of {columns} columns drifted",
            source={"files": [{"path": f"/data/{window.start:%Y/%m/%d/%H}.parquet", "bytes": 1_000_000}]},
            baseline_id=baseline.id,
            segments=(part,),
            judged={"reference": "fixed", "windows": 672},
        )
        _, took = timed(store.windows.commit, claim, outcome, window.end)
        seconds["finish"].append(took)
    newest = {name: took[-len(took) // 10 :] for name, took in seconds.items()}
    return {
        "seconds": sum(map(sum, seconds.values())),
        **{f"{name}_median": statistics.median(took) for name, took in newest.items()},
        **{f"{name}_p95": statistics.quantiles(took, n=20)[-1] for name, took in newest.items()},
    }


def profile(rows: int, columns: int, bins: int, rng: np.random.Generator) -> Profile:
    """So many columns, each with edges of its own."""
    counted = {}
    for number in range(columns):
        axis = NumericAxis(tuple(float(number + edge) for edge in range(bins + 1)))
        counts = rng.multinomial(rows, np.full(axis.n_bins, 1 / axis.n_bins))
        counted[f"column_{number:03d}"] = Histogram(axis, counts)
    return Profile(counted, rows)


def judged(live: Profile, reference: Profile, rng: np.random.Generator) -> SegmentResult:
    """What a check of this window finds."""
    return SegmentResult("", live, compare_profiles(live, reference, Columns(), rng))


def ask(store: Store, windows: int) -> dict[str, dict[str, float]]:
    """What the questions of pages, reports and references take."""
    end = FIRST + windows * HOUR
    (name,) = store.monitors.names()
    return {
        "column_year": asked(lambda: store.queries.scores(name, column="column_017")),
        "windows_year": asked(lambda: store.queries.windows(name)),
        "one_window_scores": asked(lambda: store.queries.scores(name, since=end - HOUR)),
        "one_window_results": asked(lambda: store.history.results(name, end - HOUR)),
        "past_28_days": asked(lambda: store.history.windows(name, since=end - 28 * 24 * HOUR)),
        "standings": asked(lambda: store.monitors.statuses(end)),
    }


def asked(question: Callable[[], object]) -> dict[str, float]:
    """Seconds, and CPU seconds of this process (a server's are not in them): of nine calls after a first one."""
    first = timed(question)[1]
    seconds, cpu = [], []
    for _ in range(9):
        begun = time.process_time()
        seconds.append(timed(question)[1])
        cpu.append(time.process_time() - begun)
    return {"first": first, "seconds": min(seconds), "median": statistics.median(seconds), "cpu_seconds": min(cpu)}


def timed(question: Callable[..., T], *given: Any) -> tuple[T, float]:
    """An answer, and the seconds until it came."""
    begun = time.perf_counter()
    found = question(*given)
    return found, time.perf_counter() - begun


if __name__ == "__main__":
    main()
