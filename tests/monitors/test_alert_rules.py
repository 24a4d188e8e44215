"""Alert rules: the transitions that one window causes, and those it must not cause."""

from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.monitors.alert_rules import column_rules, transitions, window_rules, window_verdict
from drift.monitors.alert_state import UNNAMED, AlertState, Fingerprint, State, Transition
from drift.monitors.spec import Alerting
from drift.monitors.verdict import Verdict

V = Verdict
States = dict[Fingerprint, AlertState]


def after(decided: Sequence[Transition], previous: States | None = None) -> States:
    """Return the states once these transitions are stored."""
    return {**(previous or {}), **{t.fingerprint: t.after for t in decided}}


def changes(decided: Sequence[Transition]) -> dict[tuple[str, str, str], str]:
    """Return the changes of state: (column, segment, rule) -> the new state."""
    states = {}
    for t in decided:
        if t.changed:
            key = (t.fingerprint.column, t.fingerprint.segment, t.fingerprint.rule)
            assert key not in states, "one transition of an alert in a window"
            states[key] = t.after.state.value
    return states


def play(make: SimpleNamespace, alerting: Alerting, history: Sequence[object]) -> list[dict[tuple[str, str, str], str]]:
    """Return the changes of each day; a day is the verdict of x, a dict of columns, or a list with one verdict."""
    states: States = {}
    days = []
    for n, day in enumerate(history):
        outcome: object
        if isinstance(day, list):
            outcome = day[0]
        else:
            outcome = [make.segment(day if isinstance(day, dict) else {"x": day, "fine": V.OK})]
        decided = transitions(make.monitor(alerting), make.day(n), outcome, states, make.T0 + timedelta(days=n))
        states = after(decided, states)
        days.append(changes(decided))
    return days


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([V.OK, V.DRIFT, V.DRIFT, V.WARN], [{}, {"drift": "firing"}, {}, {"drift": "resolved"}]),
        ([V.DRIFT, V.INSUFFICIENT, V.OK], [{"drift": "firing"}, {}, {"drift": "resolved"}]),
        (
            [V.DRIFT, V.SCHEMA_ERROR, V.OK],
            [{"drift": "firing"}, {"schema": "firing"}, {"drift": "resolved", "schema": "resolved"}],
        ),
        ([V.SCHEMA_ERROR, V.INSUFFICIENT], [{"schema": "firing"}, {"schema": "resolved"}]),
        ([V.ERROR, V.OK], [{"error": "firing"}, {"error": "resolved"}]),
        ([V.NOT_COMPARABLE, V.WARN], [{}, {}]),  # not listed by default
    ],
)
def test_verdicts_of_a_column_change_its_own_alerts(
    make: SimpleNamespace, history: list[Verdict], expected: list[dict[str, str]]
) -> None:
    assert play(make, Alerting(), history) == [{("x", "", rule): state for rule, state in e.items()} for e in expected]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([[V.ERROR], V.OK], [{"error": "firing"}, {"error": "resolved"}]),
        ([[V.NO_DATA], {"x": V.OK}], [{"no_data": "firing"}, {"no_data": "resolved"}]),
        ([{"x": V.NO_DATA, "y": V.NO_DATA}, V.OK], [{"no_data": "firing"}, {"no_data": "resolved"}]),
        ([{"x": V.ERROR, "y": V.ERROR}, V.OK], [{"error": "firing"}, {"error": "resolved"}]),
        ([[V.ERROR], {"x": V.INSUFFICIENT}], [{"error": "firing"}, {"error": "resolved"}]),
        ([[V.NO_DATA], {"x": V.NOT_COMPARABLE}], [{"no_data": "firing"}, {"no_data": "resolved"}]),
        (
            [[V.NO_DATA], [V.ERROR], V.OK],
            [{"no_data": "firing"}, {"error": "firing"}, {"no_data": "resolved", "error": "resolved"}],
        ),
    ],
)
def test_window_alerts_replace_those_of_its_columns(
    make: SimpleNamespace, history: list[object], expected: list[dict[str, str]]
) -> None:
    assert play(make, Alerting(), history) == [{("", "", rule): state for rule, state in e.items()} for e in expected]


def test_empty_window_is_no_data_despite_a_missing_column(make: SimpleNamespace) -> None:
    part = make.segment({"x": V.NO_DATA, "gone": V.NO_DATA})
    assert part.live.rows == 0
    assert window_verdict([part]) is V.NO_DATA
    assert window_verdict([]) is V.NO_DATA


def test_one_failed_column_is_not_the_whole_window(make: SimpleNamespace) -> None:
    assert play(make, Alerting(), [V.ERROR]) == [{("x", "", "error"): "firing"}]


def test_only_listed_verdicts_have_rules() -> None:
    only = Alerting(verdicts=frozenset({V.DRIFT}))
    assert [r.name for r in column_rules(only)] == ["drift"]
    assert window_rules(only) == ()
    every = Alerting(verdicts=frozenset(Verdict))
    assert {v for r in (*column_rules(every), *window_rules(every)) for v in r.fires_on} == set(Verdict) - {V.OK}


def test_for_and_keep_firing_for_reach_the_rules() -> None:
    alerting = Alerting(for_windows=3, keep_firing_for=2)
    rules = (*column_rules(alerting), *window_rules(alerting))
    assert {(r.for_windows, r.keep_firing_for) for r in rules} == {(3, 2)}


def test_warn_rule_fires_on_drift_unless_drift_has_a_rule(make: SimpleNamespace) -> None:
    alone = Alerting(verdicts=frozenset({V.WARN}))
    assert play(make, alone, [V.DRIFT, V.WARN, V.OK]) == [
        {("x", "", "warn"): "firing"},
        {},
        {("x", "", "warn"): "resolved"},
    ]
    both = Alerting(verdicts=frozenset({V.WARN, V.DRIFT}))
    assert play(make, both, [V.WARN, V.DRIFT, V.WARN, V.OK]) == [
        {("x", "", "warn"): "firing"},
        {("x", "", "drift"): "firing"},
        {("x", "", "drift"): "resolved"},
        {("x", "", "warn"): "resolved"},
    ]  # fmt: skip


def test_every_alert_of_the_window_is_returned_with_counters(make: SimpleNamespace) -> None:
    decided = transitions(make.monitor(), make.day(0), [make.segment({"x": V.DRIFT, "y": V.OK})], {}, make.T0)
    whole = {("", r) for r in ("no_data", "error")}
    each = {(c, r) for c in ("x", "y") for r in ("drift", "schema", "error")}
    assert {(t.fingerprint.column, t.fingerprint.rule) for t in decided} == whole | each
    assert {t.after.last_window for t in decided} == {make.day(0).start}


def test_segments_have_their_own_alerts(make: SimpleNamespace) -> None:
    parts = [make.segment({"x": V.OK}), make.segment({"x": V.DRIFT}, "season=1")]
    decided = transitions(make.monitor(segments=("season",)), make.day(0), parts, {}, make.T0)
    assert changes(decided) == {("x", "season=1", "drift"): "firing"}


def test_window_of_the_past_changes_nothing(make: SimpleNamespace) -> None:
    monitor = make.monitor()
    now = after(transitions(monitor, make.day(9), [make.segment({"x": V.OK})], {}, make.T0))
    # Neither a column with a stored alert, nor one without.
    assert transitions(monitor, make.day(5), [make.segment({"x": V.DRIFT, "new": V.DRIFT})], now, make.T0) == ()
    assert transitions(monitor, make.day(8), V.ERROR, now, make.T0) == ()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"x": V.DRIFT, "y": V.OK}, {("x", "drift"): "firing"}),
        ({"x": V.NO_DATA, "y": V.NO_DATA}, {("", "no_data"): "firing"}),
        ({"x": V.ERROR, "y": V.ERROR}, {("", "error"): "firing"}),
        (V.ERROR, {("", "error"): "firing"}),
        ({"x": V.OK, "y": V.OK}, {}),
    ],
)
def test_overdue_superseded_window_may_fire_but_resolves_nothing(
    make: SimpleNamespace, outcome: object, expected: dict[tuple[str, str], str]
) -> None:
    monitor = make.monitor()
    states = after(transitions(monitor, make.day(9), [make.segment({"x": V.OK, "y": V.DRIFT})], {}, make.T0))
    results = [make.segment(outcome)] if isinstance(outcome, dict) else outcome
    decided = transitions(monitor, make.day(5), results, states, make.T0, overdue=True)
    assert {(column, rule): state for (column, _, rule), state in changes(decided).items()} == expected
    assert {t.after.last_window for t in decided} <= {make.day(9).start}
    assert transitions(monitor, make.day(5), results, states, make.T0) == ()


def test_only_changed_columns_of_a_superseded_window_may_fire(make: SimpleNamespace) -> None:
    monitor = make.monitor()
    states = after(transitions(monitor, make.day(9), [make.segment({"x": V.OK, "y": V.OK})], {}, make.T0))
    now, changed = make.segment({"x": V.DRIFT, "y": V.DRIFT}), make.segment({"y": V.DRIFT})
    decided = transitions(monitor, make.day(5), [now], states, make.T0, changed=[changed])
    assert changes(decided) == {("y", "", "drift"): "firing"}


@pytest.mark.parametrize(
    ("before", "first", "again", "expected"),
    [
        ([], V.DRIFT, V.DRIFT, "pending"),  # for=2: the same window is not two
        ([V.DRIFT], V.DRIFT, V.DRIFT, "firing"),
        ([], V.DRIFT, V.OK, "ok"),  # late rows reversed it
        ([V.DRIFT], V.DRIFT, V.OK, "resolved"),
        ([], V.OK, V.DRIFT, "pending"),
        ([V.DRIFT, V.DRIFT], V.OK, V.OK, "resolved"),
        ([V.DRIFT], V.OK, V.INSUFFICIENT, "ok"),
    ],
)
def test_recheck_of_the_newest_window_counts_no_verdict_twice(
    make: SimpleNamespace, before: list[Verdict], first: Verdict, again: Verdict, expected: str
) -> None:
    monitor = make.monitor(Alerting(for_windows=2))
    states: States = {}
    days = [*enumerate(before), (len(before), first), *[(len(before), again)] * 3]
    seen = []
    for n, verdict in days:
        decided = transitions(monitor, make.day(n), [make.segment({"x": verdict, "fine": V.OK})], states, make.T0)
        states = after(decided, states)
        seen.append(states[Fingerprint("bikes", "x", "", "drift")])
    assert seen[-1].state.value == expected
    assert seen[-1] == seen[-2] == seen[-3], "checking again with the same verdict changes nothing"


def test_retries_of_an_unreadable_window_count_as_one(make: SimpleNamespace) -> None:
    monitor, states = make.monitor(Alerting(for_windows=2)), {}
    for _ in range(4):
        decided = transitions(monitor, make.day(0), V.ERROR, states, make.T0)
        states = after(decided, states)
    assert states[Fingerprint("bikes", "", "", "error")].state is State.PENDING
    read = transitions(monitor, make.day(0), [make.segment({"x": V.DRIFT, "fine": V.OK})], states, make.T0)
    assert changes(read) == {("", "", "error"): "ok", ("x", "", "drift"): "pending"}


def test_firing_alert_that_is_no_longer_monitored_is_closed(make: SimpleNamespace) -> None:
    both = frozenset({V.DRIFT, V.NO_DATA})
    wide = make.monitor(Alerting(verdicts=both), segments=("season",))
    parts = [make.segment({"x": V.DRIFT, "y": V.DRIFT}), make.segment({"x": V.DRIFT}, "season=1")]
    states = after(transitions(wide, make.day(0), parts, {}, make.T0))
    without_column = transitions(wide, make.day(1), [make.segment({"x": V.DRIFT})], states, make.T0)
    assert changes(without_column) == {("y", "", "drift"): "resolved"}, "season=1 only has no rows today"
    assert [t.reason for t in without_column if t.changed] == ["no longer monitored under this rule: closed"]
    without_segments = make.monitor(Alerting(verdicts=both))
    decided = transitions(without_segments, make.day(1), [make.segment({"x": V.DRIFT, "y": V.DRIFT})], states, make.T0)
    assert changes(decided) == {("x", "season=1", "drift"): "resolved"}
    without_rule = make.monitor(Alerting(verdicts=frozenset({V.NO_DATA})), segments=("season",))
    decided = transitions(without_rule, make.day(1), parts, states, make.T0)
    assert set(changes(decided).values()) == {"resolved"}
    assert len(changes(decided)) == 3
    kept = after(decided, states)
    assert changes(transitions(without_rule, make.day(2), parts, kept, make.T0)) == {}, "closed once"


def test_unreadable_window_closes_no_alert_of_a_column(make: SimpleNamespace) -> None:
    states = after(transitions(make.monitor(), make.day(0), [make.segment({"x": V.DRIFT, "y": V.OK})], {}, make.T0))
    for outcome in (V.ERROR, [make.segment({"x": V.NO_DATA, "y": V.NO_DATA})]):
        decided = transitions(make.monitor(), make.day(1), outcome, states, make.T0)
        assert {t.fingerprint.column for t in decided} == {""}


def test_unnamed_column_is_not_the_window(make: SimpleNamespace) -> None:
    part = make.segment({"": V.SCHEMA_ERROR, "x": V.OK})
    decided = transitions(make.monitor(), make.day(0), [part], {}, make.T0)
    assert len({t.fingerprint for t in decided}) == len(decided)
    assert changes(decided) == {(UNNAMED, "", "schema"): "firing"}


@given(data=st.data(), for_windows=st.integers(1, 3), keep=st.integers(0, 2))
def test_firing_and_resolved_alternate_in_any_history(
    make: SimpleNamespace, data: st.DataObject, for_windows: int, keep: int
) -> None:
    """In any order of windows, with re-checks and backfills."""
    monitor = make.monitor(Alerting(for_windows=for_windows, keep_firing_for=keep, verdicts=frozenset(Verdict)))
    verdicts = st.sampled_from([*Verdict])
    states: States = {}
    firing: set[Fingerprint] = set()
    newest = -1
    for n in data.draw(st.lists(st.integers(0, 8), max_size=12)):
        whole = data.draw(st.sampled_from([None, V.ERROR, V.NO_DATA]))
        outcome = whole or [make.segment({"x": data.draw(verdicts), "fine": V.OK})]
        decided = transitions(monitor, make.day(n), outcome, states, make.T0)
        assert (decided == ()) == (n < newest)
        newest = max(n, newest)
        for t in decided:
            assert t.before == states.get(t.fingerprint, AlertState())
            if t.notifies:
                assert (t.after.state is State.RESOLVED) == (t.fingerprint in firing)
                firing ^= {t.fingerprint}
        states = after(decided, states)
    assert firing == {f for f, s in states.items() if s.state is State.FIRING}
