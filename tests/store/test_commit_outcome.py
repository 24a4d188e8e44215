"""Outcomes: all or nothing, old revisions stay, profiles come back equal."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import create_engine, func, select

from drift.errors import StoreError
from drift.histogram import Fault, Profile, Uncounted
from drift.monitors.alert_state import AlertState, Fingerprint, State
from drift.monitors.comparison import SegmentResult
from drift.monitors.verdict import Verdict
from drift.store import AlertConflict, NewReference, Outcome, Store
from drift.store.engine import parse_url
from drift.store.tables import alert, axis, event, metadata
from tests.support.errors import has_code
from tests.support.store_builders import (
    AXES,
    DAY,
    MINUTE,
    NOW,
    check_window,
    claim_window,
    day,
    define_monitor,
    make_outcome,
    make_transitions,
    profile,
    segments,
)

REFERENCE = profile(5000, seed=1)
SAME = REFERENCE
OTHER = profile(4000, seed=2)


def rows(url: str) -> dict[str, int]:
    """Number of rows of each table."""
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        contents = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }
    engine.dispose()
    return contents


def test_a_profile_comes_back_equal(store: Store) -> None:
    definition = define_monitor(store)
    live = profile(4000, seed=3, lost=True)
    check_window(store, definition, 0, live, REFERENCE)
    stored = store.history.profile("bikes", day(0).start)
    assert stored == live
    assert stored is not None
    assert [repr(a) for a in stored.axes.values()] == [repr(AXES[name]) for name in stored]


def test_counts_of_64_bits_come_back_equal(store: Store) -> None:
    definition = define_monitor(store)
    huge = replace(REFERENCE, rows=2**62, histograms={}, uncounted={})
    huge = Profile({"temp": REFERENCE["temp"].__class__(AXES["temp"], [0, 2**62 - 3, 1, 1, 0, 1])}, 2**62)
    claim = claim_window(store, definition)
    nothing = Outcome(2**62, Verdict.OK, "", {}, None, (SegmentResult("", huge),))
    store.windows.commit(claim, nothing, NOW)
    assert store.history.profile("bikes", day(0).start) == huge


def test_a_profile_without_columns_comes_back(store: Store) -> None:
    claim = claim_window(store, define_monitor(store))
    store.windows.commit(claim, Outcome(7, Verdict.OK, "", {}, None, (SegmentResult("", Profile({}, 7)),)), NOW)
    assert store.history.profile("bikes", day(0).start) == Profile({}, 7)


def test_what_was_not_checked_has_no_profile(store: Store) -> None:
    check_window(store, define_monitor(store), 0, SAME, REFERENCE)
    assert store.history.profile("bikes", day(1).start) is None
    assert store.history.profile("taxis", day(0).start) is None
    assert store.history.profile("bikes", day(0).start, revision=2) is None
    assert store.history.profile("bikes", day(0).start, segment="summer") is None
    assert store.history.results("bikes", day(1).start) == ()


def test_segments_are_kept_apart(store: Store) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    results = segments(SAME, REFERENCE, "summer") + segments(OTHER, REFERENCE, "winter")
    store.windows.commit(claim, make_outcome(claim, results), NOW)
    assert store.history.profile("bikes", day(0).start, segment="summer") == SAME
    assert store.history.profile("bikes", day(0).start, segment="winter") == OTHER
    assert {s["segment"] for s in store.queries.scores(segment="winter")} == {"winter"}
    assert store.queries.windows()[0]["columns"] == 2 * (len(AXES) + 1)


def test_results_come_back_as_they_were_found(store: Store) -> None:
    definition = define_monitor(store)
    live = profile(4000, seed=3, lost=True)
    check_window(store, definition, 0, live, REFERENCE)
    assert store.history.results("bikes", day(0).start) == segments(live, REFERENCE)


def test_a_new_revision_keeps_the_old_one(store: Store) -> None:
    definition = define_monitor(store)
    check_window(store, definition, 0, SAME, REFERENCE)
    store.windows.plan_backfill(definition, [(day(0), NOW)])
    second = check_window(store, definition, 0, OTHER, REFERENCE)
    assert second.revision == 2
    assert store.history.profile("bikes", day(0).start) == OTHER
    assert store.history.profile("bikes", day(0).start, revision=1) == SAME
    assert store.history.profile("bikes", day(0).start, revision=2) == OTHER
    assert {s["revision"] for s in store.queries.scores()} == {2}
    assert {s["revision"] for s in store.queries.scores(revisions="all")} == {1, 2}
    assert [(w["revision"], w["rows"]) for w in store.queries.windows(revisions="all")] == [
        (1, SAME.rows),
        (2, OTHER.rows),
    ]
    assert [w["revision"] for w in store.queries.windows()] == [2]


def test_while_a_window_is_checked_again_its_newest_revision_stays(store: Store) -> None:
    definition = define_monitor(store)
    check_window(store, definition, 0, SAME, REFERENCE)
    store.windows.plan_backfill(definition, [(day(0), NOW)])
    claim_window(store, definition)
    (row,) = store.queries.windows()
    assert (row["status"], row["revision"], row["verdict"]) == ("claimed", 1, "ok")


def test_an_axis_is_kept_once(store_url: str) -> None:
    with Store.open(store_url) as store:
        definition = define_monitor(store)
        for number in range(3):
            check_window(store, definition, number, profile(100, seed=number), REFERENCE, "", "summer")
    with Store.open(store_url) as store:  # nothing depends on what one process remembers
        check_window(store, define_monitor(store, "taxis"), 0, OTHER, REFERENCE)
    assert rows(store_url)["axis"] == len(AXES)
    assert rows(store_url)["histogram"] == (3 * 2 + 1 + 2) * (len(AXES) + 1)


Break = Callable[[Outcome], Outcome]


def _twice_a_channel(whole: Outcome) -> Outcome:
    return replace(whole, channels=("team", "team"))  # the very last insert: unique(notification, channel)


def _twice_an_event(whole: Outcome) -> Outcome:
    return replace(whole, events=(*whole.events, whole.events[0]))


def _unknown_baseline(whole: Outcome) -> Outcome:
    return replace(whole, baseline_id=987654)


def _twice_a_segment(whole: Outcome) -> Outcome:
    return replace(whole, segments=whole.segments * 2)


def _not_a_number(whole: Outcome) -> Outcome:
    part = whole.segments[0]
    first = next(c for c in part.columns if c.scored is not None)
    assert first.scored is not None
    wrong = replace(first, scored=replace(first.scored, p_value=float("nan")))
    columns = tuple(wrong if c is first else c for c in part.columns)
    return replace(whole, segments=(replace(part, columns=columns),))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (_twice_a_channel, "(?i)unique"),
        (_twice_an_event, "(?i)unique"),
        (_unknown_baseline, "(?i)foreign key"),
        (_twice_a_segment, "(?i)unique"),
        (_not_a_number, "finite numbers; got nan"),
    ],
)
def test_an_outcome_is_written_whole_or_not_at_all(store_url: str, break_it: Break, message: str) -> None:
    with Store.open(store_url) as store:
        definition = define_monitor(store)
        claim = claim_window(store, definition)
        whole = make_outcome(claim, segments(OTHER, REFERENCE))
        assert whole.events
        before = rows(store_url)
        with pytest.raises(StoreError, match=message):
            store.windows.commit(claim, break_it(whole), NOW)
        assert rows(store_url) == before
        assert store.queries.windows()[0]["status"] == "claimed"
        store.windows.commit(claim, whole, NOW)  # the claim still stands, and the whole one fits
        after = rows(store_url)
    grown = {name for name in after if after[name] > before[name]}
    assert grown == {"revision", "profile", "histogram", "score", "alert", "event", "notification", "delivery"} | {
        "axis",
        "method",
        "tally",
        "watched_column",
    }


def test_values_of_numpy_become_plain_ones(store: Store) -> None:
    claim = claim_window(store, define_monitor(store))
    results = segments(OTHER, REFERENCE)
    whole = make_outcome(claim, results)
    store.windows.commit(claim, replace(whole, rows=np.int64(4000)), NOW)  # type: ignore[arg-type]
    assert type(store.queries.windows()[0]["rows"]) is int
    assert {type(s["score"]) for s in store.queries.scores()} == {float, type(None)}


@pytest.mark.parametrize("source", [{"size": float("nan")}, {"rows": np.int64(3)}, {"when": NOW}])
def test_a_source_fingerprint_is_strict_json(store: Store, source: dict[str, object]) -> None:
    claim = claim_window(store, define_monitor(store))
    with pytest.raises(StoreError, check=has_code("value-not-storable")):
        store.windows.commit(claim, Outcome(0, Verdict.OK, "", source, None), NOW)


def test_names_and_messages_that_databases_refuse_come_back(store: Store) -> None:
    definition = define_monitor(store, "bi\0kes")
    odd = {"\0": OTHER["temp"], "\ud800": OTHER["count"], "": OTHER["code"], "\x1b": OTHER["holiday"]}
    live = Profile(odd, OTHER.rows, {"lost\0": Uncounted(Fault.ERROR, "\ud800")})
    claim = claim_window(store, definition)
    message = "bad \0 name \ud800, good ☔"
    store.windows.commit(
        claim, Outcome(0, Verdict.ERROR, message, {"\0": "\ud800"}, None, (SegmentResult("\0", live),)), NOW
    )
    assert store.history.profile("bi\0kes", day(0).start, segment="\0") == live
    assert store.queries.windows()[0]["message"] == message
    assert store.monitors.names() == ["bi\0kes"]


def test_alerts_come_back_as_they_were_decided(store: Store) -> None:
    definition = define_monitor(store)
    assert store.monitors.alert_states(definition.monitor_id) == {}
    claim = claim_window(store, definition)
    whole = make_outcome(claim, segments(OTHER, REFERENCE))
    store.windows.commit(claim, whole, NOW)
    changed_states = {t.fingerprint: t.after for t in whole.transitions if t.after != AlertState()}
    assert store.monitors.alert_states(definition.monitor_id) == changed_states
    assert {a["state"] for a in store.queries.alerts()} == {s.state for s in changed_states.values()}


def test_an_unchanged_alert_is_counted_without_an_event(store_url: str) -> None:
    with Store.open(store_url) as store:
        definition = define_monitor(store)
        check_window(store, definition, 0, OTHER, REFERENCE)
        first = rows(store_url)
        check_window(store, definition, 1, OTHER, REFERENCE)
        assert {
            s.bad for s in store.monitors.alert_states(definition.monitor_id).values() if s.state is State.FIRING
        } == {2}
    after = rows(store_url)
    assert (after["event"], after["notification"]) == (first["event"], first["notification"])
    assert first["event"] > 0


def test_alerts_decided_on_a_state_that_has_gone_are_refused(store: Store) -> None:
    definition = define_monitor(store)
    # The later window is taken first: while the earlier is leased, later ones are not due.
    second, first = claim_window(store, definition, 1), claim_window(store, definition, 0)
    states = store.monitors.alert_states(definition.monitor_id)
    results = segments(OTHER, REFERENCE)
    store.windows.commit(second, make_outcome(second, results, states), NOW)
    with pytest.raises(AlertConflict, check=has_code("alert-conflict")):
        store.windows.commit(first, make_outcome(first, results, states), NOW)
    assert store.queries.windows()[0]["status"] == "claimed"
    store.windows.commit(first, make_outcome(first, results, store.monitors.alert_states(definition.monitor_id)), NOW)


def test_of_workers_at_once_no_alert_decision_is_lost(store_url: str) -> None:
    """Four workers finish windows of one monitor, deciding again after a conflict: no count is lost."""
    stores = [Store.open(store_url) for _ in range(4)]
    definition = define_monitor(stores[0])
    stores[0].windows.plan(definition, [(day(n), day(n).end) for n in range(16)])
    planned = stores[0].windows.due(definition, NOW)
    results = segments(OTHER, REFERENCE)
    expected = sum(
        t.after.state is State.FIRING
        for t in make_transitions(results, {}, claim_window(stores[0], define_monitor(stores[0], "x")))
    )
    refused: list[AlertConflict] = []

    def work(number: int) -> None:
        store = stores[number]
        for window in planned[number::4]:
            claim = store.windows.claim(window.id, definition, "me", NOW, 10 * MINUTE)
            assert claim is not None
            while True:
                whole = make_outcome(claim, results, store.monitors.alert_states(definition.monitor_id))
                try:
                    store.windows.commit(claim, whole, NOW)
                except AlertConflict as error:
                    refused.append(error)
                else:
                    break

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    states = stores[0].monitors.alert_states(definition.monitor_id)
    assert [s.bad for s in states.values() if s.state is State.FIRING] == [16] * expected
    engine = create_engine(parse_url(store_url))
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(event)).scalar_one() == expected
        assert set(connection.execute(select(alert.c.version).where(alert.c.state == "firing")).scalars()) == {16}
        assert connection.execute(select(func.count()).select_from(axis)).scalar_one() == len(AXES)
    engine.dispose()
    for store in stores:
        store.close()


def test_an_event_about_an_alert_of_no_transition_is_refused(store: Store) -> None:
    claim = claim_window(store, define_monitor(store))
    whole = make_outcome(claim, segments(OTHER, REFERENCE))
    with pytest.raises(StoreError, check=has_code("internal-error")):
        store.windows.commit(claim, replace(whole, transitions=()), NOW)


def test_a_baseline_is_frozen_once(store: Store) -> None:
    definition = define_monitor(store)
    assert store.references.find(definition.monitor_id, "d") is None
    profiles = {"": REFERENCE, "summer": profile(100, lost=True)}
    first = store.references.freeze(definition.monitor_id, "d", NewReference(profiles, {"why": "start"}), NOW)
    assert first.profiles == profiles
    assert (first.note, first.created_at) == ({"why": "start"}, NOW)
    second = store.references.freeze(definition.monitor_id, "d", NewReference({"": OTHER}, {"why": "again"}), NOW + DAY)
    assert second == first
    assert store.references.find(definition.monitor_id, "d") == first
    other = store.references.freeze(definition.monitor_id, "e", NewReference({"": OTHER}, {}), NOW)
    assert other.id != first.id


def test_a_reference_returns_the_same_axis_objects_each_time(store: Store) -> None:
    """Windows are counted on them, and an axis known by identity need not be digested again."""
    definition = define_monitor(store)
    store.references.freeze(definition.monitor_id, "d", NewReference({"": REFERENCE}, {}), NOW)
    one, two = (store.references.find(definition.monitor_id, "d") for _ in range(2))
    assert one is not None
    assert two is not None
    assert all(one.profiles[""].axes[name] is two.profiles[""].axes[name] for name in AXES)


def test_fingerprints_of_names_with_odd_signs_are_found_again(store: Store) -> None:
    definition = define_monitor(store, "b\x1fikes")
    name = "a\x1f\0☔'\""
    odd, before = Profile({name: OTHER["temp"]}, OTHER.rows), Profile({name: REFERENCE["temp"]}, REFERENCE.rows)
    for number in range(2):
        claim = claim_window(store, definition, number)
        states = store.monitors.alert_states(definition.monitor_id)
        store.windows.commit(claim, make_outcome(claim, segments(odd, before, "s,e\n"), states), NOW)
    ((about, state),) = store.monitors.alert_states(definition.monitor_id).items()
    assert about == Fingerprint("b\x1fikes", name, "s,e\n", "drift")
    assert state.bad == 2
