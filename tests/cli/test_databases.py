"""`drift run` over a database: the same scores as over the same rows in a file."""

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.support.commands import Run, mixed
from tests.support.databases import to_postgres, to_sqlite

CONFIG = """
version: 1
monitors:
  m:
    source: {source}
    timestamp: ts
    timezone: America/New_York
    reference: {{from: 2011-03-01, to: 2011-03-12}}
    end: 2011-03-15
    segments: [flag]
    columns: {{exclude: [took, price]}}
"""


def frame() -> pl.DataFrame:
    """Two weeks of rows, the night that clocks are set forward among them; on the last days some columns moved."""
    calm, moved = mixed(3000, 1), mixed(500, 2, moved=True)
    at = pl.datetime_range(pl.datetime(2011, 3, 1), pl.datetime(2011, 3, 16), "6m", eager=True, closed="left")
    return pl.concat([calm, moved]).with_columns(at.head(3500).alias("ts"))


def scores(drift: Run, source: str, folder: Path, **environ: str) -> pl.DataFrame:
    (folder / "drift.yaml").write_text(CONFIG.format(source=source))
    (folder / "drift.db").unlink(missing_ok=True)
    ran = drift("run", "--fail-on", "never", **environ)
    assert ran.returncode in {0, 3}, ran.stderr  # 3: small segments are inconclusive
    stored = json.loads(drift("scores", "--json", **environ).stdout)["scores"]
    return pl.DataFrame(stored, infer_schema_length=None)


@pytest.mark.slow
@pytest.mark.postgres
def test_databases_give_the_scores_of_a_file(drift: Run, tmp_path: Path, warehouse_url: str) -> None:
    rows = frame()
    rows.write_parquet(tmp_path / "rows.parquet")
    expected = scores(drift, "{path: rows.parquet}", tmp_path)
    assert len(expected) > 100
    assert expected.filter(pl.col("score") > 0.1).height > 0
    table = rows.drop("took", "price").to_arrow()
    types = {name: "BIGINT" for name in table.column_names if name.startswith("i")}
    wide = {"c0": "varchar", "c1": "varchar", "c2": "text", "c3": "text", "ts": "timestamp"}
    to_sqlite(table, tmp_path / "rows.db", "bikes", types=types | wide)
    assert_frame_equal(scores(drift, "{url: 'sqlite:///rows.db', table: bikes}", tmp_path), expected)
    to_postgres(table, warehouse_url, "bikes", types=types | wide)
    actual = scores(drift, "{url: '${WAREHOUSE}', table: public.bikes, timeout: 1m}", tmp_path, WAREHOUSE=warehouse_url)
    assert_frame_equal(actual, expected)
