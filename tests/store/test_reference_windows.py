"""References with windows, accepted references, and histories of checked windows."""

import threading
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from drift.histogram import Fault, Histogram, History, NumericAxis, Profile, Uncounted
from drift.monitors.comparison import SegmentResult
from drift.monitors.verdict import Verdict
from drift.store import Outcome, Store, WindowHistories
from tests.support.store_builders import (
    AXES,
    DAY,
    FIXED_LIMIT,
    NOW,
    check_window,
    claim_window,
    day,
    define_monitor,
    make_outcome,
    new_reference,
    profile,
    segments,
)

REFERENCE = profile(5000, seed=1)
OTHER = profile(4000, seed=2)


def test_the_windows_of_a_reference_come_back_equal(store: Store) -> None:
    definition = define_monitor(store)
    new = new_reference(REFERENCE, 5)
    part = {"temp": History(AXES["temp"], np.zeros((5, AXES["temp"].n_bins), np.int64))}
    new = replace(new, histories={**new.histories, "s=\0": part})
    for found in (
        store.references.freeze(definition.monitor_id, "d", new, NOW),
        store.references.find(definition.monitor_id, "d"),
    ):
        assert found is not None
        assert found.windows == new.windows
        assert found.histories == new.histories
        assert found.profiles == new.profiles
    assert found.histories[""]["count"].axis is found.profiles[""]["count"].axis


def test_a_reference_without_windows_has_no_histories(store: Store) -> None:
    found = store.references.freeze(define_monitor(store).monitor_id, "d", new_reference(REFERENCE, 0), NOW)
    assert (found.windows, found.histories) == ((), {})


def test_an_accepted_reference_replaces_the_frozen_one_which_remains(store: Store) -> None:
    monitor = define_monitor(store).monitor_id
    first = store.references.freeze(monitor, "d", new_reference(REFERENCE), NOW)
    other = store.references.freeze(monitor, "e", new_reference(OTHER), NOW)
    longer = store.references.freeze(
        monitor, "d_", new_reference(OTHER), NOW
    )  # names that begin alike are not the same
    second = store.references.accept(monitor, "d", new_reference(OTHER, 2), NOW + DAY)
    assert (
        second
        == store.references.find(monitor, "d")
        == store.references.freeze(monitor, "d", new_reference(REFERENCE), NOW + DAY)
    )
    third = store.references.accept(monitor, "d", new_reference(REFERENCE, 4), NOW + DAY)
    assert store.references.find(monitor, "d") == third
    assert [store.references.find(monitor, key) for key in ("e", "d_", "_")] == [other, longer, None]
    assert [found.id for found in store.references.all(monitor)] == [third.id, second.id, longer.id, other.id, first.id]
    assert store.references.all(monitor)[-1] == first
    assert store.references.all(define_monitor(store, "taxis").monitor_id) == []


def test_of_two_accepted_at_once_both_are_kept(store: Store) -> None:
    monitor = define_monitor(store).monitor_id
    store.references.freeze(monitor, "d", new_reference(REFERENCE), NOW)
    accepted: list[int] = []
    workers = [
        threading.Thread(
            target=lambda: accepted.append(store.references.accept(monitor, "d", new_reference(OTHER), NOW).id)
        )
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(accepted)) == 4
    found = store.references.find(monitor, "d")
    assert found is not None
    assert found.id == max(accepted)


def test_how_a_window_was_judged_comes_back(store: Store) -> None:
    definition = define_monitor(store)
    claim = claim_window(store, definition)
    store.references.freeze(definition.monitor_id, "d", new_reference(REFERENCE), NOW)
    (whole,) = segments(OTHER, REFERENCE)
    first, *others = whole.columns
    judged = (replace(first, windows=60, level=1e-5), *(replace(other, windows=None) for other in others))
    found = make_outcome(claim, (replace(whole, columns=judged),))
    store.windows.commit(claim, found, NOW)
    assert store.history.judged("bikes", day(0).start) == found.judged
    assert store.history.judged("bikes", day(1).start) is None
    (back,) = store.history.results("bikes", day(0).start)
    assert {(c.column, c.windows, c.level) for c in back.columns} == {(c.column, c.windows, c.level) for c in judged}


def test_a_window_may_be_judged_by_nothing(store: Store) -> None:
    claim = claim_window(store, define_monitor(store))
    store.windows.commit(claim, Outcome(0, Verdict.NO_DATA, "", {}, None), NOW)
    assert store.history.judged("bikes", day(0).start) is None


def live_days(store: Store, number: int = 6) -> list[Profile]:
    """Days checked in two segments; on day 2 a column is lost, day 3 cannot be read, on day 4 summer has no row."""
    definition = define_monitor(store)
    found = [profile(1000 + i, seed=i, lost=i == 2) for i in range(number)]
    for i, live in enumerate(found):
        if i == 3:
            claim = claim_window(store, definition, i)
            store.windows.commit(claim, Outcome(0, Verdict.ERROR, "unreadable", {}, None), NOW)
        else:
            check_window(
                store, definition, i, live, REFERENCE, *(("",) if i == 4 else ("", "season=summer")), rules=FIXED_LIMIT
            )
    return found


def expected(store: Store, numbers: list[int]) -> WindowHistories:
    """By single reads of each window."""
    histories: dict[str, dict[str, History]] = {}
    drifted: dict[str, dict[str, np.ndarray]] = {}
    for segment in ("", "season=summer"):
        found = [store.history.profile("bikes", day(i).start, segment=segment) for i in numbers]
        rows = [store.queries.scores("bikes", since=day(i).start, until=day(i).end, segment=segment) for i in numbers]
        bad = [{row["column"] for row in part if row["verdict"] == "drift"} for part in rows]
        names = [name for name in AXES if any(p is not None and name in p for p in found)]
        if names:
            histories[segment] = {
                name: History.of(AXES[name], (None if p is None else p.histograms.get(name) for p in found))
                for name in names
            }
            drifted[segment] = {name: np.array([name in part for part in bad]) for name in names}
    return WindowHistories(tuple(day(i) for i in numbers), histories, drifted)


def equal(one: WindowHistories, other: WindowHistories) -> bool:
    assert one.windows == other.windows
    assert one.histories == other.histories
    assert {key: {n: list(b) for n, b in part.items()} for key, part in one.drifted.items()} == {
        key: {n: list(b) for n, b in part.items()} for key, part in other.drifted.items()
    }
    return True


def test_the_past_is_what_single_windows_hold(store: Store) -> None:
    live_days(store)
    past = store.history.windows("bikes")
    assert equal(past, expected(store, [0, 1, 2, 3, 4, 5]))
    assert past.histories[""]["temp"].counts.sum(axis=1).tolist() == [1000, 1001, 0, 0, 1004, 1005]
    assert past.histories["season=summer"]["count"].counts.sum(axis=1).tolist() == [1000, 1001, 1002, 0, 0, 1005]
    assert past.drifted[""]["weather"].dtype == np.bool_
    assert any(bad.any() for bad in past.drifted[""].values())


def test_the_past_is_narrowed_by_every_condition(store: Store) -> None:
    live_days(store)
    second = timedelta(seconds=1)
    starts = [day(i).start for i in (5, 0, 4, 77)]
    cases = (
        ({"since": day(2).start}, [2, 3, 4, 5]),
        ({"since": day(2).start + second}, [3, 4, 5]),
        ({"until": day(2).start}, [0, 1]),
        ({"since": day(1).start, "until": day(2).start + second}, [1, 2]),
        ({"until": day(4).start, "limit": 2}, [2, 3]),
        ({"limit": 1}, [5]),
        ({"limit": 0}, []),
        ({"starts": starts}, [0, 4, 5]),
        ({"starts": starts, "until": day(5).start}, [0, 4]),
        ({"starts": starts, "limit": 2}, [4, 5]),
        ({"starts": []}, []),
    )
    for conditions, numbers in cases:
        assert equal(store.history.windows("bikes", **conditions), expected(store, numbers)), conditions


def test_an_unknown_or_unchecked_monitor_has_no_history(store: Store) -> None:
    live_days(store, 1)
    definition = define_monitor(store, "taxis")
    store.windows.plan(definition, [(day(0), NOW)])
    for name in ("taxis", "boats"):
        assert equal(store.history.windows(name), WindowHistories((), {}, {}))


def test_the_newest_revision_and_the_newest_axis_count(store: Store) -> None:
    definition = define_monitor(store)
    old, new = NumericAxis((0, 10)), NumericAxis((0, 5, 10))
    reference = Profile({"x": Histogram(old, [0, 9, 0, 0])}, 9)
    for number in range(2):
        check_window(store, definition, number, Profile({"x": Histogram(old, [0, 7, 0, 1])}, 8), reference)
    assert store.history.windows("bikes").histories[""]["x"] == History(old, [[0, 7, 0, 1]] * 2)
    store.windows.plan_backfill(definition, [(day(1), NOW)])
    check_window(store, definition, 1, Profile({"x": Histogram(new, [0, 5, 2, 0, 1])}, 8), reference)
    assert store.history.windows("bikes").histories[""]["x"] == History(new, [[0, 0, 0, 0, 0], [0, 5, 2, 0, 1]])
    claim = claim_window(store, definition, 2)
    lost = Profile({}, 8, {"x": Uncounted(Fault.SCHEMA_ERROR, "gone")})
    store.windows.commit(claim, Outcome(8, Verdict.SCHEMA_ERROR, "", {}, None, (SegmentResult("", lost),)), NOW)
    assert store.history.windows("bikes").histories[""]["x"] == History(new, [[0] * 5, [0, 5, 2, 0, 1], [0] * 5])


@pytest.mark.parametrize("some", [1, 3])
def test_a_long_past_is_read_in_parts(store: Store, some: int, monkeypatch: pytest.MonkeyPatch) -> None:
    live_days(store)
    whole = store.history.windows("bikes", starts=[day(i).start for i in range(6)])
    monkeypatch.setattr("drift.store.dimension_keys.IN_LIMIT", some)
    assert equal(store.history.windows("bikes", starts=[day(i).start for i in range(6)]), whole)
