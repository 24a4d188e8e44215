"""`drift backtest` and `drift calibrate`: tables, JSON, chart and exit status."""

import os
from pathlib import Path

import pytest

from tests.support.commands import Run, configuration, daily, strict_json, words
from tests.support.nursery import Nursery


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Path:
    """Thirty checked days, `x` moved on the last five; the data is deleted: neither command needs it."""
    folder = tmp_path_factory.mktemp("checked")
    daily(moved_from=25).write_parquet(folder / "data.parquet")
    (folder / "drift.yaml").write_text(configuration(threshold="auto"))
    done = nursery.command(["run"], folder, os.environ)
    assert done.returncode == 1, done.stderr
    (folder / "data.parquet").unlink()
    return folder / "drift.yaml"


def test_backtest_replays_the_current_rules(drift: Run, checked: Path) -> None:
    done = drift("backtest", "-c", checked, "--json")
    assert done.returncode == 0, done.stderr
    backtest = strict_json(done.stdout)
    assert (backtest["version"], backtest["monitor"], backtest["windows"]) == (1, "m", 20)
    assert backtest["rules"]["threshold"] == "auto"
    assert (backtest["from"], backtest["to"]) == ("2024-01-11T00:00Z", "2024-01-31T00:00Z")
    (alert,) = backtest["alerts"]
    fired = ("x", "drift", "2024-01-26T00:00Z", None, 5)
    assert (alert["column"], alert["rule"], alert["fired"], alert["resolved"], alert["windows"]) == fired
    assert "10 reference windows" in alert["message"]
    assert backtest["alerts_per_90d"] == pytest.approx(90 / 20)


@pytest.mark.slow
def test_several_rule_sets_are_compared_in_one_table(drift: Run, checked: Path, tmp_path: Path) -> None:
    limits = ("--threshold", "auto", "--threshold", "0.9", "--false-alarms", "1 per 9d", "--false-alarms", "1 per 900d")
    done = drift("backtest", "-c", checked, *limits, "--png", tmp_path / "p.png")
    assert done.returncode == 0, done.stderr
    lines = [line.split("│")[1:6] for line in done.stdout.splitlines() if "js_distance" in line]
    alerts = [(cells[0].strip(), int(cells[1])) for cells in lines]
    assert alerts == [("js_distance auto, 1 per 9d", 1), ("js_distance auto, 1 per 900d", 1), ("js_distance 0.9", 0)]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert f"wrote {tmp_path / 'p.png'}" in done.stderr
    done = drift("backtest", "-c", checked, *limits, "--from", "2024-01-28", "--json")
    backtests = strict_json(done.stdout)["backtests"]
    assert [b["windows"] for b in backtests] == [3, 3, 3]
    assert [b["alerts"][0]["fired"] for b in backtests if b["alerts"]] == ["2024-01-28T00:00Z"] * 2


def test_each_alert_is_a_table_row(drift: Run, checked: Path) -> None:
    rules = ("--threshold", "0.3", "--warn", "0.2", "--metric", "js_distance", "--for", "2", "--keep-firing-for", "1")
    done = drift("backtest", "-c", checked, *rules, "--reference", "rolling:5d")
    assert done.returncode == 0, done.stderr
    assert "drift: note: " in done.stderr
    assert "fewer than 8" in done.stderr
    assert "m, js_distance 0.3, warn 0.2, rolling:5d reference, for 2" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "still firing" in line]
    assert line.split("│")[1].strip() == "2024-01-27T00:00Z"
    assert "alerts: 1 (4.5 per 90 days), notifications: 1; drift in 5 of 40 column-windows" in done.stdout


@pytest.mark.parametrize(
    ("args", "status", "value"),
    [
        (("--threshold", "low"), 2, "'low'"),
        (("--from", "2025-01-01"), 3, "2025-01-01"),
        (("--png", "no/where.png"), 2, "no/where.png"),
    ],
)
def test_impossible_replays_exit_with_an_error(
    drift: Run, checked: Path, args: tuple[str, ...], status: int, value: str
) -> None:
    done = drift("backtest", "-c", checked, *args)
    assert (done.returncode, done.stdout) == (status, "")
    assert value in words(done.stderr)


@pytest.mark.slow
def test_calibrate_shows_judge_limits_and_detectable_score(drift: Run, checked: Path) -> None:
    shown = drift("calibrate", "-c", checked, "--column", "kind")
    assert shown.returncode == 0, shown.stderr
    assert "m: fixed reference, 10 windows of 1d, 2024-01-01T00:00Z to 2024-01-11T00:00Z" in shown.stdout
    assert "false-alarm budget: 1 per 90d over 2 columns" in shown.stdout
    columns = {c["column"]: c for c in strict_json(drift("calibrate", "-c", checked, "--json").stdout)["columns"]}
    assert columns.keys() == {"x", "kind"}
    x = columns["x"]
    assert (x["monitor"], x["reference"], x["segment"], x["judge"], x["threshold"]) == (
        "m",
        "fixed",
        "",
        "learned",
        None,
    )
    assert (x["windows"], x["rows"], x["level"]) == (10, 300, pytest.approx(1 / 90 / 2))
    assert 0 < x["mean"] <= x["largest"]
    assert x["detectable"] > 0
    assert "bins" not in x
    (kind,) = strict_json(drift("calibrate", "-c", checked, "--column", "kind", "--json").stdout)["columns"]
    by_label = {b["label"]: b for b in kind["bins"]}
    assert sum(b["reference"] for b in kind["bins"]) == pytest.approx(1)
    assert all(by_label[n]["from"] < by_label[n]["reference"] < by_label[n]["to"] for n in ("a", "b", "c"))
    assert kind["why"] in shown.stdout
    assert "10 reference windows" in kind["why"]
    assert all(label in shown.stdout for label in by_label)


def test_calibrate_without_reference_or_column_fails(drift: Run, checked: Path) -> None:
    absent = drift("calibrate", "-c", checked, "--column", "z")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "'z'; it has kind, x [column-missing]" in absent.stderr
    other = checked.with_name("other.yaml")
    other.write_text(configuration(bins={"count": 7}))
    for command in ("calibrate", "backtest"):
        unfrozen = drift(command, "-c", other)
        assert unfrozen.returncode == 3
        assert unfrozen.stderr.rstrip().endswith("[no-reference]")
