"""A monitor's page, from windows that were checked into a real store."""

import csv
import io
import json
import math
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from drift.errors import StoreError
from drift.monitors.spec import ColumnRule, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Threshold, Verdict, format_frequencies, format_frequency
from drift.monitors.window import Period, Window, format_instant
from drift.report import Page, page_from_store, render
from drift.report.formatting import history_summary, verdict_summary
from drift.report.stored_page import nominal_length
from drift.runner.check import run_monitor
from drift.runner.worker import Worker
from drift.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 30
NOW = START + timedelta(days=DAYS)


def write_rows(path: Path, days: int = DAYS) -> None:
    """300 rows a day; `temp` drifts from day 15 on, `kind` never; two shops."""
    rng = np.random.default_rng(3)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["ts", "temp", "kind", "shop"])
        for day in range(days):
            warmer = max(0, day - 14) * 0.2
            for minute in range(300):
                moment = START + timedelta(days=day, minutes=minute)
                out.writerow([moment.isoformat(), rng.normal(warmer), rng.choice(["a", "b"]), rng.choice(["n", "s"])])


def monitor_of(path: Path, segments: tuple[str, ...] = ()) -> Monitor:
    until = START + timedelta(days=10)
    return Monitor(
        name="shops",
        source=FileSource(str(path)),
        timestamp="ts",
        reference=Reference(window=Window(START, until)),
        timezone=ZoneInfo("UTC"),
        period=Period.parse("1d"),
        segments=segments,
        document={
            "source": {"path": str(path)},
            "timestamp": "ts",
            "reference": {"from": "2024-01-01", "to": "2024-01-11"},
        },
    )


def check_all(store: Store, monitor: Monitor) -> int:
    return len(list(run_monitor(store, monitor, worker=Worker("test"), now=lambda: NOW)))


@pytest.fixture(scope="module")
def page(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("page")
    write_rows(folder / "rows.csv")
    shutil.copyfile(sqlite_template, folder / "drift.db")
    with Store.open(f"sqlite:///{folder / 'drift.db'}") as store:
        assert check_all(store, monitor_of(folder / "rows.csv")) == 20
        return page_from_store(store, "shops", now=NOW, credit="made up")


def test_page_shows_the_newest_window(page):
    assert page.window == Window(NOW - timedelta(days=1), NOW)
    assert page.live.rows == 300
    assert page.reference.rows == 3000
    assert page.reference.label == "2024-01-01 to 2024-01-11"
    assert page.generated_at == NOW
    assert page.credit == "made up"
    assert page.notes == ()
    assert verdict_summary(page).startswith("1 of 3 columns drifted on 2024-01-30, most: temp.")


def test_history_matches_the_store(page):
    assert len(page.timeline) == 20
    temp = page.column("temp")
    assert [p.start for p in temp.history] == [w.start for w in page.timeline]
    assert temp.history[-1].score == temp.score
    assert temp.history[-1].verdict is Verdict.DRIFT
    drifted = [p.start for p in temp.history if p.verdict is Verdict.DRIFT]
    assert min(drifted) >= START + timedelta(days=15)
    assert not [p for p in page.column("kind").history if p.verdict is Verdict.DRIFT]


def test_learned_limits_are_shown_instead_of_a_threshold(page):
    temp = page.column("temp")
    assert (temp.threshold, temp.reference_windows, page.learned) == (None, 10, 10)
    assert temp.p_value < temp.level
    assert (temp.expected, temp.budget) == (format_frequency(temp.p_value, DAY), format_frequency(temp.level, DAY))
    assert page.budget == "1 per 90d"
    html = render(page)
    assert "learned from 10 reference windows" in html
    assert "<dd>1 per 90d" in html
    assert f"limit: {temp.budget}" in html
    assert re.search(rf"temp .*learned from 10 .*{temp.expected}", render(page, "md"))


def test_ratio_is_above_one_exactly_for_drift(page):
    for column in page.columns:
        assert column.ratio == column.history[-1].ratio == math.log(column.p_value) / math.log(column.level)
        for point in column.history:
            assert (point.ratio > 1) == (point.verdict is Verdict.DRIFT)


def test_fixed_threshold_is_shown_with_learned_chance(sqlite_url, tmp_path):
    write_rows(tmp_path / "rows.csv", days=13)
    rule = ColumnRule(limit=Threshold(0.2))
    with Store.open(sqlite_url) as store:
        check_all(store, replace(monitor_of(tmp_path / "rows.csv"), columns=Columns(default=rule)))
        page = page_from_store(store, "shops", now=NOW, until=START + 13 * DAY)
    temp = page.column("temp")
    assert (temp.threshold.drift, temp.level, temp.reference_windows, page.budget) == (0.2, None, 10, None)
    assert temp.ratio == temp.history[-1].ratio == temp.score / 0.2
    assert temp.expected == format_frequency(temp.p_value, DAY)


def test_json_and_csv_have_level_or_threshold(page):
    document = json.loads(render(page, "json"))
    lines = {line["column"]: line for line in csv.DictReader(io.StringIO(render(page, "csv"), newline=""))}
    for row in document["columns"]:
        column = page.column(row["column"])
        assert row["threshold"] is None
        assert (row["level"], row["reference_windows"], row["expected"]) == (column.level, 10, column.expected)
        assert {(point["threshold"], point["level"]) for point in row["history"]} == {(None, column.level)}
        line = lines[column.name]
        assert line["threshold"] == ""
        assert (line["level"], line["reference_windows"]) == (str(column.level), "10")
        assert line["expected"] == column.expected


def test_moving_reference_is_shown_with_its_range(sqlite_url, tmp_path):
    write_rows(tmp_path / "rows.csv", days=14)
    monitor = replace(
        monitor_of(tmp_path / "rows.csv"),
        reference=Reference(rolling=10 * DAY),
        document={"timestamp": "ts", "reference": {"rolling": "10d"}},
    )
    with Store.open(sqlite_url) as store:
        assert check_all(store, monitor) == 20  # the rows end on the 14th: the days after it hold none
        page = page_from_store(store, "shops", now=NOW, until=START + 14 * DAY)
        (before,) = store.history.results("shops", START + 13 * DAY)
    assert page.reference.label == "10 windows from 2024-01-04 to 2024-01-14 (rolling)"
    assert page.reference.rows == 3000
    for column in before.columns:
        assert column.reference is not None
        assert [b.reference for b in page.column(column.column).bins] == column.reference.counts.tolist()


def test_week_of_clock_change_has_nominal_length():
    zone = ZoneInfo("America/New_York")
    short = Period.parse("1w").window_at(datetime(2024, 3, 8, tzinfo=UTC), zone)
    assert short.end - short.start == timedelta(hours=167)
    assert nominal_length(short) == timedelta(weeks=1)
    assert nominal_length(Period.parse("36h").window_at(NOW, zone)) == timedelta(hours=36)


@pytest.mark.parametrize("period", ["1m", "15m", "1h", "2h", "12h"])
def test_windows_shorter_than_a_day_have_exact_length(period):
    assert nominal_length(Period.parse(period).window_at(NOW, ZoneInfo("UTC"))) == Period.parse(period).length


def test_chance_of_hourly_windows_is_in_hours(sqlite_url, tmp_path):
    rng = np.random.default_rng(7)
    moments = (START + timedelta(minutes=minute) for minute in range(0, 40 * 60, 3))
    rows = [f"{moment.isoformat()},{rng.normal()}" for moment in moments]
    (tmp_path / "rows.csv").write_text("\n".join(["ts,x", *rows]))
    hourly = replace(
        monitor_of(tmp_path / "rows.csv"),
        period=Period.parse("1h"),
        reference=Reference(window=Window(START, START + timedelta(hours=36))),
    )
    with Store.open(sqlite_url) as store:
        assert (
            len(list(run_monitor(store, hourly, worker=Worker("test"), now=lambda: START + timedelta(hours=40)))) == 4
        )
        page = page_from_store(store, "shops", now=NOW, until=START + timedelta(hours=40))
    column = page.column("x")
    assert column.level is not None
    hour = timedelta(hours=1)
    assert (column.expected, column.budget) == format_frequencies(column.p_value, column.level, hour)
    assert column.expected in column.message, "as in the message of the check"


def test_bins_of_each_side_sum_to_its_rows(page):
    for column in page.columns:
        assert sum(b.reference for b in column.bins) == 3000
        assert sum(b.live for b in column.bins) == 300


def test_firing_alerts_are_shown(page):
    assert [alert["column"] for alert in page.alerts] == ["temp"]
    assert "Firing alerts" in render(page)


def test_every_format_renders_a_stored_page(page):
    document = json.loads(render(page, "json"))
    assert document["window"] == {"start": "2024-01-30T00:00Z", "end": "2024-01-31T00:00Z"}
    assert len(render(page, "csv").splitlines()) == 4
    assert "temp" in render(page, "md")


def test_segments_are_separate_columns(sqlite_url, tmp_path):
    write_rows(tmp_path / "rows.csv", days=12)
    with Store.open(sqlite_url) as store:
        check_all(store, monitor_of(tmp_path / "rows.csv", ("shop",)))
        page = page_from_store(store, "shops", now=NOW)
    segments = {c.segment for c in page.columns}
    assert len(segments) == 3
    assert "" in segments
    for column in page.columns:
        assert [p.score for p in column.history][-1] == column.score
    assert "counted in each segment" in verdict_summary(page)


def test_page_has_only_the_requested_windows(sqlite_url, tmp_path):
    write_rows(tmp_path / "rows.csv")
    with Store.open(sqlite_url) as store:
        check_all(store, monitor_of(tmp_path / "rows.csv"))
        until = START + timedelta(days=14)
        earlier = page_from_store(store, "shops", now=NOW, until=until)
        newest = page_from_store(store, "shops", now=NOW, max_windows=3)
    assert earlier.window == Window(until - timedelta(days=1), until)
    assert verdict_summary(earlier).startswith("None of 3")
    assert len(newest.timeline) == 3
    assert "Only the newest 3 windows are shown; the store has older ones." in newest.notes
    assert newest.older == newest.timeline[0].start - DAY
    assert not earlier.notes, "no window is left out"
    assert earlier.older is None


def test_page_queries_agree_with_row_queries(sqlite_url, tmp_path):
    write_rows(tmp_path / "rows.csv", days=16)
    with Store.open(sqlite_url) as store:
        check_all(store, monitor_of(tmp_path / "rows.csv", ("shop",)))
        every = [row for row in store.queries.windows("shops") if row["revision"] is not None]
        for since, until, limit in ((None, None, 4), (START + 12 * DAY, START + 14 * DAY, 9), (NOW, None, 9)):
            wanted = [r for r in every if _within(r["window_start"], since, until)][-limit:]
            summaries = store.queries.newest_windows("shops", limit, since, until)
            actual = [(format_instant(s.window.start), s.verdict, s.message, s.columns) for s in summaries]
            assert actual == [(r["window_start"], r["verdict"], r["message"], r["columns"]) for r in wanted]
        trends = store.queries.trends("shops", [summary.window for summary in store.queries.newest_windows("shops", 4)])
        rows = store.queries.scores("shops", since=datetime.fromisoformat(every[-4]["window_start"]))
    keys = ("score", "noise_floor", "p_value", "detectable", "threshold", "level", "verdict")
    expected = {}
    for row in rows:
        values = (row["window_start"], *(row[key] for key in keys))
        expected.setdefault((row["segment"], row["column"]), []).append(values)
    assert {k: [(format_instant(t.window.start), *t[1:]) for t in v] for k, v in trends.items()} == expected
    assert len(expected) == 3 + 2 * 3


def _within(start, since, until):
    moment = datetime.fromisoformat(start)
    return (since is None or moment >= since) and (until is None or moment < until)


def test_page_with_many_columns_shows_fewer_windows(sqlite_url, tmp_path, monkeypatch):
    monkeypatch.setattr("drift.report.stored_page.MIN_WINDOWS_SHOWN", 4)
    write_rows(tmp_path / "rows.csv")
    with Store.open(sqlite_url) as store:
        check_all(store, monitor_of(tmp_path / "rows.csv"))
        for cells, shown in ((None, 20), (75, 20), (60, 20), (59, 19), (15, 5), (3, 4)):
            page = page_from_store(store, "shops", now=NOW, max_cells=cells)  # of three columns
            assert len(page.timeline) == shown
            assert (page.older is None) is (shown == 20)


def test_page_summarises_its_windows(page):
    temp = page.column("temp")
    drifted = sum(p.verdict is Verdict.DRIFT for p in temp.history)
    assert history_summary(page) == f"{drifted} of the 20 windows shown drifted, most often: temp ({drifted})."
    assert history_summary(page) in render(page)
    assert history_summary(page) in render(page, "md")


def test_newer_window_in_error_is_a_note(sqlite_url, tmp_path):
    path = tmp_path / "rows.csv"
    write_rows(path, days=12)
    monitor = monitor_of(path)
    with Store.open(sqlite_url) as store:
        first = run_monitor(store, monitor, worker=Worker("test"), now=lambda: START + timedelta(days=12))
        assert len(list(first)) == 2
        before = page_from_store(store, "shops", now=NOW)
        definition = store.monitors.define("shops", monitor.document, NOW)
        window = Window(START + timedelta(days=12), START + timedelta(days=13))
        store.windows.plan(definition, [(window, window.end)])
        (planned,) = store.windows.due(definition, NOW)
        claim = store.windows.claim(planned.id, definition, "test", NOW, timedelta(minutes=1))
        from drift.store import Outcome

        store.windows.commit(
            claim,
            Outcome(
                rows=0, verdict=Verdict.ERROR, message="the disk is gone", source={}, baseline_id=None, segments=(),
                transitions=(), events=(), notification=None, channels=(),
            ),
            NOW,
        )  # fmt: skip
        page = page_from_store(store, "shops", now=NOW)
    assert page.window == before.window
    assert page.columns == before.columns
    (note,) = page.notes
    assert "2024-01-13" in note
    assert "the disk is gone" in note


def test_page_without_checked_windows_says_what_to_do(sqlite_url, tmp_path):
    with Store.open(sqlite_url) as store:
        store.monitors.define("shops", {"reference": {"path": "train.parquet"}}, NOW)
        page = page_from_store(store, "shops", now=NOW)
    assert page.columns == ()
    assert page.reference.label == "train.parquet"
    assert "drift run" in page.notes[0]
    assert "Nothing was compared" in render(page)


def test_unknown_monitor_is_an_error(sqlite_url):
    with Store.open(sqlite_url) as store, pytest.raises(StoreError, match="'absent'"):
        page_from_store(store, "absent", now=NOW)
