"""Time of the page of a wide monitor: ``python benchmarks/wide.py URL``, a store of `benchmarks/store.py --keep FILE`.

Milliseconds and CPU milliseconds of reading and rendering the page as `drift serve` does; the minimum of ten.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import machine

from drift.report import page_from_store
from drift.report.html import Linked, render_html
from drift.server.web.app import MAX_PAGE_CELLS
from drift.store import Store


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of a store with one monitor")
    options = parser.parse_args()
    assets = Linked("style.css", "charts.js", "script.js")
    results: dict[str, Any] = {"machine": machine.described()}
    with Store.open(options.url) as store:
        (name,) = store.monitors.names()
        now = datetime.now(UTC)
        newest = page_from_store(store, name, now=now, max_cells=MAX_PAGE_CELLS)
        results |= {"columns": len(newest.columns), "windows shown": len(newest.timeline)}
        results |= {"kilobytes": len(render_html(newest, assets)) // 1000}
        pages: dict[str, datetime | None] = {"newest": None}
        if newest.older is not None:
            pages["older"] = newest.older + timedelta(microseconds=1)
        for label, until in pages.items():
            results[label] = fastest(
                lambda until=until: render_html(
                    page_from_store(store, name, now=now, until=until, max_cells=MAX_PAGE_CELLS), assets
                )
            )
    print(json.dumps({**results, "load_at_end": round(os.getloadavg()[0], 2)}, indent=2))


def fastest(function: Callable[[], object]) -> dict[str, float]:
    """Return the minimum of ten calls."""
    seconds, cpu = [], []
    for _ in range(10):
        started, started_cpu = time.perf_counter(), time.process_time()
        function()
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - started_cpu)
    return {"milliseconds": round(min(seconds) * 1e3), "cpu_milliseconds": round(min(cpu) * 1e3)}


if __name__ == "__main__":
    main()
