"""`drift demo`: what it tells is what the data and the store say."""

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
from drift.cli.demo.data import DATA, KNOWN, drift_summaries, lay_out, reaching
from drift.monitors.window import Period
from tests.support.nursery import Nursery
from tests.support.paths import ROOT

UTC = ZoneInfo("UTC")
SANDY = date(2012, 10, 29)


@dataclass(frozen=True)
class Shown:
    """The folder, what the first and a second run printed, and the stored scores."""

    folder: Path
    first: str
    second: str
    scores: list[dict[str, Any]]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Shown:
    folder, environ = tmp_path_factory.mktemp("demo"), {**os.environ, "COLUMNS": "120"}
    asked = [sys.executable, "-m", "drift", "demo"]  # as a user does it
    first = subprocess.run(
        asked, cwd=folder, env=environ, capture_output=True, timeout=120, check=False, encoding="utf-8"
    )
    second = nursery.command(["demo"], folder, environ)
    scores = nursery.command(["scores", "-c", "drift-demo/drift.yaml", "--json"], folder, environ)
    for run in (first, second, scores):
        assert run.returncode == 0, run.stderr
    return Shown(folder / "drift-demo", first.stdout, second.stdout, json.loads(scores.stdout)["scores"])


@pytest.fixture(scope="module")
def hours(shown: Shown) -> pl.DataFrame:
    return pl.read_parquet(shown.folder / "data" / DATA)


def found(shown: Shown) -> set[tuple[str, str]]:
    """Column and week (its date in UTC) of every drift."""
    return {(row["column"], row["window_start"][:10]) for row in shown.scores if row["verdict"] == "drift"}


def test_a_year_of_weeks_is_judged_by_the_year_before(shown: Shown) -> None:
    assert len({row["window_start"] for row in shown.scores}) == 52
    assert {row["verdict"] for row in shown.scores} == {"ok", "drift"}
    assert {(row["threshold"], row["reference_windows"]) for row in shown.scores} == {(None, 52)}


def test_what_drifted_is_growth_and_a_hurricane_and_nothing_else(shown: Shown, hours: pl.DataFrame) -> None:
    drifted = found(shown)
    assert {column for column, _ in drifted} == {"registered", "cnt", "weekday"}
    assert [week for column, week in drifted if column == "weekday"] == [str(SANDY)]
    assert all("2012-06" <= week < "2012-10" for column, week in drifted if column != "weekday")

    day = pl.col("ts").dt.date()
    lost = hours.filter(day.is_between(SANDY, date(2012, 10, 30)))
    assert lost.group_by(pl.col("ts").dt.day()).len().sort("ts").rows() == [(29, 1), (30, 11)]
    before = hours.filter(day.is_between(date(2011, 1, 3), date(2012, 1, 1)))
    week = hours.filter(day.is_between(date(2012, 9, 10), date(2012, 9, 16)))
    assert week["registered"].max() > before["registered"].max()


def test_what_is_told_is_what_is_stored(shown: Shown) -> None:
    for column, _ in found(shown):
        weeks = sum(name == column for name, _ in found(shown))
        assert re.search(rf"│ {column} +│ +{weeks} of 52 │", shown.first), column
    over = sum(row["score"] >= 0.1 for row in shown.scores)
    total = len(shown.scores)
    assert f"{len(found(shown))} of {total} column-weeks drifted" in shown.first
    assert f"js_distance 0.1, taken alone, would have raised {over} of them ({over / total:.0%})" in shown.first
    (sandy,) = [r for r in shown.scores if r["column"] == "weekday" and r["verdict"] == "drift"]
    assert sandy["p_value"] == min(row["p_value"] for row in shown.scores)
    assert sandy["message"] in shown.first


def test_the_readme_shows_what_it_prints(shown: Shown) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```text\n(.*?)^```$", readme, flags=re.DOTALL | re.MULTILINE)
    assert block is not None
    printed = {" ".join(line.split()) for line in shown.first.splitlines()}
    told = [" ".join(line.replace("┃", "│").split()) for line in block[1].splitlines() if line.strip()]
    assert len(told) > 5
    assert [line for line in told if line not in printed and not line.startswith("│ column")] == []


def test_every_drift_is_in_a_message_that_says_why(shown: Shown) -> None:
    messages = [json.loads(line) for line in (shown.folder / "alerts.jsonl").read_text().splitlines()]
    assert f"alerts: {len(messages)} messages" in shown.first
    fired = [event for told in messages for event in told["events"] if event["state"] == "firing"]
    assert {event["column"] for event in fired} == {column for column, _ in found(shown)}
    for event in fired:
        assert "in 52 reference windows" in event["message"]
        assert len(event["message"]) <= 500


def test_the_report_shows_all_weeks_and_whose_data_it_is(shown: Shown) -> None:
    report = (shown.folder / "report.html").read_text(encoding="utf-8")
    assert "learned from 52 reference windows" in report
    assert "doi:10.1007/s13748-013-0040-3" in report
    assert "the store keeps the others" not in report


def test_a_second_run_checks_nothing_twice(shown: Shown) -> None:
    assert "nothing is checked twice" in shown.second
    assert "nothing is checked twice" not in shown.first
    told = [text[text.index("column-weeks drifted") - 12 :] for text in (shown.first, shown.second)]
    assert told[0] == told[1]


def test_every_command_it_names_is_one(shown: Shown) -> None:
    named = set(re.findall(r"^  drift (\w+)", shown.first, flags=re.MULTILINE))
    known = {c.name or str(c.callback.__name__) for c in app.registered_commands if c.callback}
    assert named >= {"calibrate", "backtest", "serve", "compare", "init"}
    assert named <= known


def row(column: str, week: int, verdict: str, p_value: float | None, score: float | None = 0.2) -> Mapping[str, Any]:
    start = Period.parse("1w").window_at(datetime.fromisoformat(f"2012-01-{2 + 7 * week:02d}T12:00Z"), UTC).start
    return {
        "column": column, "window_start": start.isoformat(), "verdict": verdict, "p_value": p_value, "score": score,
    }  # fmt: skip


def test_weeks_in_a_row_are_one_stretch() -> None:
    rows = [row("x", w, verdict, p) for w, verdict, p in ((2, "drift", 1e-4), (0, "drift", 1e-3), (1, "ok", 0.5))]
    rows += [row("x", 3, "drift", 1e-5), row("y", 0, "error", None, None), row("y", 1, "ok", 0.1, 0.05)]
    x, y = drift_summaries(rows, UTC)
    assert (x.column, x.windows, x.drifted) == ("x", 4, 3)
    assert x.stretches == ((date(2012, 1, 2),) * 2 + (1,), (date(2012, 1, 16), date(2012, 1, 23), 2))
    assert x.rarest["p_value"] == 1e-5
    assert (y.drifted, y.stretches, y.rarest["p_value"]) == (0, (), 0.1)
    assert reaching(rows, 0.1) == 4


def test_what_lies_in_the_folder_stays(tmp_path: Path) -> None:
    config = lay_out(tmp_path)
    config.write_text("version: 1\n")
    assert lay_out(tmp_path).read_text() == "version: 1\n"


def test_what_is_known_is_of_mondays() -> None:
    assert all(day.weekday() == 0 for _, day in KNOWN)
