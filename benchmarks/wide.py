"""The page of a wide monitor: ``python benchmarks/wide.py URL``, of what `benchmarks/store.py --keep FILE` filled.

Milliseconds and CPU milliseconds of reading and of writing the page, as `drift serve` does; the least of ten each.
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
    """Ask, print JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("url", help="of a store with one monitor")
    given = asked.parse_args()
    linked = Linked("style.css", "charts.js", "script.js")
    told: dict[str, Any] = {"machine": machine.described()}
    with Store.open(given.url) as store:
        (name,) = store.monitors.names()
        now = datetime.now(UTC)
        newest = page_from_store(store, name, now=now, max_cells=MAX_PAGE_CELLS)
        told |= {"columns": len(newest.columns), "windows shown": len(newest.timeline)}
        told |= {"kilobytes": len(render_html(newest, linked)) // 1000}
        pages: dict[str, datetime | None] = {"newest": None}
        if newest.older is not None:
            pages["older"] = newest.older + timedelta(microseconds=1)
        for label, until in pages.items():
            told[label] = least(
                lambda until=until: render_html(
                    page_from_store(store, name, now=now, until=until, max_cells=MAX_PAGE_CELLS), linked
                )
            )
    print(json.dumps({**told, "load_at_end": round(os.getloadavg()[0], 2)}, indent=2))


def least(question: Callable[[], object]) -> dict[str, float]:
    """Of ten."""
    seconds, cpu = [], []
    for _ in range(10):
        begun, worked = time.perf_counter(), time.process_time()
        question()
        seconds.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - worked)
    return {"milliseconds": round(min(seconds) * 1e3), "cpu_milliseconds": round(min(cpu) * 1e3)}


if __name__ == "__main__":
    main()
