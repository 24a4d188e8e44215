"""States of an alert: tables of cases, and laws for every history."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import InputError
from drift.monitors.alert_state import AlertRule, AlertState, Fingerprint, State, Transition, decide
from drift.monitors.verdict import Verdict

T0 = datetime(2011, 6, 6, tzinfo=UTC)
WORDS = {
    ".": Verdict.OK,
    "w": Verdict.WARN,
    "!": Verdict.DRIFT,
    "?": Verdict.INSUFFICIENT,
    "0": Verdict.NO_DATA,
    "e": Verdict.ERROR,
}


def rule(for_windows: int = 1, keep: int = 0) -> AlertRule:
    fires_on, clears_on = frozenset({Verdict.DRIFT}), frozenset({Verdict.OK, Verdict.WARN})
    return AlertRule("drift", fires_on, clears_on, for_windows, keep)


def live(verdicts: list[Verdict], alert_rule: AlertRule) -> list[AlertState]:
    """Return the state after each window."""
    states, state = [], AlertState()
    for n, verdict in enumerate(verdicts):
        state = decide(state, verdict, alert_rule, T0 + timedelta(days=n)).state
        states.append(state)
    return states


@pytest.mark.parametrize(
    ("for_windows", "keep", "history", "expected"),
    [
        (1, 0, ".!!..", "o F F R R"),
        (1, 0, "!.!", "F R F"),
        (2, 0, "!.!!.", "p o p F R"),
        (3, 0, "!!.!!!", "p p o p p F"),
        (2, 0, "!?!", "p p F"),  # an inconclusive verdict neither counts nor resets
        (2, 0, "!0e?!", "p p p p F"),
        (1, 0, "!???.", "F F F F R"),
        (1, 1, "!...", "F F R R"),
        (1, 2, "!..!...", "F F F F F F R"),
        (1, 1, "!.?.", "F F F R"),
        (2, 0, "!!.!.", "p F R p o"),  # resolved -> pending -> ok: it did not fire again
        (2, 1, "!!.!..", "p F F F F R"),
        (1, 0, "w!w", "o F R"),
        (1, 0, "????", "o o o o"),
    ],
)
def test_an_alert_goes_through_its_states(for_windows: int, keep: int, history: str, expected: str) -> None:
    letters = {State.OK: "o", State.PENDING: "p", State.FIRING: "F", State.RESOLVED: "R"}
    states = live([WORDS[c] for c in history], rule(for_windows, keep))
    assert " ".join(letters[s.state] for s in states) == expected


def test_since_is_the_time_of_the_last_change() -> None:
    states = live([Verdict.DRIFT] * 4, rule(for_windows=2))
    assert [s.since for s in states] == [T0, *[T0 + timedelta(days=1)] * 3]


def test_every_decision_gives_its_reason() -> None:
    alert_rule = rule(for_windows=2, keep=1)
    state, reasons = AlertState(), []
    for verdict in (WORDS[c] for c in "?!!!..."):
        decision = decide(state, verdict, alert_rule, T0)
        state = decision.state
        reasons.append(decision.reason)
    assert reasons == [
        "insufficient does not affect rule drift: stays ok",
        "drift in 1 of 2 required windows: pending",
        "drift in 2 windows in a row",
        "drift in 3 windows in a row: still firing",
        "ok in 1 of 2 windows required to resolve: still firing",
        "ok in 2 windows in a row",
        "ok: stays resolved",
    ]


@pytest.mark.parametrize(
    ("fires_on", "clears_on", "for_windows", "keep"),
    [({Verdict.OK}, {Verdict.OK}, 1, 0), ({Verdict.DRIFT}, {Verdict.OK}, 0, 0), ({Verdict.DRIFT}, {Verdict.OK}, 1, -1)],
)
def test_invalid_rules_are_refused(
    fires_on: set[Verdict], clears_on: set[Verdict], for_windows: int, keep: int
) -> None:
    with pytest.raises(InputError, match="rule 'x'") as error:
        AlertRule("x", frozenset(fires_on), frozenset(clears_on), for_windows, keep)
    assert error.value.code == "invalid-value"


def test_digests_differ_for_names_that_join_alike() -> None:
    names = [("m", "a\x1fb", "", "r"), ("m", "a", "b\x1f", "r"), ("m", "a", "b", "r"), ("m", "\ud800", "", "r")]
    digests = {Fingerprint(*n).digest for n in names}
    assert len(digests) == len(names)
    assert all(len(d) == 32 for d in digests)


histories = st.lists(st.sampled_from(list(Verdict)), max_size=40)
rules = st.builds(rule, st.integers(1, 4), st.integers(0, 3))


@given(histories, rules)
def test_only_a_firing_alert_resolves(history: list[Verdict], alert_rule: AlertRule) -> None:
    before = State.OK
    for state in live(history, alert_rule):
        if state.state is State.RESOLVED and before is not State.RESOLVED:
            assert before is State.FIRING
        before = state.state


@given(histories, rules)
def test_fires_after_the_required_bad_windows(history: list[Verdict], alert_rule: AlertRule) -> None:
    bad, before = 0, State.OK
    for verdict, state in zip(history, live(history, alert_rule), strict=True):
        counts = verdict in alert_rule.fires_on | alert_rule.clears_on
        if counts:
            bad = bad + 1 if verdict in alert_rule.fires_on else 0
        began = state.state is State.FIRING and before is not State.FIRING
        if before is not State.FIRING:
            assert began == (counts and bad >= alert_rule.for_windows)
        before = state.state


@given(histories, rules)
def test_resolves_after_keep_firing_for_and_one_calm_window(history: list[Verdict], alert_rule: AlertRule) -> None:
    calm, before = 0, State.OK
    for verdict, state in zip(history, live(history, alert_rule), strict=True):
        if verdict in alert_rule.fires_on:
            calm = 0
        elif verdict in alert_rule.clears_on:
            calm += 1
        if before is State.FIRING:
            clears = verdict in alert_rule.clears_on
            assert (state.state is State.RESOLVED) == (clears and calm > alert_rule.keep_firing_for)
        before = state.state


@given(histories, rules, st.sampled_from([v for v in Verdict if not v.is_conclusive]))
def test_inconclusive_verdict_changes_nothing(history: list[Verdict], alert_rule: AlertRule, unknown: Verdict) -> None:
    state = [AlertState(), *live(history, alert_rule)][-1]
    assert decide(state, unknown, alert_rule, T0 + timedelta(days=99)).state == state


@given(histories, rules)
def test_notifications_alternate_between_firing_and_resolved(history: list[Verdict], alert_rule: AlertRule) -> None:
    before, notified = AlertState(), []
    for after in live(history, alert_rule):
        transition = Transition(Fingerprint("m", "c", "", "drift"), before, after, Verdict.OK, "")
        if transition.notifies:
            notified.append(after.state)
        before = after
    assert notified == [State.FIRING, State.RESOLVED] * (len(notified) // 2) + [State.FIRING] * (len(notified) % 2)
