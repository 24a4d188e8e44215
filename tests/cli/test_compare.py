"""`drift compare`."""

from pathlib import Path

import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon

from tests.support.commands import Run, mixed, strict_json

KEYS = {
    "column",
    "kind",
    "verdict",
    "code",
    "score",
    "noise_floor",
    "p_value",
    "interval",
    "threshold",
    "missing",
    "bins",
    "message",
}


@pytest.fixture
def files(tmp_path: Path) -> None:
    mixed(4000, 1).write_parquet(tmp_path / "reference.parquet")
    mixed(3000, 2).write_parquet(tmp_path / "same.parquet")
    mixed(3000, 3, moved=True).write_parquet(tmp_path / "moved.parquet")


@pytest.mark.usefixtures("files")
def test_unchanged_data_exits_0_and_drifted_data_exits_1(drift: Run) -> None:
    same = drift("compare", "reference.parquet", "same.parquet")
    moved = drift("compare", "reference.parquet", "moved.parquet")
    assert (same.returncode, moved.returncode) == (0, 1), same.stdout + moved.stdout
    assert "0 of 20 columns drifted" in same.stdout
    assert "4 of 20 columns drifted" in moved.stdout


@pytest.mark.usefixtures("files")
def test_table_is_sorted_by_importance(drift: Run) -> None:
    table = drift("compare", "reference.parquet", "moved.parquet").stdout
    cells = [line.split("│")[1:3] for line in table.splitlines() if line.startswith("│")]
    rows = [(verdict.strip(), column.strip()) for verdict, column in cells if column.strip()]
    assert {column for _, column in rows[:4]} == {"n0", "n1", "n2", "c1"}
    assert [verdict for verdict, _ in rows] == ["drift"] * 4 + ["ok"] * 16


@pytest.mark.usefixtures("files")
def test_json_is_strict_with_stable_keys(drift: Run) -> None:
    done = drift("compare", "reference.parquet", "moved.parquet", "--json", "-")
    document = strict_json(done.stdout)
    assert done.returncode == 1
    assert document["version"] == 1
    assert document["metric"] == "js_distance"
    assert (document["reference"]["rows"], document["live"]["rows"]) == (4000, 3000)
    assert len(document["columns"]) == 20
    for column in document["columns"]:
        assert column.keys() >= KEYS
        assert sum(b["reference"] for b in column["bins"]) == 4000
        assert sum(b["live"] for b in column["bins"]) == 3000
        assert sum(b["contribution"] for b in column["bins"]) == pytest.approx(column["score"], abs=1e-9)


@pytest.mark.usefixtures("files")
def test_scores_agree_with_scipy(drift: Run) -> None:
    document = strict_json(drift("compare", "reference.parquet", "moved.parquet", "--json", "-").stdout)
    for column in document["columns"]:
        p, q = ([b[side] for b in column["bins"]] for side in ("live", "reference"))
        assert column["score"] == pytest.approx(jensenshannon(p, q, base=2), abs=1e-9), column["column"]


@pytest.mark.usefixtures("files")
def test_html_and_json_files_are_written(drift: Run, tmp_path: Path) -> None:
    done = drift("compare", "reference.parquet", "moved.parquet", "--html", "r.html", "--json", "r.json")
    assert done.returncode == 1
    assert (tmp_path / "r.html").read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
    assert len(strict_json((tmp_path / "r.json").read_text(encoding="utf-8"))["columns"]) == 20
    assert "drifted" in done.stdout


@pytest.mark.usefixtures("files")
def test_fail_on_never_exits_0(drift: Run) -> None:
    assert drift("compare", "reference.parquet", "moved.parquet", "--fail-on", "never").returncode == 0


@pytest.mark.usefixtures("files")
def test_csv_and_parquet_of_the_same_rows_agree(drift: Run, tmp_path: Path) -> None:
    kept = ["n0", "i1", "c1"]  # without nulls and types that CSV cannot express
    for name in ("reference", "moved"):
        pl.read_parquet(tmp_path / f"{name}.parquet").select(kept).write_csv(tmp_path / f"{name}.csv")
    columns = [arg for name in kept for arg in ("--column", name)]
    by_format = [
        strict_json(drift("compare", f"reference.{s}", f"moved.{s}", *columns, "--json", "-").stdout)["columns"]
        for s in ("csv", "parquet")
    ]
    assert by_format[0] == by_format[1]


@pytest.mark.usefixtures("files")
def test_wrong_usage_exits_2(drift: Run) -> None:
    done = drift("compare", "reference.parquet", "same.parquet", "--metric", "jsd")
    assert done.returncode == 2
    assert "js_distance" in done.stderr
    assert drift("compare", "reference.parquet").returncode == 2
    no_limit = drift("compare", "reference.parquet", "same.parquet", "--metric", "ks")
    assert no_limit.returncode == 2
    assert "threshold" in no_limit.stderr


@pytest.mark.parametrize("content", [None, b"", b"not parquet at all", b"PAR1" * 5])
def test_unreadable_file_exits_3(drift: Run, tmp_path: Path, content: bytes | None) -> None:
    mixed(100, 1).write_parquet(tmp_path / "good.parquet")
    if content is not None:
        (tmp_path / "bad.parquet").write_bytes(content)
    done = drift("compare", "good.parquet", "bad.parquet")
    assert done.returncode == 3
    assert f"[source-{'not-found' if content is None else 'unreadable'}]" in done.stderr
    assert "bad.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_unusual_columns_get_verdicts(drift: Run, tmp_path: Path) -> None:
    n = 500
    odd = {
        "nulls": [None] * n,
        "constant": [7] * n,
        "infinite": [float("inf"), float("-inf")] * (n // 2),
        "listed": [[1, 2]] * n,
        "number": list(range(n)),
        "good": [i % 10 for i in range(n)],
    }
    schema = {"nulls": pl.Float64}
    pl.DataFrame(odd, schema_overrides=schema).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({**odd, "number": ["x"] * n, "extra": [1] * n}, schema_overrides=schema).write_parquet(
        tmp_path / "b.parquet"
    )
    done = drift("compare", "a.parquet", "b.parquet", "--json", "-")
    verdicts = {c["column"]: c["verdict"] for c in strict_json(done.stdout)["columns"]}
    assert verdicts == {
        "nulls": "ok",
        "constant": "ok",
        "infinite": "ok",
        "good": "ok",
        "listed": "not_comparable",
        "number": "schema_error",
        "extra": "not_comparable",
    }
    assert done.returncode == 3


def test_tiny_data_is_insufficient(drift: Run, tmp_path: Path) -> None:
    mixed(4000, 1).select("n0").write_parquet(tmp_path / "a.parquet")
    mixed(20, 2).select("n0").write_parquet(tmp_path / "b.parquet")
    done = drift("compare", "a.parquet", "b.parquet", "--json", "-")
    (column,) = strict_json(done.stdout)["columns"]
    assert column["verdict"] == "insufficient"
    assert column["score"] > column["threshold"]
    assert done.returncode == 3
