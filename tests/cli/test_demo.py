"""`drift demo`: its output agrees with the data and the store."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from drift.cli import app
from drift.cli.demo.data import DATA, KNOWN_CAUSES, count_reaching, create_project, drift_summaries
from drift.monitors.window import Period
from tests.support.nursery import Nursery
from tests.support.paths import ROOT

UTC = ZoneInfo("UTC")
SANDY = date(2012, 10, 29)


@dataclass(frozen=True)
class DemoRun:
    """The folder, the output of a first and a second run, and the stored scores."""

    folder: Path
    first: str
    second: str
    scores: list[dict[str, Any]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> DemoRun:
    folder, environ = tmp_path_factory.mktemp("demo"), {**os.environ, "COLUMNS": "120"}
    command = [sys.executable, "-m", "drift", "demo"]
    first = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, timeout=120, check=False, encoding="utf-8"
    )
    second = nursery.command(["demo"], folder, environ)
    scores = nursery.command(["scores", "-c", "drift-demo/drift.yaml", "--json"], folder, environ)
    for run in (first, second, scores):
        assert run.returncode == 0, run.stderr
    return DemoRun(folder / "drift-demo", first.stdout, second.stdout, json.loads(scores.stdout)["scores"])


@pytest.fixture(scope="module")
def hours(demo: DemoRun) -> pl.DataFrame:
    return pl.read_parquet(demo.folder / "data" / DATA)


def drifts(demo: DemoRun) -> set[tuple[str, str]]:
    """Return column and week (its date in UTC) of every drift."""
    return {(row["column"], row["window_start"][:10]) for row in demo.scores if row["verdict"] == "drift"}


def test_every_week_has_learned_limits(demo: DemoRun) -> None:
    assert len({row["window_start"] for row in demo.scores}) == 52
    assert {row["verdict"] for row in demo.scores} == {"ok", "drift"}
    assert {(row["threshold"], row["reference_windows"]) for row in demo.scores} == {(None, 52)}


def test_only_growth_and_a_hurricane_drift(demo: DemoRun, hours: pl.DataFrame) -> None:
    drifted = drifts(demo)
    assert {column for column, _ in drifted} == {"registered", "cnt", "weekday"}
    assert [week for column, week in drifted if column == "weekday"] == [str(SANDY)]
    assert all("2012-06" <= week < "2012-10" for column, week in drifted if column != "weekday")

    day = pl.col("ts").dt.date()
    recorded = hours.filter(day.is_between(SANDY, date(2012, 10, 30)))
    assert recorded.group_by(pl.col("ts").dt.day()).len().sort("ts").rows() == [(29, 1), (30, 11)]
    before = hours.filter(day.is_between(date(2011, 1, 3), date(2012, 1, 1)))
    week = hours.filter(day.is_between(date(2012, 9, 10), date(2012, 9, 16)))
    assert week["registered"].max() > before["registered"].max()


def test_output_agrees_with_the_stored_scores(demo: DemoRun) -> None:
    for column, _ in drifts(demo):
        weeks = sum(name == column for name, _ in drifts(demo))
        assert re.search(rf"│ {column} +│ +{weeks} of 52 │", demo.first), column
    over = sum(row["score"] >= 0.1 for row in demo.scores)
    total = len(demo.scores)
    assert f"{len(drifts(demo))} of {total} column-weeks drifted" in demo.first
    assert f"js_distance 0.1, would have raised {over} of them ({over / total:.0%})" in demo.first
    (sandy,) = [r for r in demo.scores if r["column"] == "weekday" and r["verdict"] == "drift"]
    assert sandy["p_value"] == min(row["p_value"] for row in demo.scores)
    assert sandy["message"] in demo.first


def test_readme_shows_the_output(demo: DemoRun) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```text\n(.*?)^```$", readme, flags=re.DOTALL | re.MULTILINE)
    assert block is not None
    printed = {" ".join(line.split()) for line in demo.first.splitlines()}
    lines = [" ".join(line.replace("┃", "│").split()) for line in block[1].splitlines() if line.strip()]
    assert len(lines) > 5
    assert [line for line in lines if line not in printed and not line.startswith("│ column")] == []


def test_every_drift_is_notified_with_a_reason(demo: DemoRun) -> None:
    messages = [json.loads(line) for line in (demo.folder / "alerts.jsonl").read_text().splitlines()]
    assert f"alerts: {len(messages)} notifications" in demo.first
    fired = [event for message in messages for event in message["events"] if event["state"] == "firing"]
    assert {event["column"] for event in fired} == {column for column, _ in drifts(demo)}
    for event in fired:
        assert "in 52 reference windows" in event["message"]
        assert len(event["message"]) <= 500


def test_report_shows_all_weeks_and_the_credit(demo: DemoRun) -> None:
    report = (demo.folder / "report.html").read_text(encoding="utf-8")
    assert "learned from 52 reference windows" in report
    assert "doi:10.1007/s13748-013-0040-3" in report
    assert "the store has older ones" not in report


def test_second_run_checks_no_window_twice(demo: DemoRun) -> None:
    assert "no window is checked twice" in demo.second
    assert "no window is checked twice" not in demo.first
    results = [text[text.index("column-weeks drifted") - 12 :] for text in (demo.first, demo.second)]
    assert results[0] == results[1]


def test_suggested_commands_exist(demo: DemoRun) -> None:
    suggested = set(re.findall(r"^  drift (\w+)", demo.first, flags=re.MULTILINE))
    known = {c.name or str(c.callback.__name__) for c in app.registered_commands if c.callback}
    assert suggested >= {"calibrate", "backtest", "serve", "compare", "init"}
    assert suggested <= known


def row(column: str, week: int, verdict: str, p_value: float | None, score: float | None = 0.2) -> Mapping[str, Any]:
    start = Period.parse("1w").window_at(datetime.fromisoformat(f"2012-01-{2 + 7 * week:02d}T12:00Z"), UTC).start
    return {
        "column": column, "window_start": start.isoformat(), "verdict": verdict, "p_value": p_value, "score": score,
    }  # fmt: skip


def test_consecutive_drifted_weeks_are_one_run() -> None:
    rows = [row("x", w, verdict, p) for w, verdict, p in ((2, "drift", 1e-4), (0, "drift", 1e-3), (1, "ok", 0.5))]
    rows += [row("x", 3, "drift", 1e-5), row("y", 0, "error", None, None), row("y", 1, "ok", 0.1, 0.05)]
    x, y = drift_summaries(rows, UTC)
    assert (x.column, x.windows, x.drifted) == ("x", 4, 3)
    assert x.runs == ((date(2012, 1, 2),) * 2 + (1,), (date(2012, 1, 16), date(2012, 1, 23), 2))
    assert x.rarest["p_value"] == 1e-5
    assert (y.drifted, y.runs, y.rarest["p_value"]) == (0, (), 0.1)
    assert count_reaching(rows, 0.1) == 4


def test_existing_files_are_kept(tmp_path: Path) -> None:
    config = create_project(tmp_path)
    config.write_text("version: 1\n")
    assert create_project(tmp_path).read_text() == "version: 1\n"


def test_known_causes_are_for_weeks_from_monday() -> None:
    assert all(day.weekday() == 0 for _, day in KNOWN_CAUSES)
