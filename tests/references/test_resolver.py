"""Fixed, rolling and seasonal references of windows, from histograms alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pytest

from drift.histogram import Histogram, History, NumericAxis, Profile
from drift.monitors.comparison import SegmentResult, compare_profiles
from drift.monitors.spec import Alerting, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Verdict
from drift.monitors.window import Period, Window
from drift.references.load_history import load_history
from drift.references.resolver import ReferenceResolver
from drift.stats.calibration import MIN_WINDOWS
from drift.stats.false_alarm_budget import Budget
from drift.store import Store, StoredReference, WindowHistories

DAY, WEEK, HOUR = timedelta(days=1), timedelta(weeks=1), timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
AXIS = NumericAxis(tuple(range(11)))
Counts = npt.NDArray[np.int64]


def monitor_with(reference: Reference, period: str = "1d", timezone: str = "UTC") -> Monitor:
    return Monitor(
        name="m",
        source=FileSource("nowhere.parquet"),
        timestamp="ts",
        reference=reference,
        timezone=ZoneInfo(timezone),
        period=Period.parse(period),
    )


def days(first: int, last: int, step: timedelta = DAY) -> tuple[Window, ...]:
    return tuple(Window(START + i * step, START + (i + 1) * step) for i in range(first, last))


def frozen_of(windows: Sequence[Window], counts: Counts) -> StoredReference:
    history = History(AXIS, counts)
    pooled = history.pooled
    return StoredReference(
        1, {"": Profile({"x": pooled}, pooled.rows)}, {}, START, tuple(windows), {"": {"x": history}}
    )


def evaluated_of(windows: Sequence[Window], counts: Counts, incidents: Sequence[int] = ()) -> WindowHistories:
    bad = np.isin(np.arange(len(windows)), list(incidents))
    return WindowHistories(tuple(windows), {"": {"x": History(AXIS, counts)}}, {"": {"x": bad}})


def drawn(number: int, centre: npt.ArrayLike = 5.0, rows: int = 500, seed: int = 1) -> Counts:
    """Return counts of each window in ten bins around its centre."""
    rng = np.random.default_rng(seed)
    away = np.arange(10) + 0.5 - np.broadcast_to(np.asarray(centre, float), number)[:, None]
    weight = np.exp(-0.5 * (away / 2) ** 2)
    inner = rng.multinomial(rows, weight / weight.sum(axis=1, keepdims=True))
    return np.pad(inner, ((0, 0), (1, 2)))


def profile_of(counts: npt.NDArray[np.int64]) -> Profile:
    return Profile({"x": Histogram(AXIS, counts)}, int(counts.sum()))


def verdict_of(resolver: ReferenceResolver, window: Window, counts: npt.NDArray[np.int64]) -> Verdict:
    live = profile_of(counts)
    resolved = resolver.resolve(window).segments[""]
    results = compare_profiles(live, resolved, Columns(), np.random.default_rng(0))
    resolver.add_checked(window, [SegmentResult("", live, results)])
    return results[0].verdict


def test_fixed_reference_pools_its_windows_and_learns_from_them() -> None:
    counts = drawn(30)
    resolved = ReferenceResolver(monitor_with(Reference()), frozen_of(days(0, 30), counts)).resolve(days(40, 41)[0])
    assert resolved.segments[""].histograms["x"] == Histogram(AXIS, counts.sum(axis=0))
    assert resolved.segments[""].calibration.windows == {"x": 30}
    assert resolved.note["reference"] == "fixed"
    assert resolved.note["windows"] == 30


def test_window_of_the_reference_is_compared_with_the_rest() -> None:
    counts = drawn(30)
    resolver = ReferenceResolver(monitor_with(Reference()), frozen_of(days(0, 30), counts))
    resolved = resolver.resolve(days(7, 8)[0]).segments[""]
    assert resolved.histograms["x"] == Histogram(AXIS, np.delete(counts, 7, axis=0).sum(axis=0))
    assert resolved.calibration.windows == {"x": 29}


def test_level_shares_the_budget_over_columns_segments_and_windows() -> None:
    history, other = History(AXIS, drawn(30)), History(AXIS, drawn(30, seed=2))
    profiles = {key: Profile({"x": history.pooled, "y": other.pooled}, history.pooled.rows) for key in ("", "a", "b")}
    frozen = StoredReference(1, profiles, {}, START, days(0, 30), {})
    monitor = replace(monitor_with(Reference()), budget=Budget(1, 30 * DAY))
    resolved = ReferenceResolver(monitor, frozen).resolve(days(40, 41)[0])
    assert resolved.segments["a"].level == pytest.approx(1 / 30 / 6), "2 columns in 3 segments, daily windows"
    patient = replace(monitor, alerting=Alerting(for_windows=3))
    assert ReferenceResolver(patient, frozen).resolve(days(40, 41)[0]).segments["a"].level > 1 / 30 / 6


def test_rolling_reference_is_the_newest_earlier_windows() -> None:
    counts = drawn(60)
    monitor = monitor_with(Reference(rolling=10 * DAY))
    resolver = ReferenceResolver(monitor, frozen_of(days(0, 10), counts[:10]), evaluated_of(days(10, 60), counts[10:]))
    resolved = resolver.resolve(days(45, 46)[0])
    assert resolved.segments[""].histograms["x"] == Histogram(AXIS, counts[35:45].sum(axis=0))
    assert resolved.note["reference"] == "rolling"
    assert resolved.note["from"] == "2024-02-05T00:00Z"
    first = resolver.resolve(days(10, 11)[0])
    assert first.segments[""].histograms["x"] == Histogram(AXIS, counts[:10].sum(axis=0)), "the frozen reference"


def test_older_windows_replace_drifted_ones() -> None:
    counts = drawn(60)
    evaluated = evaluated_of(days(10, 60), counts[10:], incidents=[30, 32])  # days 40 and 42
    monitor = monitor_with(Reference(rolling=10 * DAY))
    resolved = ReferenceResolver(monitor, frozen_of(days(0, 10), counts[:10]), evaluated).resolve(days(45, 46)[0])
    kept = [33, 34, 35, 36, 37, 38, 39, 41, 43, 44]
    assert resolved.segments[""].histograms["x"] == Histogram(AXIS, counts[kept].sum(axis=0))


def test_step_stays_drift_until_it_is_accepted() -> None:
    counts = drawn(90, np.where(np.arange(90) < 40, 5.0, 7.0))
    resolver = ReferenceResolver(monitor_with(Reference(rolling=28 * DAY)), frozen_of(days(0, 28), counts[:28]))
    verdicts = [verdict_of(resolver, window, counts[28 + i]) for i, window in enumerate(days(28, 90))]
    assert verdicts[:12] == [Verdict.OK] * 12
    assert verdicts[12:] == [Verdict.DRIFT] * 50
    accepted = ReferenceResolver(monitor_with(Reference(rolling=28 * DAY)), frozen_of(days(45, 73), counts[45:73]))
    later = [verdict_of(accepted, window, counts[73 + i]) for i, window in enumerate(days(73, 90))]
    assert later == [Verdict.OK] * 17


def test_windows_before_an_accepted_range_leave_the_reference() -> None:
    counts = drawn(60)
    monitor = monitor_with(Reference(rolling=28 * DAY))
    evaluated = evaluated_of(days(0, 60), counts)
    resolved = ReferenceResolver(monitor, frozen_of(days(30, 40), counts[30:40]), evaluated).resolve(days(50, 51)[0])
    assert resolved.segments[""].histograms["x"] == Histogram(AXIS, counts[30:50].sum(axis=0))


def test_slow_trend_drifts_from_fixed_but_not_rolling_references() -> None:
    counts = drawn(200, 3 + np.arange(200) / 50)
    fixed = ReferenceResolver(monitor_with(Reference()), frozen_of(days(0, 28), counts[:28]))
    rolling = ReferenceResolver(monitor_with(Reference(rolling=28 * DAY)), frozen_of(days(0, 28), counts[:28]))
    later = days(28, 200)
    assert verdict_of(fixed, later[-1], counts[-1]) is Verdict.DRIFT
    assert [verdict_of(rolling, window, counts[28 + i]) for i, window in enumerate(later)].count(Verdict.DRIFT) == 0


def test_windows_added_one_by_one_equal_those_read_back() -> None:
    counts = drawn(60, np.where(np.arange(60) == 40, 8.0, 5.0))
    monitor, frozen = monitor_with(Reference(rolling=20 * DAY)), frozen_of(days(0, 20), drawn(60)[:20])
    running = ReferenceResolver(monitor, frozen)
    verdicts = [verdict_of(running, window, counts[20 + i]) for i, window in enumerate(days(20, 59))]
    assert verdicts.count(Verdict.DRIFT) == 1
    stored = ReferenceResolver(monitor, frozen, evaluated_of(days(20, 59), counts[20:59], incidents=[20]))
    a, b = running.resolve(days(59, 60)[0]), stored.resolve(days(59, 60)[0])
    assert a.segments[""].histograms == b.segments[""].histograms
    assert a.note == b.note


def test_weekly_season_is_the_same_hour_of_earlier_weeks() -> None:
    hours = 24 * 7 * 6
    counts = drawn(hours)
    monitor = monitor_with(Reference(seasonal=WEEK, windows=3), "1h")
    first = 24 * 7 * 3
    resolver = ReferenceResolver(
        monitor,
        frozen_of(days(0, first, HOUR), counts[:first]),
        evaluated_of(days(first, hours, HOUR), counts[first:]),
    )
    at = 24 * 7 * 5 + 13
    resolved = resolver.resolve(days(at, at + 1, HOUR)[0])
    wanted = [at - 24 * 7 * k for k in (1, 2, 3)]
    assert resolved.segments[""].histograms["x"] == Histogram(AXIS, counts[wanted].sum(axis=0))


def test_yearly_season_is_the_weeks_around_the_same_time() -> None:
    counts = drawn(420)
    monitor = monitor_with(Reference(seasonal=52 * WEEK, windows=3))
    resolver = ReferenceResolver(
        monitor, frozen_of(days(0, 371), counts[:371]), evaluated_of(days(371, 420), counts[371:])
    )
    resolved = resolver.resolve(days(400, 401)[0])
    assert resolved.segments[""].histograms["x"] == Histogram(AXIS, counts[[29, 36, 43]].sum(axis=0))


def test_seasonal_days_follow_the_calendar_when_clocks_change() -> None:
    monitor = monitor_with(Reference(seasonal=WEEK, windows=1), timezone="America/New_York")
    zone = ZoneInfo("America/New_York")
    windows = list(monitor.period.windows(datetime(2024, 3, 1, 5, tzinfo=UTC), datetime(2024, 3, 25, tzinfo=UTC), zone))
    counts = drawn(len(windows))
    resolver = ReferenceResolver(monitor, frozen_of(windows[:20], counts[:20]))
    after = next(i for i, w in enumerate(windows) if w.start.astimezone(zone).day == 12)  # clocks changed on the 10th
    resolved = resolver.resolve(windows[after])
    assert windows[after].start - windows[after - 7].start == 7 * DAY - HOUR
    assert resolved.segments[""].histograms["x"] == Histogram(AXIS, counts[after - 7])


def test_seasonal_reference_ignores_the_weekly_pattern_but_finds_changes() -> None:
    weeks = 30
    hour = np.arange(weeks * 7)
    centre = np.array([3.0, 4, 5, 5.5, 6, 8, 8.5])[hour % 7]
    counts = drawn(len(hour), centre, rows=2000)
    monitor = monitor_with(Reference(seasonal=WEEK, windows=3))
    resolver = ReferenceResolver(monitor, frozen_of(days(0, 21), counts[:21]))
    later = days(21, weeks * 7)
    verdicts = [verdict_of(resolver, window, counts[21 + i]) for i, window in enumerate(later)]
    assert verdicts[MIN_WINDOWS:].count(Verdict.DRIFT) == 0
    changed = drawn(1, 4.2, rows=2000, seed=9)[0]  # normal on other days, but not on a Monday
    assert verdict_of(resolver, days(weeks * 7, weeks * 7 + 1)[0], changed) is Verdict.DRIFT


class _HistoryStore:
    """Stored histories that record how many windows each call reads."""

    def __init__(self, windows: Sequence[Window], counts: Counts, incidents: Sequence[int] = ()) -> None:
        self.all, self.counts, self.incidents = windows, counts, np.isin(np.arange(len(windows)), list(incidents))
        self.read: list[int] = []
        self.history = self

    def windows(
        self, _: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> WindowHistories:
        chosen = [
            i
            for i, w in enumerate(self.all)
            if (since is None or w.start >= since) and (until is None or w.start < until)
        ][-limit if limit else 0 :]
        self.read.append(len(chosen))
        bad = {"": {"x": self.incidents[chosen]}}
        return WindowHistories(tuple(self.all[i] for i in chosen), {"": {"x": History(AXIS, self.counts[chosen])}}, bad)


@pytest.mark.parametrize(("incidents", "reads"), [((), [21]), (range(175, 200), [21, 200])])
def test_rolling_reference_reads_no_more_history_than_needed(incidents: Sequence[int], reads: list[int]) -> None:
    counts, windows = drawn(200), days(0, 200)
    store = _HistoryStore(windows, counts, incidents)
    monitor = monitor_with(Reference(rolling=10 * DAY))
    here = days(200, 201)[0]
    loaded = load_history(cast(Store, store), monitor, here.start, here.start)
    assert store.read == reads
    frozen = frozen_of((), np.zeros((0, AXIS.n_bins), np.int64))
    every = evaluated_of(windows, counts, list(incidents))
    whole = {"": Profile({"x": Histogram(AXIS, counts[:10].sum(axis=0))}, int(counts[:10].sum()))}
    frozen = replace(frozen, profiles=whole)
    a, b = (ReferenceResolver(monitor, frozen, evaluated).resolve(here) for evaluated in (loaded, every))
    assert a.note == b.note
    assert a.segments[""].histograms == b.segments[""].histograms
    live = {"x": Histogram(AXIS, counts[5])}
    assert a.segments[""].calibration.evidence(live) == b.segments[""].calibration.evidence(live)


def test_seasonal_reference_reads_the_history_it_learns_from() -> None:
    counts, windows = drawn(1000), days(0, 1000)
    store = _HistoryStore(windows, counts)
    monitor = monitor_with(Reference(seasonal=WEEK, windows=3))
    here = days(1000, 1001)[0]
    loaded = load_history(cast(Store, store), monitor, here.start, here.start)
    assert store.read[0] < 450
    whole = {"": Profile({"x": Histogram(AXIS, counts[:10].sum(axis=0))}, int(counts[:10].sum()))}
    frozen = StoredReference(1, whole, {}, START)
    a, b = (
        ReferenceResolver(monitor, frozen, evaluated).resolve(here)
        for evaluated in (loaded, evaluated_of(windows, counts))
    )
    assert a.segments[""].histograms == b.segments[""].histograms
    live = {"x": Histogram(AXIS, counts[5])}
    assert a.segments[""].calibration.evidence(live) == b.segments[""].calibration.evidence(live)
