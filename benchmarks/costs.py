"""Cost of a column of a window, by step: ``python benchmarks/costs.py [--columns 100]``.

CPU seconds of this process with its threads, the minimum of five, divided by the columns: other processes
hardly affect it. A window is an hour of a Parquet file, a row group each; the reference has 24 windows.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet
import machine
import pyarrow.parquet as pq

import drift
from drift.histogram import Profile
from drift.monitors.alert_rules import transitions
from drift.monitors.comparison import ColumnResult, SegmentReference, SegmentResult, compare_profiles
from drift.monitors.spec import Columns
from drift.monitors.verdict import worst
from drift.monitors.window import Window
from drift.references import freeze_reference
from drift.references.resolver import ReferenceResolver
from drift.runner.evaluate import window_rng
from drift.runner.plan import plan_windows
from drift.sources import open_source
from drift.store import Outcome, Store

HOURS = 12


def main() -> None:
    """Measure, and print microseconds of each step for a column of a window as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    results: dict[str, Any] = {
        "machine": machine.described(),
        "columns": options.columns,
        "unit": "CPU us a column-window",
    }
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/drift.db") as store:
            results[f"{rows} rows"] = parts(store, Path(folder), options.columns, rows)
    print(json.dumps(results, indent=2))


def parts(store: Store, folder: Path, columns: int, rows: int) -> dict[str, float]:
    """Return microseconds per column of each step."""
    (monitor,) = fleet.fleet(folder, 1, columns, HOURS, rows)
    until = fleet.FIRST + (fleet.REFERENCE_HOURS + HOURS) * fleet.HOUR
    source = open_source(monitor)
    definition = plan_windows(store, monitor, source, until)
    started = time.process_time()
    baseline = freeze_reference(store, monitor, definition, until)
    frozen = time.process_time() - started
    due = store.windows.due(definition, until)
    window, whole = due[-1].window, baseline.profiles[""]
    reference = ReferenceResolver(monitor, baseline).resolve(window).segments[""]
    live = source.count(whole.axes, window, (), baseline.profiles)[""]
    result = SegmentResult("", live, compare(live, reference, window))
    table = pq.read_table(monitor.source.path).slice((fleet.REFERENCE_HOURS + HOURS - 1) * rows)
    claims = iter([store.windows.claim(item.id, definition, "benchmark", until, fleet.HOUR) for item in due])
    results = {
        "count from Parquet": cpu(lambda: source.count(whole.axes, window, (), baseline.profiles)),
        "count in memory": cpu(lambda: drift.profile(table, axes=whole)),
        "compare with 24 windows": cpu(lambda: compare(live, reference, window)),
        "compare two samples": cpu(lambda: compare(live, whole, window)),
        "decide on alerts": cpu(lambda: transitions(monitor, window, (result,), {}, until)),
        "store": cpu(lambda: store.windows.commit(next(claims), outcome(result, baseline.id), until)),
        "read a window for a page": cpu(lambda: store.history.results(monitor.name, due[0].window.start)),
        "read a window's scores": cpu(lambda: store.queries.scores(monitor.name, until=due[1].window.start)),
        "freeze a window of the reference": frozen / fleet.REFERENCE_HOURS,
    }
    return {name: round(seconds / columns * 1e6, 1) for name, seconds in results.items()}


def compare(live: Profile, reference: SegmentReference | Profile, window: Window) -> tuple[ColumnResult, ...]:
    """Compare a window with a reference."""
    return compare_profiles(live, reference, Columns(), window_rng("monitor", window))


def outcome(result: SegmentResult, baseline_id: int) -> Outcome:
    """Return the outcome of a window without a change of alerts."""
    verdict = worst([column.verdict for column in result.columns])
    return Outcome(result.live.rows, verdict, "benchmark", {}, baseline_id, (result,))


def cpu(function: Callable[[], object]) -> float:
    """Return CPU seconds, the minimum of five."""
    timings = []
    for _ in range(5):
        started = time.process_time()
        function()
        timings.append(time.process_time() - started)
    return min(timings)


if __name__ == "__main__":
    main()
