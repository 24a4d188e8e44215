"""Retention deletes histograms and scores of old windows, and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, event, func, select

from drift.monitors.spec import FileSource, Monitor, Reference
from drift.monitors.window import Period, Window
from drift.runner.retention import prune_monitors
from drift.store import Definition, Store, tables
from drift.store.engine import parse_url
from tests.support.store_builders import (
    DAY,
    FIRST,
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

REFERENCE, OTHER = profile(5000, seed=1), profile(4000, seed=2)
DAYS = 6
KEPT = "window", "revision", "alert", "event", "notification", "delivery", "baseline", "tally", "watched_column"
DROPPED = "histogram", "score"


def watched(keep: timedelta | None, name: str = "bikes") -> Monitor:
    """A daily monitor; what it reads does not matter here."""
    reference = Reference(Window(FIRST - DAY, FIRST))
    return Monitor(name, FileSource("none"), "ts", reference, ZoneInfo("UTC"), Period(1, "d"), keep=keep)


@pytest.fixture
def bikes(store: Store) -> Definition:
    """Six days, every second of which drifted; on day 6 is noon, so to speak."""
    definition = define_monitor(store)
    for number in range(DAYS):
        check_window(store, definition, number, OTHER if number % 2 else REFERENCE, REFERENCE)
    return definition


def rows(store_url: str) -> dict[str, int]:
    """Rows of each table."""
    engine = create_engine(parse_url(store_url))
    with engine.connect() as connection:
        found = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in tables.metadata.tables.items()
        }
    engine.dispose()
    return found


def days_with_scores(store: Store) -> list[int]:
    """Numbers of the days of bikes of which there are scores."""
    starts = [day(number).start.isoformat(timespec="minutes").replace("+00:00", "Z") for number in range(DAYS)]
    return sorted({starts.index(row["window_start"]) for row in store.queries.scores("bikes")})


def test_old_windows_lose_histograms_and_scores_and_nothing_else(
    store: Store, store_url: str, bikes: Definition
) -> None:
    before, kept = rows(store_url), (store.queries.windows(), store.queries.alerts(), store.monitors.statuses(NOW))
    assert prune_monitors(store, [watched(3 * DAY)], day(6).start) == 3  # those that began before day 3
    assert days_with_scores(store) == [3, 4, 5]
    for number in range(DAYS):
        assert (store.history.profile("bikes", day(number).start) is None) == (number < 3)
        assert bool(store.history.results("bikes", day(number).start)) == (number >= 3)
    after = rows(store_url)
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert (store.queries.windows(), store.queries.alerts(), store.monitors.statuses(NOW)) == kept
    for name in DROPPED:  # a baseline has histograms as well, of as many columns
        of_baseline = len(REFERENCE) + len(REFERENCE.uncounted) if name == "histogram" else 0
        assert after[name] - of_baseline == (before[name] - of_baseline) // 2
    baseline = store.references.all(bikes.monitor_id)[0]
    assert baseline.profiles[""] == REFERENCE
    assert baseline.windows


def test_what_was_thinned_out_is_not_planned_again(store: Store, bikes: Definition) -> None:
    prune_monitors(store, [watched(DAY)], day(9).start)
    assert days_with_scores(store) == []
    assert store.windows.plan(bikes, [(day(n), day(n).end) for n in range(DAYS)]) == 0
    assert store.windows.due(bikes, NOW) == []
    assert store.windows.last_planned_end(bikes.monitor_id) == day(DAYS - 1).end


def test_without_keep_everything_stays(store: Store, store_url: str, bikes: Definition) -> None:
    before = rows(store_url)
    assert prune_monitors(store, [watched(None), watched(timedelta(1), "nobody")], day(1000).start) == 0
    assert rows(store_url) == before


def test_a_window_that_began_just_as_long_ago_is_kept(store: Store, bikes: Definition) -> None:
    assert prune_monitors(store, [watched(3 * DAY)], day(3).start) == 0
    assert prune_monitors(store, [watched(3 * DAY)], day(3).start + MINUTE) == 1
    assert days_with_scores(store) == [1, 2, 3, 4, 5]


def test_pruning_stops_at_the_limit_and_continues_later(store: Store, bikes: Definition) -> None:
    check_window(store, define_monitor(store, "taxis"), 0, REFERENCE, REFERENCE)
    both = [watched(DAY), watched(DAY, "taxis")]
    assert prune_monitors(store, both, day(9).start, limit=4) == 4
    assert days_with_scores(store) == [4, 5]
    assert prune_monitors(store, both, day(9).start, limit=4) == 3
    assert store.queries.scores() == []
    assert prune_monitors(store, both, day(9).start, limit=4) == 0


def test_every_transaction_is_small(store: Store, bikes: Definition, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift.runner.retention.PRUNE_BATCH", 2)
    with commits(store) as done:
        assert prune_monitors(store, [watched(DAY)], day(9).start) == DAYS
    assert done.count("DELETE FROM profile") == DAYS // 2


@contextmanager
def commits(store: Store) -> Iterator[list[str]]:
    """The first three words of every statement."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(" ".join(statement.split()[:3]))

    event.listen(store.database.engine, "before_cursor_execute", note)
    yield asked
    event.remove(store.database.engine, "before_cursor_execute", note)


def test_a_look_that_finds_nothing_writes_nothing(store: Store, bikes: Definition) -> None:
    prune_monitors(store, [watched(3 * DAY)], day(6).start)
    with commits(store) as asked:
        assert prune_monitors(store, [watched(3 * DAY)], day(6).start) == 0
    assert not [one for one in asked if one.startswith(("DELETE", "UPDATE", "INSERT", "BEGIN IMMEDIATE"))]


def test_older_revisions_of_a_window_go_with_it(store: Store, store_url: str, bikes: Definition) -> None:
    store.windows.plan_backfill(bikes, [(day(0), NOW)])
    again(store, bikes, 0)
    assert prune_monitors(store, [watched(3 * DAY)], day(6).start) == 3
    assert days_with_scores(store) == [3, 4, 5]
    assert {row["window_start"] for row in store.queries.scores(revisions="all")} == {
        row["window_start"] for row in store.queries.scores()
    }
    assert rows(store_url)["revision"] == DAYS + 1


def again(store: Store, definition: Definition, number: int) -> None:
    """Check a window that is due once more."""
    (planned,) = store.windows.due(definition, NOW)
    assert planned.window == day(number)
    claim = store.windows.claim(planned.id, definition, "me", NOW, MINUTE)
    assert claim is not None
    found = segments(OTHER, REFERENCE)
    states = store.monitors.alert_states(definition.monitor_id)
    store.windows.commit(claim, replace(make_outcome(claim, found, states, channels=()), baseline_id=None), NOW)


def test_a_pruned_window_checked_again_stays_until_the_next_pruning(store: Store, bikes: Definition) -> None:
    prune_monitors(store, [watched(2 * DAY)], day(6).start)
    store.windows.plan_backfill(bikes, [(day(1), NOW)])
    again(store, bikes, 1)
    assert days_with_scores(store) == [1, 4, 5]
    assert store.history.profile("bikes", day(1).start) == OTHER
    assert [window.start for window in store.history.windows("bikes").windows] == [day(n).start for n in (1, 4, 5)]
    prune_monitors(store, [watched(2 * DAY)], day(6).start)
    assert days_with_scores(store) == [4, 5]


def test_a_claimed_window_is_pruned_after_its_outcome(store: Store, bikes: Definition) -> None:
    claim = claim_window(store, bikes, DAYS)  # day 6, still being counted when it is old already
    prune_monitors(store, [watched(DAY)], day(9).start)
    store.windows.commit(
        claim, make_outcome(claim, segments(OTHER, REFERENCE), store.monitors.alert_states(bikes.monitor_id)), NOW
    )
    assert store.history.profile("bikes", day(DAYS).start) == OTHER
    assert prune_monitors(store, [watched(DAY)], day(9).start) == 1
    assert store.queries.scores() == []


def test_the_past_is_shorter_and_its_windows_are_whole(store: Store, bikes: Definition) -> None:
    whole = store.history.windows("bikes")
    prune_monitors(store, [watched(3 * DAY)], day(6).start)
    past = store.history.windows("bikes")
    assert past.windows == whole.windows[3:]
    for name, history in past.histories[""].items():
        assert (history.counts == whole.histories[""][name].counts[3:]).all()
        assert (past.drifted[""][name] == whole.drifted[""][name][3:]).all()
    prune_monitors(store, [watched(DAY)], day(9).start)
    assert store.history.windows("bikes").windows == ()


def test_pruned_windows_are_logged(store: Store, bikes: Definition, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="drift"):
        prune_monitors(store, [watched(3 * DAY)], day(6).start)
        prune_monitors(store, [watched(3 * DAY)], day(6).start)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("bikes: ")
    assert "3 windows" in message
