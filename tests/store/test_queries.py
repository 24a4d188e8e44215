"""Rows of the JSON contract (`drift scores --json`, `drift windows --json`, `drift alerts list --json`)."""

import json
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, event, text

from drift.histogram import Histogram, History, NumericAxis, Profile
from drift.monitors.comparison import SegmentReference, SegmentResult, compare_profiles
from drift.monitors.spec import Columns
from drift.stats.calibration import Calibration
from drift.store import NewReference, ResultLimitExceeded, Store
from drift.store.engine import parse_url
from tests.support.errors import has_code
from tests.support.store_builders import (
    AXES,
    MINUTE,
    NOW,
    check_window,
    claim_window,
    day,
    define_monitor,
    make_outcome,
    profile,
    segments,
)

REFERENCE = profile(5000, seed=1)
OTHER = profile(4000, seed=2)

SCORE_KEYS = [
    "monitor",
    "segment",
    "column",
    "window_start",
    "window_end",
    "revision",
    "metric",
    "score",
    "noise_floor",
    "p_value",
    "detectable",
    "threshold",
    "level",
    "reference_windows",
    "verdict",
    "message",
    "code",
]
WINDOW_KEYS = [
    "monitor",
    "window_start",
    "window_end",
    "revision",
    "status",
    "verdict",
    "rows",
    "attempts",
    "due_at",
    "next_attempt_at",
    "message",
    "columns",
    "drifted",
    "code",
]
ALERT_KEYS = ["monitor", "column", "segment", "rule", "state", "since", "last_window", "reason", "fingerprint"]


@pytest.fixture
def filled(store: Store) -> Store:
    """Three days of bikes, of which the second drifted, and one of taxis."""
    bikes = define_monitor(store)
    check_window(store, bikes, 0, REFERENCE, REFERENCE)
    check_window(store, bikes, 1, OTHER, REFERENCE)
    check_window(store, bikes, 2, REFERENCE, REFERENCE)
    check_window(store, define_monitor(store, "taxis"), 0, REFERENCE, REFERENCE)
    store.windows.plan(bikes, [(day(3), day(3).end)])
    return store


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"monitor": "bikes"},
        {"since": day(1).start, "until": day(3).start, "revisions": "all"},
        {"column": "temp", "segment": ""},
    ],
)
def test_more_rows_than_wanted_are_refused_before_they_are_sorted(filled: Store, asked: dict[str, Any]) -> None:
    again = filled.monitors.find("bikes")
    assert again is not None
    filled.windows.plan_backfill(again, [(day(1), day(1).end)])
    check_window(filled, again, 1, REFERENCE, REFERENCE)  # a second revision
    executed: list[str] = []
    event.listen(filled.database.engine, "before_cursor_execute", lambda *arguments: executed.append(arguments[2]))
    reads = (
        {"scores": filled.queries.scores}
        if "column" in asked
        else {"scores": filled.queries.scores, "windows": filled.queries.windows}
    )
    for read in reads.values():
        whole = read(**asked)
        assert len(whole) >= 2
        assert read(**asked, limit=len(whole)) == whole
        executed.clear()
        with pytest.raises(ResultLimitExceeded, match=f" {len(whole) - 1} rows", check=has_code("result-limit")):
            read(**asked, limit=len(whole) - 1)
        assert executed
        assert not any("ORDER BY" in statement for statement in executed)


def test_scores_are_rows_of_the_contract(filled: Store) -> None:
    rows = filled.queries.scores("bikes", since=day(1).start, until=day(2).start)
    assert [list(row) for row in rows] == [SCORE_KEYS] * (len(AXES) + 1)
    by_column = {row["column"]: row for row in rows}
    (part,) = segments(OTHER, REFERENCE)
    for result in part.columns:
        assert by_column[result.column] == {
            "monitor": "bikes",
            "segment": "",
            "column": result.column,
            "window_start": "2011-03-02T00:00Z",
            "window_end": "2011-03-03T00:00Z",
            "revision": 1,
            "metric": None if result.scored is None else "js_distance",
            "score": result.score,
            "noise_floor": result.noise_floor,
            "p_value": result.p_value,
            "detectable": None if result.scored is None else result.scored.detectable,
            "threshold": None if result.threshold is None else 0.1,
            "level": None,
            "reference_windows": None,
            "verdict": result.verdict.value,
            "message": result.message,
            "code": getattr(result, "code", "") or None,
        }
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_scores_name_reference_windows_and_level(store: Store) -> None:
    rng, axis, shares = np.random.default_rng(4), NumericAxis((0, 1, 2)), [0, 0.4, 0.6, 0, 0]
    reference = Profile({"temp": Histogram(axis, rng.multinomial(9000, shares))}, 9000)
    live = Profile({"temp": Histogram(axis, rng.multinomial(300, shares))}, 300)
    learned = Calibration({"temp": History(axis, rng.multinomial(300, shares, size=30))})
    standard = SegmentReference(reference.histograms, calibration=learned, level=0.002)
    results = (SegmentResult("", live, compare_profiles(live, standard, Columns(), rng)),)
    claim = claim_window(store, define_monitor(store))
    baseline = store.references.freeze(claim.monitor_id, "reference", NewReference({"": reference}, {}), NOW)
    store.windows.commit(claim, make_outcome(claim, results, baseline_id=baseline.id), NOW)
    (row,) = store.queries.scores("bikes")
    (result,) = results[0].columns
    assert (row["threshold"], row["level"], row["reference_windows"]) == (None, 0.002, 30)
    assert (row["p_value"], row["detectable"]) == (result.p_value, result.scored.detectable)


def test_scores_are_narrowed(filled: Store) -> None:
    assert [row["window_start"] for row in filled.queries.scores("bikes", column="temp")] == [
        "2011-03-01T00:00Z",
        "2011-03-02T00:00Z",
        "2011-03-03T00:00Z",
    ]
    assert {row["monitor"] for row in filled.queries.scores()} == {"bikes", "taxis"}
    assert filled.queries.scores(segment="summer") == []
    assert {row["window_start"] for row in filled.queries.scores(since=day(2).start)} == {"2011-03-03T00:00Z"}
    assert len(filled.queries.scores(until=day(1).start)) == 2 * (len(AXES) + 1)


def test_equal_column_names_are_told_apart_by_monitor(filled: Store) -> None:
    assert [
        (row["monitor"], row["window_start"]) for row in filled.queries.scores(column="temp", until=day(1).start)
    ] == [
        ("bikes", "2011-03-01T00:00Z"),
        ("taxis", "2011-03-01T00:00Z"),
    ]
    assert {row["column"] for row in filled.queries.scores(column="temp")} == {"temp"}
    assert [row["monitor"] for row in filled.queries.scores("taxis", column="temp")] == ["taxis"]


def test_of_names_that_nobody_knows_there_are_no_scores(filled: Store) -> None:
    assert filled.queries.scores("bikes", column="nobody's") == []
    assert filled.queries.scores("nobody's") == []
    assert filled.queries.scores("nobody's", column="temp") == []


def test_windows_are_rows_of_the_contract_checked_or_not(filled: Store) -> None:
    rows = filled.queries.windows("bikes")
    assert [list(row) for row in rows] == [WINDOW_KEYS] * 4
    (part,) = segments(OTHER, REFERENCE)
    assert rows[1] == {
        "monitor": "bikes",
        "window_start": "2011-03-02T00:00Z",
        "window_end": "2011-03-03T00:00Z",
        "revision": 1,
        "status": "done",
        "verdict": "drift",
        "rows": 4000,
        "attempts": 1,
        "due_at": "2011-03-03T00:00Z",
        "next_attempt_at": None,
        "message": "9 columns",
        "columns": 9,
        "drifted": sum(c.verdict == "drift" for c in part.columns),
        "code": "test-outcome",
    }
    assert rows[3] | {"message": ""} == rows[3]
    assert [rows[3][key] for key in ("revision", "status", "verdict", "rows")] == [None, "due", None, None]
    assert [row["window_start"] for row in filled.queries.windows(since=day(1).start, until=day(3).start)] == [
        "2011-03-02T00:00Z",
        "2011-03-03T00:00Z",
    ]


def test_a_code_is_that_of_the_message_shown(store: Store) -> None:
    definition = define_monitor(store)
    check_window(store, definition, 0, REFERENCE, REFERENCE)
    assert [row["code"] for row in store.queries.windows()] == ["test-outcome"]
    store.windows.plan_backfill(definition, [(day(0), NOW)])
    store.windows.fail(claim_window(store, definition), "the value is not storable")
    (row,) = store.queries.windows()
    assert (row["revision"], row["message"], row["code"]) == (1, "the value is not storable", None)


def test_alerts_are_rows_of_the_contract_firing_first(filled: Store) -> None:
    claim = claim_window(filled, define_monitor(filled, "zebras"))
    filled.windows.release(claim)
    check_window(filled, define_monitor(filled, "zebras"), 0, OTHER, REFERENCE)
    rows = filled.queries.alerts()
    assert all(list(row) == ALERT_KEYS for row in rows)
    states = [row["state"] for row in rows]
    assert states == sorted(states, key=["firing", "pending", "resolved", "ok"].index)
    assert {row["monitor"] for row in rows if row["state"] == "firing"} == {"zebras"}
    assert {row["monitor"] for row in filled.queries.alerts(state="resolved")} == {"bikes"}
    resolved = filled.queries.alerts("bikes", state="resolved")[0]
    assert resolved["since"] == "2011-06-01T12:00Z"
    assert resolved["rule"] == "drift"


def test_counts_by_status_say_how_much_is_left(filled: Store) -> None:
    counts = filled.queries.counts_by_status()
    assert counts["windows"] == {"done": 4, "due": 1}
    assert counts["deliveries"] == {"pending": 4}  # fired and resolved, to two channels each
    assert set(counts["alerts"]) == {"ok", "resolved"}


@pytest.mark.postgres
def test_times_are_utc_whatever_the_zone_of_the_server(own_postgres_url: str) -> None:
    """SQLite has no zone of its own."""
    url = parse_url(own_postgres_url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE \"{url.database}\" SET timezone TO 'Asia/Kolkata'"))
    engine.dispose()
    with Store.open(own_postgres_url) as store:
        definition = define_monitor(store)
        claim = claim_window(store, definition)
        assert claim.window == day(0)
        assert claim.window.start.tzname() == "UTC"
        assert store.queries.windows()[0]["window_start"] == "2011-03-01T00:00Z"
        assert store.windows.claim(claim.window_id, definition, "x", NOW + MINUTE, MINUTE) is not None
