"""How monitors and queues stand: what a count over all rows says, without counting all rows."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from drift.monitors.verdict import Verdict
from drift.store import ChannelQueue, MonitorStatus, Store, migrate
from drift.store.engine import parse_url
from drift.store.schema import REVISIONS
from tests.support.store_builders import (
    DAY,
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
LAST = ("window_start", "window_end", "revision", "verdict", "rows", "columns", "drifted", "message")


@pytest.fixture
def filled(store: Store) -> Store:
    """Four days of bikes, of which one drifted, one could not be read, and one waits; one day of taxis; no buses."""
    bikes = define_monitor(store)
    check_window(store, bikes, 0, REFERENCE, REFERENCE)
    check_window(store, bikes, 1, OTHER, REFERENCE)
    fail(store, bikes, 2)
    store.windows.plan(bikes, [(day(3), day(3).end), (day(4), NOW + DAY)])
    check_window(store, define_monitor(store, "taxis"), 0, REFERENCE, REFERENCE)
    define_monitor(store, "buses")
    return store


def fail(store: Store, definition: Any, number: int) -> None:
    claim = claim_window(store, definition, number)
    store.windows.commit(claim, failed(claim), NOW)


def failed(claim: Any) -> Any:
    return replace(
        make_outcome(claim, (), channels=()), verdict=Verdict.ERROR, message="no such file", retry_at=NOW + DAY
    )


def counted(store: Store) -> dict[str, Counter[str]]:
    """Windows by verdict, one by one."""
    verdicts: dict[str, Counter[str]] = {name: Counter() for name in store.monitors.names()}
    for row in store.queries.windows():
        if row["verdict"] is not None:
            verdicts[row["monitor"]][row["verdict"]] += 1
    return verdicts


def test_every_monitor_stands_as_its_windows_say(filled: Store) -> None:
    statuses = {one.monitor: one for one in filled.monitors.statuses(NOW)}
    assert list(statuses) == ["bikes", "buses", "taxis"]
    assert {name: one.verdicts for name, one in statuses.items()} == counted(filled)
    assert statuses["bikes"].verdicts == {"ok": 1, "drift": 1, "error": 1}
    for name in ("bikes", "taxis"):
        newest = [row for row in filled.queries.windows(name) if row["verdict"] is not None][-1]
        assert statuses[name].last == {key: newest[key] for key in LAST}
    assert statuses["buses"] == MonitorStatus("buses")
    assert statuses["bikes"].checked_until == day(2).end
    assert statuses["bikes"].checked_at == NOW


def test_waiting_and_due_windows_are_counted_apart(filled: Store) -> None:
    """Of bikes: the day to be tried again, one that is due, and one that is not yet."""
    bikes = filled.monitors.statuses(NOW)[0]
    assert (bikes.waiting, bikes.overdue, bikes.oldest_due) == (3, 2, day(2).end)
    later = filled.monitors.statuses(NOW + DAY)[0]
    assert (later.waiting, later.overdue) == (3, 3)
    earlier = filled.monitors.statuses(day(2).end - MINUTE)[0]
    assert (earlier.waiting, earlier.overdue, earlier.oldest_due) == (3, 0, None)


def test_a_window_checked_again_counts_by_its_newest_verdict(filled: Store) -> None:
    bikes = define_monitor(filled)
    claim = filled.windows.claim(filled.windows.due(bikes, NOW + DAY)[0].id, bikes, "me", NOW + DAY, MINUTE)
    assert claim is not None
    assert claim.previous_verdict is Verdict.ERROR
    states = filled.monitors.alert_states(bikes.monitor_id)
    filled.windows.commit(claim, make_outcome(claim, segments(REFERENCE, REFERENCE), states), NOW + DAY)
    bikes_now = filled.monitors.statuses(NOW)[0]
    assert bikes_now.verdicts == counted(filled)["bikes"] == {"ok": 2, "drift": 1}


def test_an_upgrade_counts_what_is_there(own_store_url: str) -> None:
    with Store.open(own_store_url) as store:
        bikes = define_monitor(store)
        check_window(store, bikes, 0, REFERENCE, REFERENCE)
        check_window(store, bikes, 1, OTHER, REFERENCE)
        fail(store, bikes, 2)
        before = store.monitors.statuses(NOW)
    migrate.downgrade(own_store_url, "0003")
    assert migrate.upgrade(own_store_url) == ("0003", REVISIONS[-1])
    with Store.open(own_store_url) as store:
        assert store.monitors.statuses(NOW) == before
        assert before[0].verdicts == counted(store)["bikes"]


def test_the_same_few_statements_whatever_the_number_of_monitors(filled: Store) -> None:
    queries = statements(filled)
    one = len(queries)
    for number in range(20):
        define_monitor(filled, f"more {number}")
    assert len(statements(filled)) == one


def statements(store: Store, question: Callable[[], object] | None = None) -> list[str]:
    """What is asked of the database; by default, how monitors stand."""
    queries: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        queries.append(statement)

    event.listen(store.database.engine, "before_cursor_execute", note)
    (question or (lambda: store.monitors.statuses(NOW)))()
    event.remove(store.database.engine, "before_cursor_execute", note)
    return queries


def steps(url: str, queries: Sequence[str]) -> list[str]:
    """SQLite's plan."""
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        details = [
            row[3]
            for statement in queries
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, (None,) * statement.count("?"))
        ]
    engine.dispose()
    return details


def test_sqlite_walks_through_no_table_of_windows(sqlite_url: str) -> None:
    """Its plan steps into indexes for each monitor: SCAN of window or revision would grow with the years stored."""
    with Store.open(sqlite_url) as store:
        plan = steps(sqlite_url, statements(store))
    assert any("SEARCH window" in step for step in plan)
    assert not [step for step in plan if step.startswith(("SCAN window", "SCAN revision"))]


@pytest.mark.parametrize("question", ["due", "leased", "last_planned_end"])
def test_queries_of_a_tick_use_indexes_of_status_or_end(sqlite_url: str, question: str) -> None:
    with Store.open(sqlite_url) as store:
        bikes = define_monitor(store)
        arguments = {"due": (bikes, NOW), "leased": (bikes.monitor_id, NOW), "last_planned_end": (bikes.monitor_id,)}
        plan = steps(sqlite_url, statements(store, lambda: getattr(store.windows, question)(*arguments[question])))
    about = [step for step in plan if "window" in step]
    assert about
    for step in about:
        assert re.search(r"ix_window_monitor_id_(status_next_attempt_at|end_at)", step), plan


def test_deliveries_wait_in_lines_of_their_channels(filled: Store) -> None:
    notified = 2  # of bikes only: day 1 drifted, and day 2 changed no alert
    lines = filled.outbox.queues()
    pending = Counter(one.channel for one in filled.outbox.due(NOW))
    assert {line.channel: line.waiting for line in lines} == pending
    assert len(pending) == notified
    assert {line.since for line in lines} == {NOW}
    assert filled.outbox.counts() == {"pending": sum(pending.values())}
    (first, *_) = filled.outbox.due(NOW)
    filled.outbox.mark_sent(first.id, NOW + timedelta(hours=1))
    assert ChannelQueue(first.channel, 1, NOW) not in filled.outbox.queues()
    assert filled.outbox.counts() == {"pending": sum(pending.values()) - 1, "sent": 1}


def test_the_size_is_that_of_the_database(store: Store, store_url: str) -> None:
    engine = create_engine(parse_url(store_url))
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            files = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND NOT relisshared"
            assert store.queries.size() >= connection.execute(text(files)).scalar_one() > 0
        else:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            assert store.queries.size() == pages * connection.execute(text("PRAGMA page_size")).scalar_one()
    engine.dispose()
