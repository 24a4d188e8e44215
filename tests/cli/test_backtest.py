"""`drift backtest` and `drift calibrate`: what is printed, as a table, JSON and a picture, and the exit status."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_monitors import configuration, daily
from tests.support.commands import Run
from tests.support.nursery import Nursery


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Path:
    """Thirty days, `x` moved on the last five; checked, and the data gone: neither command opens it."""
    folder = tmp_path_factory.mktemp("checked")
    daily(moved_from=25).write_parquet(folder / "data.parquet")
    (folder / "drift.yaml").write_text(configuration(threshold="auto"))
    done = nursery.command(["run"], folder, os.environ)
    assert done.returncode == 1, done.stderr
    (folder / "data.parquet").unlink()
    return folder / "drift.yaml"


def strict(text: str) -> dict[str, Any]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def test_a_backtest_tells_the_alerts_of_the_rules_as_they_are(drift: Run, checked: Path) -> None:
    asked = drift("backtest", "-c", checked, "--json")
    assert asked.returncode == 0, asked.stderr
    found = strict(asked.stdout)
    assert (found["version"], found["monitor"], found["windows"]) == (1, "m", 20)
    assert found["rules"]["threshold"] == "auto"
    assert (found["from"], found["to"]) == ("2024-01-11T00:00Z", "2024-01-31T00:00Z")
    (alert,) = found["alerts"]
    fired = ("x", "drift", "2024-01-26T00:00Z", None, 5)
    assert (alert["column"], alert["rule"], alert["fired"], alert["resolved"], alert["windows"]) == fired
    assert "10 reference windows" in alert["message"]
    assert found["alerts_per_90d"] == pytest.approx(90 / 20)


@pytest.mark.slow
def test_rules_side_by_side_are_one_line_each_and_a_panel_each(drift: Run, checked: Path, tmp_path: Path) -> None:
    limits = ("--threshold", "auto", "--threshold", "0.9", "--false-alarms", "1 per 9d", "--false-alarms", "1 per 900d")
    asked = drift("backtest", "-c", checked, *limits, "--png", tmp_path / "p.png")
    assert asked.returncode == 0, asked.stderr
    lines = [line.split("│")[1:6] for line in asked.stdout.splitlines() if "js_distance" in line]
    told = [(cells[0].strip(), int(cells[1])) for cells in lines]
    assert told == [("js_distance auto, 1 per 9d", 1), ("js_distance auto, 1 per 900d", 1), ("js_distance 0.9", 0)]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert f"wrote {tmp_path / 'p.png'}" in asked.stderr
    several = strict(drift("backtest", "-c", checked, *limits, "--from", "2024-01-28", "--json").stdout)["backtests"]
    assert [each["windows"] for each in several] == [3, 3, 3]
    assert [each["alerts"][0]["fired"] for each in several if each["alerts"]] == ["2024-01-28T00:00Z"] * 2


def test_an_alert_is_a_line_with_its_message(drift: Run, checked: Path) -> None:
    rules = ("--threshold", "0.3", "--warn", "0.2", "--metric", "js_distance", "--for", "2", "--keep-firing-for", "1")
    asked = drift("backtest", "-c", checked, *rules, "--reference", "rolling:5d")
    assert asked.returncode == 0, asked.stderr
    assert "below 8 windows nothing can be learned" in asked.stderr
    assert "m, js_distance 0.3, warn 0.2, rolling:5d reference, for 2" in asked.stdout
    (line,) = [line for line in asked.stdout.splitlines() if "still firing" in line]
    assert line.split("│")[1].strip() == "2024-01-27T00:00Z"
    assert "alerts: 1 (4.5 per 90 days), messages: 1; drift in 5 of 40 column-windows" in asked.stdout


@pytest.mark.parametrize(
    ("args", "status", "told"),
    [
        (("--threshold", "low"), 2, "expected auto, or a number such as 0.1"),
        (("--from", "2025-01-01"), 3, "has no checked window of 1d from 2025-01-01"),
        (("--png", "no/where.png"), 2, "choose another place"),
    ],
)
def test_what_cannot_be_replayed_is_told_by_the_exit_status(
    drift: Run, checked: Path, args: tuple[str, ...], status: int, told: str
) -> None:
    found = drift("backtest", "-c", checked, *args)
    assert (found.returncode, found.stdout) == (status, "")
    assert told in " ".join(found.stderr.replace("│", " ").split())


@pytest.mark.slow
def test_calibrate_tells_who_judges_by_which_limits_and_what_it_would_see(drift: Run, checked: Path) -> None:
    shown = drift("calibrate", "-c", checked, "--column", "kind")
    assert shown.returncode == 0, shown.stderr
    assert "m: fixed reference, 10 windows of 1d, 2024-01-01T00:00Z to 2024-01-11T00:00Z" in shown.stdout
    assert "false alarms of 1 per 90d over 2 columns: drift is what an ordinary window shows" in shown.stdout
    columns = {c["column"]: c for c in strict(drift("calibrate", "-c", checked, "--json").stdout)["columns"]}
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
    (one,) = strict(drift("calibrate", "-c", checked, "--column", "kind", "--json").stdout)["columns"]
    by_label = {b["label"]: b for b in one["bins"]}
    assert sum(b["reference"] for b in one["bins"]) == pytest.approx(1)
    assert all(by_label[n]["from"] < by_label[n]["reference"] < by_label[n]["to"] for n in ("a", "b", "c"))
    assert "limits learned from 10 reference windows; fewer than 20, so limits are wide" in shown.stdout
    assert all(label in shown.stdout for label in by_label)


def test_calibrate_without_a_reference_or_such_a_column_says_what_to_do(drift: Run, checked: Path) -> None:
    absent = drift("calibrate", "-c", checked, "--column", "z")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "no reference has a column 'z'; there are kind, x" in absent.stderr
    other = checked.with_name("other.yaml")
    other.write_text(configuration(bins={"count": 7}))
    for command in ("calibrate", "backtest"):
        unfrozen = drift(command, "-c", other)
        assert unfrozen.returncode == 3
        assert "no reference is frozen yet for this configuration; `drift run` does it" in unfrozen.stderr
