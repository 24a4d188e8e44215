"""Real profiles, results and outcomes for the tests of the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from drift.histogram import CategoricalAxis, Fault, Histogram, History, Kind, NumericAxis, Profile, Uncounted
from drift.monitors.alert_state import AlertRule, AlertState, Fingerprint, State, Transition, decide
from drift.monitors.comparison import SegmentResult, compare_profiles
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Window
from drift.notify.message import make_events, make_notification
from drift.store import Claim, Definition, NewReference, Outcome, Store

NOW = datetime(2011, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = datetime(2011, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DEFAULT_COLUMNS = Columns()
FIXED_LIMIT = Columns(ColumnRule(limit=Threshold(0.1)))
RULE = AlertRule("drift", frozenset({Verdict.DRIFT}), frozenset({Verdict.OK, Verdict.WARN}))

AXES = {
    "temp": NumericAxis((0.0, 10.5, 20.0, 30.000000000000004)),
    "count": NumericAxis((0, 2**53 + 1, 2**70)),
    "price": NumericAxis((Decimal("1.10"), Decimal("2.20"))),
    "seen": NumericAxis((1_300_000_000_000_000_000, 1_300_000_001_000_000_001), Kind.DATETIME),
    "weather": CategoricalAxis(("sonnig", "Regen ☔", "missing"), rare=("\0", "\ud800", "x")),
    "code": CategoricalAxis((1, 2), rare=None),
    "holiday": CategoricalAxis((True, False), kind=Kind.BOOLEAN),
    "empty": NumericAxis((), Kind.EMPTY),
}


def day(number: int) -> Window:
    """Return the n-th daily window."""
    return Window(FIRST + number * DAY, FIRST + (number + 1) * DAY)


def profile(rows: int, seed: int = 0, lost: bool = False) -> Profile:
    """Return a profile with every kind of axis, its rows spread at random."""
    rng = np.random.default_rng(seed)
    counted = {name: Histogram(axis, _spread(rows, axis.n_bins, rng)) for name, axis in AXES.items()}
    uncounted = {"blob": Uncounted(Fault.NOT_COMPARABLE, "bytes cannot be binned")}
    if lost:
        del counted["temp"]
        uncounted["temp"] = Uncounted(Fault.SCHEMA_ERROR, "column 'temp' is gone")
    return Profile(counted, rows, uncounted)


def _spread(rows: int, bins: int, rng: np.random.Generator) -> np.ndarray:
    return rng.multinomial(rows, rng.dirichlet(np.ones(bins)))


def segments(
    live: Profile, reference: Profile, *names: str, rules: Columns = DEFAULT_COLUMNS
) -> tuple[SegmentResult, ...]:
    """Return the results of comparing two profiles, the same in each segment."""
    rng = np.random.default_rng(1)
    return tuple(SegmentResult(name, live, compare_profiles(live, reference, rules, rng)) for name in (names or ("",)))


def make_transitions(
    results: tuple[SegmentResult, ...], states: dict[Fingerprint, AlertState], claim: Claim, now: datetime = NOW
) -> tuple[Transition, ...]:
    """Return a transition of each column's alert."""
    transitions = []
    for part in results:
        for result in part.columns:
            about = Fingerprint(claim.monitor, result.column, part.segment, RULE.name)
            before = states.get(about, AlertState())
            decision = decide(before, result.verdict, RULE, now)
            transitions.append(Transition(about, before, decision.state, result.verdict, decision.reason))
    return tuple(transitions)


def make_outcome(
    claim: Claim,
    results: tuple[SegmentResult, ...],
    states: dict[Fingerprint, AlertState] | None = None,
    baseline_id: int | None = None,
    channels: tuple[str, ...] = ("team", "hook"),
) -> Outcome:
    """Return the outcome of a check, with alerts and notification."""
    transitions = make_transitions(results, states or {}, claim)
    by_column = {(part.segment, column.column): column for part in results for column in part.columns}
    events = make_events(transitions, by_column, claim.monitor, claim.window, claim.revision)
    return Outcome(
        rows=sum(part.live.rows for part in results),
        verdict=Verdict.DRIFT if any(t.after.state is State.FIRING for t in transitions) else Verdict.OK,
        message=f"{len(transitions)} columns",
        source={"files": ["a.parquet"]},
        baseline_id=baseline_id,
        segments=results,
        transitions=transitions,
        events=events,
        notification=make_notification(claim.monitor, claim.window, claim.revision, events),
        channels=channels,
        judged={"reference windows": 3, "level": 1e-5},
        code="test-outcome",
    )


def new_reference(reference: Profile, windows: int = 3) -> NewReference:
    """Return a reference of several windows; one column has no history."""
    days = tuple(day(-number) for number in range(windows, 0, -1))
    rng = np.random.default_rng(windows)
    histories = {
        name: History(h.axis, rng.multinomial(2**40, np.full(h.axis.n_bins, 1 / h.axis.n_bins), windows))
        for name, h in reference.items()
        if name != "temp"
    }
    return NewReference({"": reference}, {"by": "test"}, days, {"": histories} if windows else {})


def define_monitor(store: Store, name: str = "bikes", **document: object) -> Definition:
    """Define a monitor."""
    return store.monitors.define(name, {"window": "1d", **document}, NOW)


def claim_window(store: Store, definition: Definition, number: int = 0, owner: str = "me") -> Claim:
    """Plan and claim a daily window."""
    store.windows.plan(definition, [(day(number), day(number).end)])
    window_id = next(w.id for w in store.windows.due(definition, NOW) if w.window == day(number))
    claim = store.windows.claim(window_id, definition, owner, NOW, MINUTE)
    assert claim is not None
    return claim


def check_window(
    store: Store,
    definition: Definition,
    number: int,
    live: Profile,
    reference: Profile,
    *names: str,
    rules: Columns = DEFAULT_COLUMNS,
) -> Claim:
    """Plan, claim and commit a window, compared with a frozen reference."""
    baseline = store.references.freeze(definition.monitor_id, "reference", new_reference(reference), NOW)
    claim = claim_window(store, definition, number)
    results = segments(live, reference, *names, rules=rules)
    store.windows.commit(
        claim, make_outcome(claim, results, store.monitors.alert_states(definition.monitor_id), baseline.id), NOW
    )
    return claim


@contextmanager
def lose_commit_answer(store: Store, monkeypatch: pytest.MonkeyPatch, *, written: bool = True) -> Iterator[None]:
    """Lose the answer of the next COMMIT, written or not: the connection drops."""
    dialect = store.database.engine.dialect
    commit, lost = dialect.do_commit, []

    def drop(connection: Any) -> None:
        if lost:
            commit(connection)
            return
        (commit if written else dialect.do_rollback)(connection)
        lost.append(True)
        raise dialect.loaded_dbapi.OperationalError("the connection was dropped")

    with monkeypatch.context() as patched:
        patched.setattr(dialect, "do_commit", drop)
        yield
    assert lost, "nothing was committed"
