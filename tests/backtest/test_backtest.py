"""Backtests: stored windows judged again, under unchanged and under other rules."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from drift.backtest import (
    Backtest,
    ReplayRules,
    StoredWindows,
    describe_rules,
    load_stored_windows,
    parse_reference,
    replay_windows,
    rule_variants,
    rules_from_monitor,
)
from drift.errors import InputError, StoreError
from drift.histogram import Histogram, History, NumericAxis, Profile
from drift.monitors.alert_state import State
from drift.monitors.spec import Alerting, ColumnRule, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Period, Window, format_instant
from drift.references import current_reference
from drift.runner.check import WindowResult, run_all
from drift.runner.evaluate import window_rng
from drift.runner.worker import Worker
from drift.stats.false_alarm_budget import Budget
from drift.stats.scoring import Method
from drift.store import Store, StoredReference, WindowHistories

DAY = timedelta(days=1)
START = datetime(2024, 3, 4, tzinfo=UTC)  # a Monday
LEARNED, LAST = 21, 48
STEP, BLIP, EMPTY = range(36, 41), 44, 46


def write_days(path: Path, days: int) -> None:
    """Write 150 rows a day. `x` is shifted on the days STEP, `kind` differs on BLIP, EMPTY has no rows."""
    rng = np.random.default_rng(11)
    parts = []
    for day in range(days):
        if day == EMPTY:
            continue
        moved = day in STEP
        parts.append(
            pl.DataFrame(
                {
                    "ts": [START + day * DAY + timedelta(minutes=9 * i) for i in range(150)],
                    "x": rng.normal(2.5 if moved else 0.1 * rng.normal(), 1, 150),
                    "y": rng.gamma(2.0, 1 + 0.1 * rng.random(), 150),
                    "kind": rng.choice(["a", "b", "c"], 150, p=[0.1, 0.2, 0.7] if day == BLIP else [0.5, 0.3, 0.2]),
                    "site": rng.choice(["n", "s"], 150, p=[0.3, 0.7]),
                }
            )
        )
    pl.concat(parts).write_parquet(path)


def monitor_of(folder: Path, reference: Reference, **more: object) -> Monitor:
    defaults: dict[str, object] = {
        "columns": Columns(exclude=("site",)),
        "segments": ("site",),
        "alerting": Alerting(for_windows=1, keep_firing_for=1),
        "start": START + LEARNED * DAY,
        "period": Period.parse("1d"),
    }
    return Monitor(
        name="m",
        source=FileSource(str(folder / "data.parquet")),
        timestamp="ts",
        reference=reference,
        timezone=ZoneInfo("UTC"),
        document={"source": {"path": "data.parquet"}, "reference": str(reference)},
        **{**defaults, **more},
    )


FIXED = Reference(Window(START, START + LEARNED * DAY))
REFERENCES = {
    "fixed": FIXED,
    "rolling": Reference(rolling=14 * DAY),
    "seasonal": Reference(seasonal=7 * DAY, windows=2),
}


def check(store: Store, monitor: Monitor, now: datetime) -> list[WindowResult]:
    results = list(run_all(store, [monitor], worker=Worker("test"), now=lambda: now))
    assert all(isinstance(result, WindowResult) for result in results), results
    return [result for result in results if isinstance(result, WindowResult)]


def frozen(store: Store, monitor: Monitor) -> StoredReference:
    definition = store.monitors.find(monitor.name)
    assert definition is not None
    reference = current_reference(store, monitor, definition.monitor_id)
    assert reference is not None
    return reference


def again(store: Store, monitor: Monitor, rules: ReplayRules | None = None, since: datetime | None = None) -> Backtest:
    stored = load_stored_windows(store, monitor, since)
    tried = (rules or ReplayRules()).apply_to(monitor)
    return replay_windows(tried, frozen(store, monitor), stored, lambda window, part: window_rng("m", window, part))


def verdicts(found: Backtest) -> dict[tuple[str, str, str], str]:
    return {(format_instant(c.window.start), c.segment, c.column): c.verdict.value for c in found.cells}


def stored_verdicts(store: Store) -> dict[tuple[str, str, str], str]:
    return {(r["window_start"], r["segment"], r["column"]): r["verdict"] for r in store.queries.scores("m")}


def turns(checked: list[WindowResult]) -> set[tuple[datetime, str, str, str, State]]:
    return {
        (one.window.start, t.fingerprint.column, t.fingerprint.segment, t.fingerprint.rule, t.after.state)
        for one in checked
        for t in one.outcome.transitions
        if t.notifies
    }


def replayed_turns(found: Backtest) -> set[tuple[datetime, str, str, str, State]]:
    fired = {(a.fired.start, a.column, a.segment, a.rule, State.FIRING) for a in found.alerts}
    return fired | {
        (a.resolved.start, a.column, a.segment, a.rule, State.RESOLVED) for a in found.alerts if a.resolved is not None
    }


def assert_agrees(store: Store, monitor: Monitor, checked: list[WindowResult]) -> None:
    found = again(store, monitor)
    replayed = verdicts(found)
    assert {key: replayed.get(key, "ok") for key in stored_verdicts(store)} == stored_verdicts(store)
    assert found.windows == {one.window: one.outcome.verdict for one in checked}
    assert replayed_turns(found) == turns(checked)
    assert found.kept == 0


def test_replay_with_unchanged_rules_agrees_with_the_store(store: Store, tmp_path: Path) -> None:
    assert_replayed(store, monitor_of(tmp_path, REFERENCES["rolling"]), tmp_path)


@pytest.mark.parametrize("kind", ["fixed", "seasonal"])
def test_replay_of_other_references_agrees_with_the_store(sqlite_url: str, tmp_path: Path, kind: str) -> None:
    with Store.open(sqlite_url) as store:
        assert_replayed(store, monitor_of(tmp_path, REFERENCES[kind]), tmp_path)


def assert_replayed(store: Store, monitor: Monitor, folder: Path) -> None:
    write_days(folder / "data.parquet", LAST)
    checked = check(store, monitor, START + LAST * DAY)
    (folder / "data.parquet").unlink()  # the source is never opened
    assert_agrees(store, monitor, checked)
    drifted = {one.window.start for one in checked if one.outcome.verdict is Verdict.DRIFT}
    assert {START + day * DAY for day in STEP} <= drifted, "otherwise the test shows little"


def test_columns_without_counts_keep_their_stored_verdict(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "data.parquet"
    write_days(data, LAST)
    monitor = monitor_of(tmp_path, FIXED)
    check(store, monitor, START + 30 * DAY)
    good = data.read_bytes()
    data.write_bytes(good[: len(good) // 2])
    (broken,) = check(store, monitor, START + 31 * DAY)
    data.write_bytes(good)
    pl.read_parquet(data).drop("y").write_parquet(data)
    check(store, monitor, START + 31 * DAY + timedelta(seconds=1))  # before the retry of the broken one
    check(store, monitor, START + 33 * DAY)
    expected = stored_verdicts(store)
    found = again(store, monitor)
    replayed = verdicts(found)
    assert {key: replayed.get(key, "ok") for key in expected} == expected
    assert {a.rule for a in found.alerts} >= {"schema"}
    assert broken.outcome.verdict is Verdict.ERROR


def test_unreadable_window_stays_an_error(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "data.parquet"
    write_days(data, LAST)
    monitor = monitor_of(tmp_path, FIXED)
    checked = check(store, monitor, START + 25 * DAY)
    data.write_bytes(data.read_bytes()[:1000])
    checked += check(store, monitor, START + 26 * DAY)
    found = again(store, monitor)
    assert found.windows == {one.window: one.outcome.verdict for one in checked}
    assert [(a.column, a.rule, a.resolved) for a in found.alerts if a.rule == "error"] == [("", "error", None)]
    assert replayed_turns(found) == turns(checked)


@pytest.fixture
def tried(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[Store, Monitor]]:
    """A store with all windows, evaluated against a fixed reference."""
    write_days(tmp_path / "data.parquet", LAST)
    monitor = monitor_of(tmp_path, FIXED)
    with Store.open(sqlite_url) as store:
        check(store, monitor, START + LAST * DAY)
        yield store, monitor


def bad(found: Backtest) -> set[tuple[datetime, str, str]]:
    return {(c.window.start, c.segment, c.column) for c in found.cells if c.verdict is Verdict.DRIFT}


def test_other_rules_give_other_alerts(tried: tuple[Store, Monitor]) -> None:
    """One store for all cases: they compare replays of the same windows."""
    store, monitor = tried
    by_limit = [again(store, monitor, ReplayRules(limit=Threshold(x))) for x in (0.05, 0.1, 0.2, 0.4, 0.8)]
    for lower, higher in pairwise(by_limit):
        assert bad(lower) >= bad(higher), "a lower threshold never finds less"
        assert lower.drifted >= higher.drifted
    assert bad(by_limit[0]) > bad(by_limit[-1]), "otherwise nothing was compared"

    step = next(a for a in by_limit[2].alerts if (a.column, a.segment) == ("x", ""))
    assert step.fired.start == START + STEP[0] * DAY
    assert step.resolved is not None
    assert step.resolved.start == START + (STEP[-1] + 2) * DAY, "one calm window goes on firing"
    assert step.windows == len(STEP) + 1
    kind = next(a for a in by_limit[2].alerts if (a.column, a.segment) == ("kind", ""))
    assert kind.fired.start == START + BLIP * DAY

    patient = again(store, monitor, ReplayRules(limit=Threshold(0.2), for_windows=2, keep_firing_for=0))
    (waited,) = [a for a in patient.alerts if a.segment == ""]
    assert (waited.column, waited.fired.start) == ("x", START + STEP[1] * DAY), "one day of another kind does not alert"
    assert (waited.windows, bad(patient)) == (len(STEP) - 1, bad(by_limit[2]))

    late = again(store, monitor, ReplayRules(limit=Threshold(0.2)), since=START + 40 * DAY)
    assert bad(late) == {place for place in bad(by_limit[2]) if place[0] >= START + 40 * DAY}
    assert next(iter(late.windows)).start == START + 40 * DAY

    moving, _ = parse_reference("rolling:14d", monitor)
    assert START + STEP[0] * DAY in {when for when, *_ in bad(again(store, monitor, ReplayRules(reference=moving)))}
    psi = again(
        store,
        replace(monitor, columns=Columns(ColumnRule(limit=Threshold(0.9)), exclude=("site",))),
        ReplayRules(metric="psi"),
    )
    assert (psi.rules["metric"], psi.rules["threshold"]) == ("psi", "auto"), "0.9 was not a limit of psi"
    assert (START + STEP[0] * DAY, "", "x") in bad(psi)


@pytest.mark.parametrize("budget", [Budget(1, 365 * DAY), Budget(1, 30 * DAY), Budget(5, 30 * DAY)])
def test_level_follows_from_the_budget(budget: Budget) -> None:
    monitor, reference, stored = synthetic(20)
    found = replay_windows(ReplayRules(budget=budget).apply_to(monitor), reference, stored, draws)
    assert found.level == pytest.approx(budget.level(checks=2, period=DAY))
    assert found.rules["false_alarms"] == str(budget)


def draws(window: Window, segment: str) -> np.random.Generator:
    return window_rng("m", window, segment)


def synthetic(
    windows: int, *, moved_from: int | None = None, columns: int = 2, seed: int = 3
) -> tuple[Monitor, StoredReference, StoredWindows]:
    """40 reference windows of 500 rows and `windows` live ones; "c0" moves permanently."""
    rng = np.random.default_rng(seed)
    axis, share = NumericAxis(tuple(range(11))), np.r_[0, np.full(10, 0.1), 0, 0]
    moved = np.r_[0, np.full(9, 0.05), 0.55, 0, 0]
    names = [f"c{i}" for i in range(columns)]
    known = {name: History(axis, rng.multinomial(500, share, size=40)) for name in names}
    days = [Window(START + i * DAY, START + (i + 1) * DAY) for i in range(40 + windows)]
    whole = Profile({name: history.pooled for name, history in known.items()}, 40 * 500)
    reference = StoredReference(1, {"": whole}, {}, START, tuple(days[:40]), {"": known})
    live = {name: rng.multinomial(500, share, size=windows) for name in names}
    if moved_from is not None:
        live["c0"][moved_from:] = rng.multinomial(500, moved, size=windows - moved_from)
    past = WindowHistories(
        tuple(days[40:]),
        {"": {name: History(axis, counts) for name, counts in live.items()}},
        {"": {name: np.ones(windows, bool) for name in names}},
    )
    stored_verdicts = {"": dict.fromkeys(names, (Verdict.DRIFT, "threshold-reached", "stored"))}
    stored = StoredWindows(past, dict.fromkeys(past.windows, 500), dict.fromkeys(past.windows, stored_verdicts))
    return monitor_of(Path(), Reference(reference.windows[0]), segments=()), reference, stored


def test_step_stays_drift_with_a_short_rolling_reference() -> None:
    monitor, reference, stored = synthetic(40, moved_from=10)
    found = replay_windows(
        ReplayRules(reference=Reference(rolling=10 * DAY)).apply_to(monitor), reference, stored, draws
    )
    later = {window.start for window in stored.histories.windows[10:]}
    assert {when for when, _, column in bad(found) if column == "c0"} == later, "30 days, with a reference of 10"
    assert [(a.fired.start, a.resolved) for a in found.alerts if a.column == "c0"] == [(min(later), None)]
    assert sum(column == "c1" for *_, column in bad(found)) <= 2, "stored drift is judged again"


def test_columns_on_other_bins_keep_their_stored_verdict() -> None:
    monitor, reference, stored = synthetic(12)
    other = Histogram(NumericAxis((0, 3, 7)), [0, 9_000, 11_000, 0, 0])
    known = reference.profiles[""]
    recut = replace(reference, profiles={"": replace(known, histograms={"c0": known["c0"], "c1": other})}, histories={})
    found = replay_windows(ReplayRules(limit=Threshold(0.9)).apply_to(monitor), recut, stored, draws)
    assert found.kept == 12
    assert {(c.column, c.verdict) for c in found.cells} == {("c1", Verdict.DRIFT)}, "as stored; c0 is judged again"
    assert {a.message for a in found.alerts} == {"stored"}


def test_document_is_strict_json_with_documented_keys() -> None:
    monitor, reference, stored = synthetic(30, moved_from=20)
    found = replay_windows(ReplayRules(limit=Threshold(0.1, warn=0.05)).apply_to(monitor), reference, stored, draws)
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert {
        "version", "monitor", "rules", "level", "from", "to", "windows", "alerts", "alerts_per_90d", "messages",
        "column_windows_bad", "column_windows_insufficient", "column_windows_kept", "columns",
    } == document.keys()  # fmt: skip
    assert document["rules"] == {
        "threshold": 0.1, "warn": 0.05, "false_alarms": "1 per 90d", "metric": "js_distance", "smoothing": "none",
        "reference": "fixed", "for": 1, "keep_firing_for": 1,
    }  # fmt: skip
    (alert,) = document["alerts"]
    assert alert.keys() == {"column", "segment", "rule", "fired", "resolved", "windows", "message"}
    assert (alert["column"], alert["resolved"], alert["windows"]) == ("c0", None, 10)
    assert (document["windows"], document["messages"], document["alerts_per_90d"]) == (30, 1, pytest.approx(3.0))
    assert document["columns"] == [
        {"column": "c0", "segment": "", "alerts": 1, "windows_bad": 10},
        {"column": "c1", "segment": "", "alerts": 0, "windows_bad": 0},
    ]


def test_thresholds_apply_to_columns_of_their_metric() -> None:
    own = {"a": ColumnRule(limit=Threshold(0.7)), "b": ColumnRule(method=Method("kl"), limit=Threshold(2.0))}
    monitor = monitor_of(Path(), FIXED, columns=Columns(ColumnRule(limit=Threshold(0.3)), own))
    tried = ReplayRules(limit=Threshold(0.1)).apply_to(monitor).columns
    assert [tried.rule(name).limit for name in ("a", "b", "c")] == [Threshold(0.1), Threshold(2.0), Threshold(0.1)]
    tried = ReplayRules(auto=True).apply_to(monitor).columns
    assert [tried.rule(name).limit for name in ("a", "b", "c")] == [None, None, None]
    tried = ReplayRules(metric="kl", smoothing="laplace").apply_to(monitor).columns
    assert [tried.rule(name).method for name in ("a", "b", "c")] == [Method("kl", "laplace")] * 3
    assert [tried.rule(name).limit for name in ("a", "b", "c")] == [None, Threshold(2.0), None]
    with pytest.raises(InputError, match="hellinger") as error:
        ReplayRules(metric="hellinger").apply_to(monitor)
    assert error.value.code == "no-default-threshold"
    assert ReplayRules(metric="hellinger", limit=Threshold(0.1)).apply_to(monitor).columns.rule("c").limit == Threshold(
        0.1
    )


@pytest.mark.parametrize(
    ("text", "reference", "shown"),
    [
        ("fixed", Reference(), "fixed"),
        ("rolling:28d", Reference(rolling=28 * DAY), "rolling:28d"),
        ("rolling:36h", Reference(rolling=timedelta(hours=36)), "rolling:36h"),
        ("seasonal:1w", Reference(seasonal=7 * DAY), "seasonal:1w:3"),
        ("seasonal:1y:5", Reference(seasonal=364 * DAY, windows=5), "seasonal:52w:5"),
    ],
)
def test_references_read_back_as_written(text: str, reference: Reference, shown: str) -> None:
    monitor = monitor_of(Path(), FIXED, period=Period.parse("1h"))
    assert parse_reference(text, monitor)[0] == reference
    assert rules_from_monitor(ReplayRules(reference=reference).apply_to(monitor))["reference"] == shown
    assert parse_reference(shown, monitor)[0] == reference


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("rolling", "invalid-value", "rolling:28d"),
        ("rolling:x", "invalid-value", "s, m, h, d or w"),
        ("rolling:1d", "reference-too-short", "2 windows"),
        ("seasonal:3d", "invalid-value", "weeks"),
        ("seasonal:1w:0", "invalid-value", "got 0"),
        ("seasonal:1w:3:4", "invalid-value", "rolling:28d"),
        ("yesterday", "invalid-value", "rolling:28d"),
    ],
)
def test_invalid_references_are_refused(text: str, code: str, part: str) -> None:
    with pytest.raises(InputError) as error:
        parse_reference(text, monitor_of(Path(), FIXED))
    assert error.value.code == code
    assert repr(text) in str(error.value)
    assert part in str(error.value)


def test_few_rolling_windows_give_a_warning() -> None:
    _, (warning,) = parse_reference("rolling:5d", monitor_of(Path(), FIXED))
    assert "5 windows of 1d; fewer than 8" in warning


def test_options_give_rules_by_threshold_and_budget() -> None:
    shared = ReplayRules(for_windows=2)
    found = rule_variants(shared, ["0.1", "auto"], ["1 per 30d", "1 per 90d"], None)
    assert [(r.limit, r.auto, r.budget and str(r.budget), r.for_windows) for r in found] == [
        (Threshold(0.1), False, "1 per 30d", 2),
        (None, True, "1 per 30d", 2),
        (None, True, "1 per 90d", 2),
    ]
    assert rule_variants(shared, [], [], None) == [shared]
    assert [rules.uses_budget(monitor_of(Path(), FIXED)) for rules in found] == [False, True, True]
    assert rule_variants(ReplayRules(), ["0.2"], [], 0.1) == [ReplayRules(limit=Threshold(0.2, warn=0.1))]
    monitor = monitor_of(Path(), FIXED)
    descriptions = [describe_rules(rules_from_monitor(rules.apply_to(monitor))) for rules in found]
    assert descriptions == [
        "js_distance 0.1, for 2",
        "js_distance auto, 1 per 30d, for 2",
        "js_distance auto, 1 per 90d, for 2",
    ]


@pytest.mark.parametrize(
    ("thresholds", "budgets", "warn", "part"),
    [
        (["low"], [], None, "'low'"),
        (["-1"], [], None, "'-1'"),
        (["auto"], [], 0.1, "--warn"),
        ([], [], 0.1, "--warn"),
        (["0.1"], [], 0.2, "warn (0.2)"),
        ([], ["few"], None, "1 per 90d"),
    ],
)
def test_invalid_rules_are_refused(thresholds: list[str], budgets: list[str], warn: float | None, part: str) -> None:
    with pytest.raises(InputError, match=re.escape(part)) as error:
        rule_variants(ReplayRules(), thresholds, budgets, warn)
    assert error.value.code in {"invalid-value", "invalid-input"}


def test_range_without_evaluated_windows_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        load_stored_windows(store, monitor_of(tmp_path, FIXED))
    assert error.value.code == "no-evaluated-windows"
