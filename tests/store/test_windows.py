"""Windows: planned once, claimed by one worker, ended with the newest token."""

import sys
import threading
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Connection

from drift.errors import StoreError
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store import LeaseLost, Outcome, Store
from drift.store.clock import MAX_READING_AGE, SharedClock
from drift.store.commit_outcome import is_written
from drift.store.types import ValueRefused
from tests.support.errors import has_code
from tests.support.store_builders import DAY, FIRST, MINUTE, NOW, claim_window, day, define_monitor, lose_commit_answer

WEEK = [(day(n), day(n).end) for n in range(7)]
NOTHING = Outcome(rows=0, verdict=Verdict.NO_DATA, message="no rows", source={}, baseline_id=None)


def test_a_window_is_planned_once(store: Store) -> None:
    definition = define_monitor(store)
    assert store.windows.plan(definition, WEEK[:5]) == 5
    assert store.windows.plan(definition, WEEK) == 2
    assert [w.window for w in store.windows.due(definition, NOW)] == [day(n) for n in range(7)]


def test_a_window_planned_twice_in_one_call_is_planned_once(store: Store) -> None:
    assert store.windows.plan(define_monitor(store), [WEEK[0], WEEK[0]]) == 1


def test_definitions_of_a_monitor_share_its_windows(store: Store) -> None:
    old, new = define_monitor(store), define_monitor(store, metric="psi")
    assert store.windows.plan(old, WEEK) == 7
    assert store.windows.plan(new, WEEK) == 0


def test_windows_of_another_length_may_start_at_the_same_instant(store: Store) -> None:
    old, new = define_monitor(store), define_monitor(store, window="1h")
    hour = Window(FIRST, FIRST + timedelta(hours=1))
    store.windows.plan(old, WEEK[:1])
    assert store.windows.plan(new, [(hour, hour.end)]) == 1
    for planned in store.windows.due(new, NOW):
        assert store.windows.claim(planned.id, new, "me", NOW, MINUTE) is not None


def test_a_definition_has_one_window_per_start(store: Store) -> None:
    definition = define_monitor(store)
    store.windows.plan(definition, WEEK[:1])
    longer = Window(FIRST, FIRST + timedelta(hours=25))  # a new time zone database, say
    assert store.windows.plan(definition, [(longer, longer.end)]) == 0


def test_planning_goes_on_where_any_definition_ended(store: Store) -> None:
    old = define_monitor(store)
    assert store.windows.last_planned_end(old.monitor_id) is None
    store.windows.plan(old, WEEK)
    new = define_monitor(store, metric="psi")
    assert new.monitor_id == old.monitor_id
    assert store.windows.last_planned_end(new.monitor_id) == day(6).end


def test_monitors_do_not_see_each_others_windows(store: Store) -> None:
    bikes, taxis = define_monitor(store), define_monitor(store, "taxis")
    store.windows.plan(bikes, WEEK)
    assert store.windows.due(taxis, NOW) == []
    assert store.windows.plan(taxis, WEEK[:1]) == 1
    foreign = store.windows.due(bikes, NOW)[0].id
    assert store.windows.claim(foreign, taxis, "me", NOW, MINUTE) is None


def test_due_windows_come_oldest_first_up_to_the_limit(store: Store) -> None:
    definition = define_monitor(store)
    store.windows.plan(definition, WEEK[::-1])
    noon = day(3).end
    assert [w.window for w in store.windows.due(definition, noon)] == [day(n) for n in range(4)]
    assert [w.window for w in store.windows.due(definition, noon, limit=2)] == [day(0), day(1)]
    first = store.windows.due(definition, noon)[0]
    assert (first.kind, first.due_at, first.attempts) == ("check", day(0).end, 0)


def test_the_order_of_keys_does_not_change_a_definition(store: Store) -> None:
    first = store.monitors.define("bikes", {"a": 1, "b": [1, 2]}, NOW)
    assert store.monitors.define("bikes", {"b": [1, 2], "a": 1}, NOW + DAY) == first
    other = store.monitors.define("bikes", {"a": 1, "b": [2, 1]}, NOW + DAY)
    assert other.id != first.id
    assert other.monitor_id == first.monitor_id


def test_the_newest_definition_is_the_one_used_last(store: Store) -> None:
    old = store.monitors.define("bikes", {"n": 1}, NOW)
    store.monitors.define("bikes", {"n": 2}, NOW + DAY)
    assert store.monitors.document("bikes") == {"n": 2}
    assert store.monitors.define("bikes", {"n": 1}, NOW + 2 * DAY) == old
    assert store.monitors.document("bikes") == {"n": 1}
    assert store.monitors.find("bikes") == old
    assert store.monitors.find("taxis") is None
    assert store.monitors.names() == ["bikes"]


def test_an_unknown_monitor_lists_the_known_ones(store: Store) -> None:
    define_monitor(store)
    with pytest.raises(StoreError, match=r"'taxis'.*bikes", check=has_code("unknown-monitor")):
        store.monitors.document("taxis")


def test_a_claim_tells_what_to_check(store: Store) -> None:
    old = define_monitor(store)
    store.windows.plan(old, WEEK[:1])
    new = define_monitor(store, metric="psi")
    (planned,) = store.windows.due(new, NOW)
    claim = store.windows.claim(planned.id, new, "me", NOW, MINUTE)
    assert claim is not None
    assert (claim.monitor, claim.monitor_id, claim.definition_id) == ("bikes", new.monitor_id, new.id)
    assert (claim.window, claim.kind, claim.attempt, claim.revision) == (day(0), "check", 1, 1)
    assert store.windows.due(new, NOW) == []
    assert store.windows.claim(planned.id, new, "other", NOW, MINUTE) is None


def test_a_window_that_is_not_due_yet_cannot_be_claimed(store: Store) -> None:
    definition = define_monitor(store)
    store.windows.plan(definition, WEEK[:1])
    (planned,) = store.windows.due(definition, NOW)
    assert store.windows.claim(planned.id, definition, "me", day(0).start, MINUTE) is None


def test_of_claimers_at_once_one_wins(store_url: str) -> None:
    stores = [Store.open(store_url) for _ in range(4)]
    definition = define_monitor(stores[0])
    stores[0].windows.plan(definition, WEEK)
    planned = stores[0].windows.due(definition, NOW)
    won: list[int] = []
    start = threading.Barrier(len(stores))

    def work(store: Store) -> None:
        start.wait()
        won.extend(w.id for w in planned if store.windows.claim(w.id, definition, "me", NOW, MINUTE) is not None)

    workers = [threading.Thread(target=work, args=(store,)) for store in stores]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(won) == sorted(w.id for w in planned)
    for store in stores:
        store.close()


def test_of_planners_at_once_each_window_comes_from_one(store_url: str) -> None:
    stores = [Store.open(store_url) for _ in range(4)]
    definitions = [define_monitor(store, metric=str(n)) for n, store in enumerate(stores)]
    windows = [(day(n), day(n).end) for n in range(100)]
    planned: list[int] = []

    def work(number: int) -> None:
        planned.append(stores[number].windows.plan(definitions[number], windows))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(planned) == 100
    assert len(stores[0].queries.windows()) == 100
    for store in stores:
        store.close()


def test_an_expired_lease_is_claimed_again_and_fenced(store: Store) -> None:
    definition = define_monitor(store)
    slow = claim_window(store, definition)
    assert store.windows.due(definition, NOW + MINUTE / 2) == []
    (left,) = store.windows.due(definition, NOW + MINUTE)
    quick = store.windows.claim(left.id, definition, "other", NOW + MINUTE, MINUTE)
    assert quick is not None
    assert quick.token > slow.token
    assert quick.attempt == 2
    for late in (
        lambda: store.windows.commit(slow, NOTHING, NOW),
        lambda: store.windows.release(slow),
    ):
        with pytest.raises(
            LeaseLost, match="2011-03-01T00:00Z to 2011-03-02T00:00Z of bikes", check=has_code("lease-lost")
        ):
            late()
    store.windows.commit(quick, NOTHING, NOW)
    assert [(w["status"], w["verdict"]) for w in store.queries.windows()] == [("done", "no_data")]


@pytest.mark.parametrize("back", [DAY, timedelta(hours=1, minutes=1)])
def test_a_lease_given_by_a_fast_clock_is_expired(store: Store, back: timedelta) -> None:
    definition = define_monitor(store)
    store.windows.plan(definition, WEEK[:2])
    first, second = store.windows.due(definition, NOW)
    late = store.windows.claim(first.id, definition, "dead, on another host", NOW + back, MINUTE)
    assert late is not None
    assert [one.id for one in store.windows.due(definition, NOW)] == [first.id, second.id]
    assert store.windows.leased(definition.monitor_id, NOW) == []
    new = store.windows.claim(first.id, definition, "here", NOW, MINUTE)
    assert new is not None
    with pytest.raises(LeaseLost, match="token 1", check=has_code("lease-lost")):
        store.windows.commit(late, NOTHING, NOW)
    store.windows.commit(new, NOTHING, NOW)


def test_a_clock_set_back_a_little_ends_no_lease(store: Store) -> None:
    definition = define_monitor(store)
    store.windows.plan(definition, WEEK[:2])
    first, _ = store.windows.due(definition, NOW)
    leased = store.windows.claim(first.id, definition, "me", NOW, 10 * MINUTE)
    assert leased is not None
    earlier = NOW - timedelta(minutes=30)
    assert store.windows.claim(first.id, definition, "other", earlier, MINUTE) is None
    assert [one.owner for one in store.windows.leased(definition.monitor_id, earlier)] == ["me"]
    store.windows.commit(leased, NOTHING, earlier)


def test_an_end_whose_answer_was_lost_is_looked_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    with lose_commit_answer(store, monkeypatch):
        store.windows.commit(claim, NOTHING, NOW)
    assert [(w["status"], w["revision"]) for w in store.queries.windows(revisions="all")] == [("done", 1)]
    other = claim_window(store, definition, 1)
    with (
        lose_commit_answer(store, monkeypatch, written=False),
        pytest.raises(StoreError, check=has_code("commit-unknown")),
    ):
        store.windows.commit(other, NOTHING, NOW)
    store.windows.commit(other, NOTHING, NOW)


def test_the_revision_of_another_claim_is_not_its_own(store: Store) -> None:
    definition = define_monitor(store)
    slow = claim_window(store, definition)
    quick = store.windows.claim(slow.window_id, definition, "other", NOW + MINUTE, MINUTE)
    assert quick is not None
    assert quick.revision == slow.revision
    store.windows.commit(quick, NOTHING, NOW)
    with store.database.read() as connection:
        assert is_written(connection, quick)
        assert not is_written(connection, slow)


def test_a_claim_whose_answer_was_lost_is_looked_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    definition = define_monitor(store)
    store.windows.plan(definition, WEEK)
    first, second, *_ = store.windows.due(definition, NOW)
    with lose_commit_answer(store, monkeypatch):
        claim = store.windows.claim(first.id, definition, "me", NOW, MINUTE)
    assert claim is not None
    store.windows.commit(claim, NOTHING, NOW)
    with (
        lose_commit_answer(store, monkeypatch, written=False),
        pytest.raises(StoreError, check=has_code("commit-unknown")),
    ):
        store.windows.claim(second.id, definition, "me", NOW, MINUTE)
    assert store.windows.due(definition, NOW)[0] == second


@pytest.mark.postgres
def test_steps_of_the_hosts_clock_do_not_matter(postgres_url: str) -> None:
    with Store.open(postgres_url) as store, psycopg.connect(postgres_url) as other:
        seconds = [100.0]
        clock = SharedClock(store.database.read, lambda: seconds[0])
        before = other.execute("SELECT clock_timestamp()").fetchone()
        first = clock()
        after = other.execute("SELECT clock_timestamp()").fetchone()
        assert before is not None
        assert after is not None
        assert before[0] <= first <= after[0]
        seconds[0] += MAX_READING_AGE - 1
        assert clock() - first == timedelta(seconds=MAX_READING_AGE - 1), "counted by the host, not asked"
        seconds[0] += 1
        assert first < clock() < first + timedelta(seconds=MAX_READING_AGE - 1), "asked again"


@pytest.mark.postgres
@pytest.mark.skipif(sys.platform != "linux", reason="CLOCK_BOOTTIME is Linux's")
def test_a_host_that_was_suspended_asks_the_server_anew(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(postgres_url) as store:
        server_reads: list[bool] = []

        def read() -> AbstractContextManager[Connection]:
            server_reads.append(True)
            return store.database.read()

        clock, count = SharedClock(read), time.clock_gettime
        clock()
        clock()
        assert len(server_reads) == 1
        slept = {time.CLOCK_BOOTTIME: MAX_READING_AGE}
        monkeypatch.setattr(time, "clock_gettime", lambda which: count(which) + slept.get(which, 0.0))
        clock()
        assert len(server_reads) == 2


@pytest.mark.postgres
def test_hosts_whose_clocks_differ_share_the_stores_time(postgres_url: str) -> None:
    with Store.open(postgres_url) as one, Store.open(postgres_url) as other:
        other._clock = SharedClock(other.database.read, lambda: time.monotonic() - 86_400)  # a host of another age
        definition = define_monitor(one)
        one.windows.plan(definition, WEEK)
        leased = one.windows.claim(one.windows.due(definition, one.now())[0].id, definition, "one", one.now(), MINUTE)
        assert leased is not None
        assert abs(other.now() - one.now()) < timedelta(seconds=5)
        assert other.windows.due(definition, other.now()) == [], "not to be taken from it"


def test_the_time_of_a_file_is_the_hosts(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        before, now, after = datetime.now(UTC), store.now(), datetime.now(UTC)
    assert before <= now <= after


def test_a_claim_ends_once(store: Store) -> None:
    claim = claim_window(store, define_monitor(store))
    store.windows.commit(claim, NOTHING, NOW)
    with pytest.raises(LeaseLost):
        store.windows.commit(claim, NOTHING, NOW)


def test_a_renewed_lease_lasts_longer_and_only_its_holder_renews(store: Store) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    assert store.windows.renew(claim, NOW + 3 * MINUTE)
    assert store.windows.due(definition, NOW + 2 * MINUTE) == []
    again = store.windows.claim(claim.window_id, definition, "other", NOW + 3 * MINUTE, MINUTE)
    assert again is not None
    assert not store.windows.renew(claim, NOW + 9 * MINUTE)
    assert len(store.windows.due(definition, NOW + 4 * MINUTE)) == 1


def test_a_released_window_is_due_without_a_counted_attempt(store: Store) -> None:
    definition = define_monitor(store)
    store.windows.release(claim_window(store, definition))
    (again,) = store.windows.due(definition, NOW)
    assert again.attempts == 0


def test_planning_again_makes_windows_due_and_inserts_missing_ones(store: Store) -> None:
    old = define_monitor(store)
    store.windows.commit(claim_window(store, old, 1), NOTHING, NOW)
    new = define_monitor(store, metric="psi")
    assert store.windows.plan_backfill(new, WEEK[:3]) == 3
    assert [w.window for w in store.windows.due(new, NOW)] == [day(0), day(1), day(2)]
    later = [(window, NOW + MINUTE) for window, _ in WEEK[:3]]
    assert store.windows.plan_backfill(new, later) == 3, "what waits is asked for as well"
    assert [w.due_at for w in store.windows.due(new, NOW + MINUTE)] == [NOW + MINUTE] * 3
    assert store.windows.plan_backfill(new, WEEK[:3]) == 3
    claim = store.windows.claim(store.windows.due(new, NOW)[1].id, new, "me", NOW, MINUTE)
    assert claim is not None
    assert claim.revision == 2
    assert claim.definition_id == new.id


def test_planning_again_leaves_a_claimed_window_to_its_worker(store: Store) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    assert store.windows.plan_backfill(definition, WEEK[:1]) == 0
    store.windows.commit(claim, NOTHING, NOW)


def test_an_outcome_may_ask_for_another_check(store: Store) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    broken = Outcome(0, Verdict.ERROR, "unreadable", {}, None, retry_at=NOW + MINUTE)
    store.windows.commit(claim, broken, NOW)
    (row,) = store.queries.windows()
    assert (row["status"], row["verdict"], row["message"]) == ("due", "error", "unreadable")
    (again,) = store.windows.due(definition, NOW + MINUTE)
    second = store.windows.claim(again.id, definition, "me", NOW + MINUTE, MINUTE)
    assert second is not None
    assert (second.attempt, second.revision) == (2, 2)


@pytest.mark.parametrize("naive", [datetime(2011, 6, 1), "2011-06-01"])  # noqa: DTZ001 - that is the point
def test_a_time_without_zone_is_refused(store: Store, naive: datetime) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    for use in (
        lambda: store.monitors.define("other", {}, naive),
        lambda: store.windows.due(definition, naive),
        lambda: store.windows.plan(definition, [(day(1), naive)]),
        lambda: store.windows.renew(claim, naive),
        lambda: store.queries.scores(since=naive),
        lambda: store.outbox.due(naive),
    ):
        with pytest.raises(StoreError, match="2011", check=has_code("value-not-storable")):
            use()


def test_windows_after_a_leased_one_are_not_due(store: Store) -> None:
    definition = define_monitor(store)
    store.windows.plan(definition, [(day(n), day(n).end) for n in range(3)])
    claim = store.windows.claim(store.windows.due(definition, NOW)[1].id, definition, "host:7", NOW, MINUTE)
    assert claim is not None
    assert [w.window for w in store.windows.due(definition, NOW)] == [day(0)]
    (leased,) = store.windows.leased(definition.monitor_id, NOW)
    assert (leased.window, leased.owner, leased.token, leased.until) == (day(1), "host:7", claim.token, NOW + MINUTE)
    assert store.windows.leased(definition.monitor_id, NOW + MINUTE) == []
    assert len(store.windows.due(definition, NOW + MINUTE)) == 3


def test_an_expired_window_is_due_and_its_worker_fenced(store: Store) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    (leased,) = store.windows.leased(definition.monitor_id, NOW)
    store.windows.expire(leased, NOW)
    assert [w.window for w in store.windows.due(definition, NOW)] == [claim.window]
    again = store.windows.claim(claim.window_id, definition, "other", NOW, MINUTE)
    assert again is not None
    store.windows.expire(leased, NOW)  # of an older token: changes nothing
    assert store.windows.due(definition, NOW) == []
    with pytest.raises(LeaseLost):
        store.windows.release(claim)


def test_crashed_attempts_are_counted_apart_from_failed_ones(store: Store) -> None:
    definition = define_monitor(store)
    store.windows.plan(definition, WEEK[:1])
    for number in range(9):
        (planned,) = store.windows.due(definition, NOW)
        assert planned.attempts == number
        assert store.windows.claim(planned.id, definition, "killed", NOW, MINUTE) is not None
        (leased,) = store.windows.leased(definition.monitor_id, NOW)
        store.windows.expire(leased, NOW)
        store.windows.expire(leased, NOW)  # another replica does the same
    (planned,) = store.windows.due(definition, NOW)
    claim = store.windows.claim(planned.id, definition, "me", NOW, MINUTE)
    assert claim is not None
    assert (claim.attempt, claim.failures, claim.crashes) == (10, 0, 9)
    store.windows.release(claim)
    for failures in range(3):
        claim = store.windows.claim(planned.id, definition, "me", NOW, MINUTE)
        assert claim is not None
        assert (claim.failures, claim.crashes) == (failures, 9)
        store.windows.commit(claim, Outcome(0, Verdict.ERROR, "unreadable", {}, None, retry_at=NOW), NOW)
    claim = store.windows.claim(planned.id, definition, "me", NOW, MINUTE)
    assert claim is not None
    store.windows.commit(claim, NOTHING, NOW)
    assert store.windows.plan_backfill(definition, WEEK[:1]) == 1
    claim = store.windows.claim(planned.id, definition, "me", NOW, MINUTE)
    assert claim is not None
    assert (claim.failures, claim.crashes) == (0, 0), "a backfill resets the counts"


def test_errors_before_a_backfill_are_not_counted(store: Store) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    for _ in range(5):
        store.windows.commit(claim, Outcome(0, Verdict.ERROR, "unreadable", {}, None), NOW)
        assert store.windows.plan_backfill(definition, WEEK[:1]) == 1
        (planned,) = store.windows.due(definition, NOW)
        again = store.windows.claim(planned.id, definition, "me", NOW, MINUTE)
        assert again is not None
        assert (again.attempt, again.failures, again.crashes) == (1, 0, 0)
        claim = again


def test_crashes_after_a_backfill_are_not_counted_as_errors(store: Store) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    for number in range(3):
        store.windows.commit(
            claim, Outcome(0, Verdict.ERROR, "unreadable", {}, None, retry_at=NOW), NOW + number * MINUTE
        )
        (planned,) = store.windows.due(definition, NOW)
        again = store.windows.claim(planned.id, definition, "me", NOW + number * MINUTE, MINUTE)
        assert again is not None
        claim = again
    store.windows.commit(claim, Outcome(0, Verdict.ERROR, "unreadable", {}, None), NOW + 4 * MINUTE)
    requested_at = NOW + DAY
    assert store.windows.plan_backfill(definition, [(WEEK[0][0], requested_at)]) == 1
    for kills in range(4):
        (planned,) = store.windows.due(definition, requested_at)
        assert (planned.attempts, planned.crashes) == (kills, kills)
        again = store.windows.claim(planned.id, definition, "killed", requested_at, MINUTE)
        assert again is not None
        assert (again.failures, again.crashes) == (0, kills)
        requested_at += MINUTE
    store.windows.commit(again, Outcome(0, Verdict.ERROR, "unreadable", {}, None, retry_at=requested_at), requested_at)
    (planned,) = store.windows.due(definition, requested_at)
    assert (planned.attempts, planned.crashes) == (4, 3)
    again = store.windows.claim(planned.id, definition, "me", requested_at, MINUTE)
    assert again is not None
    assert (again.failures, again.crashes) == (1, 3)


def test_a_refused_value_is_not_a_failing_database(store: Store) -> None:
    claim = claim_window(store, define_monitor(store))
    with pytest.raises(ValueRefused):  # no such reference: a constraint that no second try will satisfy
        store.windows.commit(claim, Outcome(0, Verdict.OK, "", {}, 4711), NOW)
    store.windows.commit(claim, NOTHING, NOW)
