"""What a column of a window costs, part by part: ``python benchmarks/costs.py [--columns 100]``.

CPU seconds of this process (threads included), the least of five, over the columns: what other processes of the machine
do hardly shows. Windows are an hour of a Parquet file, a row group each; the reference is 24 of them.
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
    """Measure, print JSON: microseconds of a column of a window."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--columns", type=int, default=100)
    asked.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    given = asked.parse_args()
    told: dict[str, Any] = {"machine": machine.described(), "columns": given.columns, "unit": "CPU us a column-window"}
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/drift.db") as store:
            told[f"{rows} rows"] = parts(store, Path(folder), given.columns, rows)
    print(json.dumps(told, indent=2))


def parts(store: Store, folder: Path, columns: int, rows: int) -> dict[str, float]:
    """Of each part, microseconds a column."""
    (monitor,) = fleet.fleet(folder, 1, columns, HOURS, rows)
    until = fleet.FIRST + (fleet.REFERENCE_HOURS + HOURS) * fleet.HOUR
    source = open_source(monitor)
    definition = plan_windows(store, monitor, source, until)
    begun = time.process_time()
    baseline = freeze_reference(store, monitor, definition, until)
    frozen = time.process_time() - begun
    due = store.windows.due(definition, until)
    window, whole = due[-1].window, baseline.profiles[""]
    held = ReferenceResolver(monitor, baseline).resolve(window).segments[""]
    live = source.count(whole.axes, window, (), baseline.profiles)[""]
    found = SegmentResult("", live, judged(live, held, window))
    table = pq.read_table(monitor.source.path).slice((fleet.REFERENCE_HOURS + HOURS - 1) * rows)
    claims = iter([store.windows.claim(one.id, definition, "benchmark", until, fleet.HOUR) for one in due])
    told = {
        "count from Parquet": cpu(lambda: source.count(whole.axes, window, (), baseline.profiles)),
        "count in memory": cpu(lambda: drift.profile(table, axes=whole)),
        "judge by 24 windows": cpu(lambda: judged(live, held, window)),
        "judge by two samples": cpu(lambda: judged(live, whole, window)),
        "decide on alerts": cpu(lambda: transitions(monitor, window, (found,), {}, until)),
        "store": cpu(lambda: store.windows.commit(next(claims), outcome(found, baseline.id), until)),
        "read a window for a page": cpu(lambda: store.history.results(monitor.name, due[0].window.start)),
        "read a window's scores": cpu(lambda: store.queries.scores(monitor.name, until=due[1].window.start)),
        "freeze a window of the reference": frozen / fleet.REFERENCE_HOURS,
    }
    return {name: round(seconds / columns * 1e6, 1) for name, seconds in told.items()}


def judged(live: Profile, held: SegmentReference | Profile, window: Window) -> tuple[ColumnResult, ...]:
    """What comparing finds."""
    return compare_profiles(live, held, Columns(), window_rng("monitor", window))


def outcome(found: SegmentResult, baseline_id: int) -> Outcome:
    """Of a window in which no alert turned."""
    verdict = worst([column.verdict for column in found.columns])
    return Outcome(found.live.rows, verdict, "benchmark", {}, baseline_id, (found,))


def cpu(act: Callable[[], object]) -> float:
    """CPU seconds, the least of five."""
    found = []
    for _ in range(5):
        begun = time.process_time()
        act()
        found.append(time.process_time() - begun)
    return min(found)


if __name__ == "__main__":
    main()
