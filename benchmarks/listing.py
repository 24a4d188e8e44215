"""Time of page, list and metrics with a year of windows: ``python benchmarks/listing.py [--monitors 100]``.

Windows and revisions of a year are inserted by SQL as `finish` writes them, without histograms and scores, because
these requests read none. For comparison, the time of reading all windows.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import machine
import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Connection, insert, text

from drift.runner.worker import Worker
from drift.server import Scheduler
from drift.server.web import Site
from drift.server.web.metrics import StoreCollector
from drift.store import Store, tables
from drift.store.engine import make_engine, parse_url, transaction

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TALLY = (
    'INSERT INTO tally SELECT w.monitor_id, r.verdict, count(*) FROM "window" w '
    "JOIN revision r ON r.window_id = w.id AND r.number = w.revision GROUP BY 1, 2"
)


def main() -> None:
    """Fill the store, measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--monitors", type=int, default=100)
    parser.add_argument("--windows", type=int, default=8760)
    options = parser.parse_args()
    now = FIRST + options.windows * HOUR
    results: dict[str, Any] = {"machine": machine.described(), **vars(options)}
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{Path(folder) / 'year.db'}") as store:
        definitions = [
            store.monitors.define(f"monitor-{n:04d}", {"window": "1h"}, FIRST) for n in range(options.monitors)
        ]
        engine = make_engine(parse_url(f"sqlite:///{Path(folder) / 'year.db'}"))
        with transaction(engine, writes=True) as connection:
            for number, definition in enumerate(definitions):
                fill(connection, definition.monitor_id, definition.id, number * options.windows, options.windows)
            connection.execute(text(TALLY))
        engine.dispose()
        service = Scheduler(store, [], {}, now=lambda: now, worker=Worker("benchmark"), rng=np.random.default_rng(1))
        site = Site(store, service, {}, lambda: now)
        metrics = CollectorRegistry(auto_describe=False)
        metrics.register(StoreCollector(site.overviews, store, service, site.now, site.lines_dropped))
        results["milliseconds"] = {
            "status of all monitors (page, list)": fastest_ms(site.overviews, 5),
            "metrics": fastest_ms(lambda: generate_latest(metrics), 5),
            "all windows": fastest_ms(store.queries.windows, 1),
        }
    print(json.dumps({**results, "load_at_end": round(os.getloadavg()[0], 2)}, indent=2))


def fill(connection: Connection, monitor: int, definition: int, first: int, windows: int) -> None:
    """Insert a year of one monitor; one window in fifty drifted."""
    starts = [FIRST + hour * HOUR for hour in range(windows)]
    key = {"monitor_id": monitor, "definition_id": definition, "kind": "check", "status": "done"}
    counters = {"attempts": 1, "token": 1, "revision": 1}
    connection.execute(
        insert(tables.window),
        [
            {
                "id": first + n + 1,
                "start_at": at,
                "end_at": at + HOUR,
                "due_at": at,
                "next_attempt_at": at,
                **key,
                **counters,
            }
            for n, at in enumerate(starts)
        ],
    )
    revision = {"number": 1, "definition_id": definition, "rows": 1000, "columns": 20, "source": {}, "token": 1}
    connection.execute(
        insert(tables.revision),
        [
            {
                "window_id": first + n + 1,
                "drifted": int(n % 50 == 0),
                "verdict": "drift" if n % 50 == 0 else "ok",
                "message": f"{int(n % 50 == 0)} of 20 columns drifted",
                "counted_at": at + HOUR,
                **revision,
            }
            for n, at in enumerate(starts)
        ],
    )


def fastest_ms(function: Callable[[], object], times: int) -> float:
    """Return the minimum of some calls in milliseconds."""
    timings = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        timings.append(time.perf_counter() - started)
    return round(min(timings) * 1e3, 1)


if __name__ == "__main__":
    main()
