"""From verdicts to alerts: what one window turns, and what it must not."""

from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.monitors.alert_rules import column_rules, transitions, whole_verdict, window_rules
from drift.monitors.alert_state import UNNAMED, AlertState, Fingerprint, State, Transition
from drift.monitors.spec import Alerting
from drift.monitors.verdict import Verdict

V = Verdict
Standing = dict[Fingerprint, AlertState]


def after(turns: Sequence[Transition], previous: Standing | None = None) -> Standing:
    """Where everything stands once these turns are kept."""
    return {**(previous or {}), **{t.fingerprint: t.after for t in turns}}


def told(turns: Sequence[Transition]) -> dict[tuple[str, str, str], str]:
    """What turned: (column, segment, rule) -> the new state."""
    found = {}
    for t in turns:
        if t.changed:
            key = (t.fingerprint.column, t.fingerprint.segment, t.fingerprint.rule)
            assert key not in found, "one turn of one alert a window"
            found[key] = t.after.state.value
    return found


def play(make: SimpleNamespace, alerting: Alerting, history: Sequence[object]) -> list[dict[tuple[str, str, str], str]]:
    """Turns of each day; a day is the verdict of column x, a dict of columns, or a bare verdict in a list."""
    standing: Standing = {}
    found = []
    for n, said in enumerate(history):
        outcome: object
        if isinstance(said, list):
            outcome = said[0]
        else:
            outcome = [make.segment(said if isinstance(said, dict) else {"x": said, "fine": V.OK})]
        turns = transitions(make.monitor(alerting), make.day(n), outcome, standing, make.T0 + timedelta(days=n))
        standing = after(turns, standing)
        found.append(told(turns))
    return found


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
def test_a_columns_verdicts_turn_its_own_alerts(
    make: SimpleNamespace, history: list[Verdict], expected: list[dict[str, str]]
) -> None:
    turned = play(make, Alerting(), history)
    assert turned == [{("x", "", rule): state for rule, state in e.items()} for e in expected]


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
def test_a_window_as_a_whole_has_alerts_of_its_own_and_its_columns_then_none(
    make: SimpleNamespace, history: list[object], expected: list[dict[str, str]]
) -> None:
    turned = play(make, Alerting(), history)
    assert turned == [{("", "", rule): state for rule, state in e.items()} for e in expected]


def test_an_empty_window_is_no_data_even_where_a_column_is_gone(make: SimpleNamespace) -> None:
    part = make.segment({"x": V.NO_DATA, "gone": V.NO_DATA})
    assert part.live.rows == 0
    assert whole_verdict([part]) is V.NO_DATA
    assert whole_verdict([]) is V.NO_DATA


def test_one_column_that_failed_is_not_the_whole_window(make: SimpleNamespace) -> None:
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


def test_warn_alone_fires_on_drift_too_and_beside_drift_leaves_it_to_that_rule(make: SimpleNamespace) -> None:
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


def test_every_alert_the_window_speaks_of_is_returned_with_its_counters(make: SimpleNamespace) -> None:
    turns = transitions(make.monitor(), make.day(0), [make.segment({"x": V.DRIFT, "y": V.OK})], {}, make.T0)
    whole = {("", r) for r in ("no_data", "error")}
    each = {(c, r) for c in ("x", "y") for r in ("drift", "schema", "error")}
    assert {(t.fingerprint.column, t.fingerprint.rule) for t in turns} == whole | each
    assert {t.after.last_window for t in turns} == {make.day(0).start}


def test_segments_are_alerts_of_their_own(make: SimpleNamespace) -> None:
    parts = [make.segment({"x": V.OK}), make.segment({"x": V.DRIFT}, "season=1")]
    turns = transitions(make.monitor(segments=("season",)), make.day(0), parts, {}, make.T0)
    assert told(turns) == {("x", "season=1", "drift"): "firing"}


def test_a_window_of_the_past_turns_nothing(make: SimpleNamespace) -> None:
    monitor = make.monitor()
    now = after(transitions(monitor, make.day(9), [make.segment({"x": V.OK})], {}, make.T0))
    # Neither a column that has an alert row already, nor one that has none yet.
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
def test_what_nobody_has_heard_of_an_overtaken_window_may_fire_and_calms_nothing(
    make: SimpleNamespace, outcome: object, expected: dict[tuple[str, str], str]
) -> None:
    monitor = make.monitor()
    standing = after(transitions(monitor, make.day(9), [make.segment({"x": V.OK, "y": V.DRIFT})], {}, make.T0))
    said = [make.segment(outcome)] if isinstance(outcome, dict) else outcome
    turns = transitions(monitor, make.day(5), said, standing, make.T0, overdue=True)
    assert {(column, rule): state for (column, _, rule), state in told(turns).items()} == expected
    assert {t.after.last_window for t in turns} <= {make.day(9).start}
    assert transitions(monitor, make.day(5), said, standing, make.T0) == ()


def test_of_an_overtaken_window_only_what_is_news_may_fire(make: SimpleNamespace) -> None:
    monitor = make.monitor()
    standing = after(transitions(monitor, make.day(9), [make.segment({"x": V.OK, "y": V.OK})], {}, make.T0))
    now, news = make.segment({"x": V.DRIFT, "y": V.DRIFT}), make.segment({"y": V.DRIFT})
    assert told(transitions(monitor, make.day(5), [now], standing, make.T0, news=[news])) == {
        ("y", "", "drift"): "firing"
    }


@pytest.mark.parametrize(
    ("before", "first", "again", "expected"),
    [
        ([], V.DRIFT, V.DRIFT, "pending"),  # for=2: the same window is not two
        ([V.DRIFT], V.DRIFT, V.DRIFT, "firing"),
        ([], V.DRIFT, V.OK, "ok"),  # late rows took it back
        ([V.DRIFT], V.DRIFT, V.OK, "resolved"),
        ([], V.OK, V.DRIFT, "pending"),
        ([V.DRIFT, V.DRIFT], V.OK, V.OK, "resolved"),
        ([V.DRIFT], V.OK, V.INSUFFICIENT, "ok"),
    ],
)
def test_a_recheck_of_the_newest_window_counts_no_verdict_twice(
    make: SimpleNamespace, before: list[Verdict], first: Verdict, again: Verdict, expected: str
) -> None:
    monitor = make.monitor(Alerting(for_windows=2))
    standing: Standing = {}
    days = [*enumerate(before), (len(before), first), *[(len(before), again)] * 3]
    seen = []
    for n, verdict in days:
        turns = transitions(monitor, make.day(n), [make.segment({"x": verdict, "fine": V.OK})], standing, make.T0)
        standing = after(turns, standing)
        seen.append(standing[Fingerprint("bikes", "x", "", "drift")])
    assert seen[-1].state.value == expected
    assert seen[-1] == seen[-2] == seen[-3], "checking again with the same verdict changes nothing"


def test_retries_of_an_unreadable_window_do_not_make_up_for_windows_in_a_row(make: SimpleNamespace) -> None:
    monitor, standing = make.monitor(Alerting(for_windows=2)), {}
    for _ in range(4):
        turns = transitions(monitor, make.day(0), V.ERROR, standing, make.T0)
        standing = after(turns, standing)
    assert standing[Fingerprint("bikes", "", "", "error")].state is State.PENDING
    read = transitions(monitor, make.day(0), [make.segment({"x": V.DRIFT, "fine": V.OK})], standing, make.T0)
    assert told(read) == {("", "", "error"): "ok", ("x", "", "drift"): "pending"}


def test_a_firing_alert_that_nothing_watches_any_more_is_closed_and_says_so(make: SimpleNamespace) -> None:
    both = frozenset({V.DRIFT, V.NO_DATA})
    wide = make.monitor(Alerting(verdicts=both), segments=("season",))
    parts = [make.segment({"x": V.DRIFT, "y": V.DRIFT}), make.segment({"x": V.DRIFT}, "season=1")]
    standing = after(transitions(wide, make.day(0), parts, {}, make.T0))
    without_column = transitions(wide, make.day(1), [make.segment({"x": V.DRIFT})], standing, make.T0)
    assert told(without_column) == {("y", "", "drift"): "resolved"}, "season=1 merely has no rows today"
    assert [t.reason for t in without_column if t.changed] == ["no longer watched under this rule: closed"]
    without_segments = make.monitor(Alerting(verdicts=both))
    turns = transitions(without_segments, make.day(1), [make.segment({"x": V.DRIFT, "y": V.DRIFT})], standing, make.T0)
    assert told(turns) == {("x", "season=1", "drift"): "resolved"}
    without_rule = make.monitor(Alerting(verdicts=frozenset({V.NO_DATA})), segments=("season",))
    turns = transitions(without_rule, make.day(1), parts, standing, make.T0)
    assert set(told(turns).values()) == {"resolved"}
    assert len(told(turns)) == 3
    kept = after(turns, standing)
    assert told(transitions(without_rule, make.day(2), parts, kept, make.T0)) == {}, "closed once"


def test_an_unreadable_window_closes_no_alert_of_a_column(make: SimpleNamespace) -> None:
    standing = after(transitions(make.monitor(), make.day(0), [make.segment({"x": V.DRIFT, "y": V.OK})], {}, make.T0))
    for outcome in (V.ERROR, [make.segment({"x": V.NO_DATA, "y": V.NO_DATA})]):
        turns = transitions(make.monitor(), make.day(1), outcome, standing, make.T0)
        assert {t.fingerprint.column for t in turns} == {""}


def test_a_column_without_a_name_is_not_taken_for_the_window(make: SimpleNamespace) -> None:
    part = make.segment({"": V.SCHEMA_ERROR, "x": V.OK})
    turns = transitions(make.monitor(), make.day(0), [part], {}, make.T0)
    assert len({t.fingerprint for t in turns}) == len(turns)
    assert told(turns) == {(UNNAMED, "", "schema"): "firing"}


@given(data=st.data(), for_windows=st.integers(1, 3), keep=st.integers(0, 2))
def test_firing_and_resolved_are_told_by_turns_whatever_comes(
    make: SimpleNamespace, data: st.DataObject, for_windows: int, keep: int
) -> None:
    """Any order of windows, re-checks and backfills among them."""
    monitor = make.monitor(Alerting(for_windows=for_windows, keep_firing_for=keep, verdicts=frozenset(Verdict)))
    verdicts = st.sampled_from([*Verdict])
    standing: Standing = {}
    firing: set[Fingerprint] = set()
    newest = -1
    for n in data.draw(st.lists(st.integers(0, 8), max_size=12)):
        whole = data.draw(st.sampled_from([None, V.ERROR, V.NO_DATA]))
        outcome = whole or [make.segment({"x": data.draw(verdicts), "fine": V.OK})]
        turns = transitions(monitor, make.day(n), outcome, standing, make.T0)
        assert (turns == ()) == (n < newest)
        newest = max(n, newest)
        for t in turns:
            assert t.before == standing.get(t.fingerprint, AlertState())
            if t.notifies:
                assert (t.after.state is State.RESOLVED) == (t.fingerprint in firing)
                firing ^= {t.fingerprint}
        standing = after(turns, standing)
    assert firing == {f for f, s in standing.items() if s.state is State.FIRING}
