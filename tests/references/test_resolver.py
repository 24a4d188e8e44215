"""What a window is held to: fixed, rolling and seasonal references, from histograms alone."""

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


def baseline_of(windows: Sequence[Window], counts: Counts) -> StoredReference:
    history = History(AXIS, counts)
    pooled = history.pooled
    return StoredReference(
        1, {"": Profile({"x": pooled}, pooled.rows)}, {}, START, tuple(windows), {"": {"x": history}}
    )


def past_of(windows: Sequence[Window], counts: Counts, incidents: Sequence[int] = ()) -> WindowHistories:
    bad = np.isin(np.arange(len(windows)), list(incidents))
    return WindowHistories(tuple(windows), {"": {"x": History(AXIS, counts)}}, {"": {"x": bad}})


def drawn(number: int, centre: npt.ArrayLike = 5.0, rows: int = 500, seed: int = 1) -> Counts:
    """Rows of each window in ten bins about a centre, one for each window."""
    rng = np.random.default_rng(seed)
    away = np.arange(10) + 0.5 - np.broadcast_to(np.asarray(centre, float), number)[:, None]
    weight = np.exp(-0.5 * (away / 2) ** 2)
    inner = rng.multinomial(rows, weight / weight.sum(axis=1, keepdims=True))
    return np.pad(inner, ((0, 0), (1, 2)))


def profile_of(counts: npt.NDArray[np.int64]) -> Profile:
    return Profile({"x": Histogram(AXIS, counts)}, int(counts.sum()))


def verdict_of(standards: ReferenceResolver, window: Window, counts: npt.NDArray[np.int64]) -> Verdict:
    live = profile_of(counts)
    held = standards.of(window).segments[""]
    results = compare_profiles(live, held, Columns(), np.random.default_rng(0))
    standards.checked(window, [SegmentResult("", live, results)])
    return results[0].verdict


def test_a_fixed_reference_is_its_pooled_rows_and_learns_from_its_windows() -> None:
    counts = drawn(30)
    held = ReferenceResolver(monitor_with(Reference()), baseline_of(days(0, 30), counts)).of(days(40, 41)[0])
    assert held.segments[""].histograms["x"] == Histogram(AXIS, counts.sum(axis=0))
    assert held.segments[""].calibration.windows == {"x": 30}
    assert held.note["reference"] == "fixed"
    assert held.note["windows"] == 30


def test_a_window_of_the_reference_is_held_to_the_rest_of_it() -> None:
    counts = drawn(30)
    standards = ReferenceResolver(monitor_with(Reference()), baseline_of(days(0, 30), counts))
    held = standards.of(days(7, 8)[0]).segments[""]
    assert held.histograms["x"] == Histogram(AXIS, np.delete(counts, 7, axis=0).sum(axis=0))
    assert held.calibration.windows == {"x": 29}


def test_the_level_is_the_budgets_over_columns_segments_and_windows() -> None:
    history, other = History(AXIS, drawn(30)), History(AXIS, drawn(30, seed=2))
    profiles = {key: Profile({"x": history.pooled, "y": other.pooled}, history.pooled.rows) for key in ("", "a", "b")}
    baseline = StoredReference(1, profiles, {}, START, days(0, 30), {})
    monitor = replace(monitor_with(Reference()), budget=Budget(1, 30 * DAY))
    held = ReferenceResolver(monitor, baseline).of(days(40, 41)[0])
    assert held.segments["a"].level == pytest.approx(1 / 30 / 6), "2 columns in 3 parts, a window a day"
    patient = replace(monitor, alerting=Alerting(for_windows=3))
    assert ReferenceResolver(patient, baseline).of(days(40, 41)[0]).segments["a"].level > 1 / 30 / 6


def test_a_rolling_reference_is_the_newest_windows_before() -> None:
    counts = drawn(60)
    monitor = monitor_with(Reference(rolling=10 * DAY))
    standards = ReferenceResolver(monitor, baseline_of(days(0, 10), counts[:10]), past_of(days(10, 60), counts[10:]))
    held = standards.of(days(45, 46)[0])
    assert held.segments[""].histograms["x"] == Histogram(AXIS, counts[35:45].sum(axis=0))
    assert held.note["reference"] == "rolling"
    assert held.note["from"] == "2024-02-05T00:00Z"
    first = standards.of(days(10, 11)[0])
    assert first.segments[""].histograms["x"] == Histogram(AXIS, counts[:10].sum(axis=0)), "the frozen stretch"


def test_incidents_are_left_out_and_older_windows_take_their_place() -> None:
    counts = drawn(60)
    past = past_of(days(10, 60), counts[10:], incidents=[30, 32])  # days 40 and 42
    monitor = monitor_with(Reference(rolling=10 * DAY))
    held = ReferenceResolver(monitor, baseline_of(days(0, 10), counts[:10]), past).of(days(45, 46)[0])
    kept = [33, 34, 35, 36, 37, 38, 39, 41, 43, 44]
    assert held.segments[""].histograms["x"] == Histogram(AXIS, counts[kept].sum(axis=0))


def test_a_step_stays_an_incident_until_somebody_accepts_it() -> None:
    counts = drawn(90, np.where(np.arange(90) < 40, 5.0, 7.0))
    standards = ReferenceResolver(monitor_with(Reference(rolling=28 * DAY)), baseline_of(days(0, 28), counts[:28]))
    verdicts = [verdict_of(standards, window, counts[28 + i]) for i, window in enumerate(days(28, 90))]
    assert verdicts[:12] == [Verdict.OK] * 12
    assert verdicts[12:] == [Verdict.DRIFT] * 50
    accepted = ReferenceResolver(monitor_with(Reference(rolling=28 * DAY)), baseline_of(days(45, 73), counts[45:73]))
    later = [verdict_of(accepted, window, counts[73 + i]) for i, window in enumerate(days(73, 90))]
    assert later == [Verdict.OK] * 17


def test_windows_from_before_an_accepted_stretch_are_no_reference_any_more() -> None:
    counts = drawn(60)
    monitor = monitor_with(Reference(rolling=28 * DAY))
    past = past_of(days(0, 60), counts)
    held = ReferenceResolver(monitor, baseline_of(days(30, 40), counts[30:40]), past).of(days(50, 51)[0])
    assert held.segments[""].histograms["x"] == Histogram(AXIS, counts[30:50].sum(axis=0))


def test_a_slow_trend_is_no_drift_to_a_rolling_reference_but_is_to_a_fixed_one() -> None:
    counts = drawn(200, 3 + np.arange(200) / 50)
    fixed = ReferenceResolver(monitor_with(Reference()), baseline_of(days(0, 28), counts[:28]))
    rolling = ReferenceResolver(monitor_with(Reference(rolling=28 * DAY)), baseline_of(days(0, 28), counts[:28]))
    later = days(28, 200)
    assert verdict_of(fixed, later[-1], counts[-1]) is Verdict.DRIFT
    assert [verdict_of(rolling, window, counts[28 + i]) for i, window in enumerate(later)].count(Verdict.DRIFT) == 0


def test_windows_checked_one_by_one_are_the_same_reference_as_those_read_back() -> None:
    counts = drawn(60, np.where(np.arange(60) == 40, 8.0, 5.0))
    monitor, baseline = monitor_with(Reference(rolling=20 * DAY)), baseline_of(days(0, 20), drawn(60)[:20])
    running = ReferenceResolver(monitor, baseline)
    verdicts = [verdict_of(running, window, counts[20 + i]) for i, window in enumerate(days(20, 59))]
    assert verdicts.count(Verdict.DRIFT) == 1
    stored = ReferenceResolver(monitor, baseline, past_of(days(20, 59), counts[20:59], incidents=[20]))
    now, then = running.of(days(59, 60)[0]), stored.of(days(59, 60)[0])
    assert now.segments[""].histograms == then.segments[""].histograms
    assert now.note == then.note


def test_a_season_of_weeks_is_the_same_hour_of_earlier_weeks() -> None:
    hours = 24 * 7 * 6
    counts = drawn(hours)
    monitor = monitor_with(Reference(seasonal=WEEK, windows=3), "1h")
    first = 24 * 7 * 3
    standards = ReferenceResolver(
        monitor,
        baseline_of(days(0, first, HOUR), counts[:first]),
        past_of(days(first, hours, HOUR), counts[first:]),
    )
    at = 24 * 7 * 5 + 13
    held = standards.of(days(at, at + 1, HOUR)[0])
    wanted = [at - 24 * 7 * k for k in (1, 2, 3)]
    assert held.segments[""].histograms["x"] == Histogram(AXIS, counts[wanted].sum(axis=0))


def test_a_season_of_a_year_is_the_weeks_about_the_same_time() -> None:
    counts = drawn(420)
    monitor = monitor_with(Reference(seasonal=52 * WEEK, windows=3))
    standards = ReferenceResolver(
        monitor, baseline_of(days(0, 371), counts[:371]), past_of(days(371, 420), counts[371:])
    )
    held = standards.of(days(400, 401)[0])
    assert held.segments[""].histograms["x"] == Histogram(AXIS, counts[[29, 36, 43]].sum(axis=0))


def test_days_of_a_season_keep_their_place_where_clocks_change() -> None:
    monitor = monitor_with(Reference(seasonal=WEEK, windows=1), timezone="America/New_York")
    zone = ZoneInfo("America/New_York")
    windows = list(monitor.period.windows(datetime(2024, 3, 1, 5, tzinfo=UTC), datetime(2024, 3, 25, tzinfo=UTC), zone))
    counts = drawn(len(windows))
    standards = ReferenceResolver(monitor, baseline_of(windows[:20], counts[:20]))
    after = next(i for i, w in enumerate(windows) if w.start.astimezone(zone).day == 12)  # clocks changed on the 10th
    held = standards.of(windows[after])
    assert windows[after].start - windows[after - 7].start == 7 * DAY - HOUR
    assert held.segments[""].histograms["x"] == Histogram(AXIS, counts[after - 7])


def test_a_strong_week_is_no_drift_to_a_seasonal_reference_and_a_change_on_top_of_it_is() -> None:
    weeks = 30
    hour = np.arange(weeks * 7)
    centre = np.array([3.0, 4, 5, 5.5, 6, 8, 8.5])[hour % 7]
    counts = drawn(len(hour), centre, rows=2000)
    monitor = monitor_with(Reference(seasonal=WEEK, windows=3))
    standards = ReferenceResolver(monitor, baseline_of(days(0, 21), counts[:21]))
    later = days(21, weeks * 7)
    verdicts = [verdict_of(standards, window, counts[21 + i]) for i, window in enumerate(later)]
    assert verdicts[MIN_WINDOWS:].count(Verdict.DRIFT) == 0
    changed = drawn(1, 4.2, rows=2000, seed=9)[0]  # an ordinary place in other days, not on a Monday's
    assert verdict_of(standards, days(weeks * 7, weeks * 7 + 1)[0], changed) is Verdict.DRIFT


class _Asked:
    """What is asked of a store's past, and given."""

    def __init__(self, windows: Sequence[Window], counts: Counts, incidents: Sequence[int] = ()) -> None:
        self.windows, self.counts, self.incidents = windows, counts, np.isin(np.arange(len(windows)), list(incidents))
        self.read: list[int] = []

    def past(
        self, _: str, *, since: datetime | None = None, before: datetime | None = None, most: int | None = None
    ) -> WindowHistories:
        found = [
            i
            for i, w in enumerate(self.windows)
            if (since is None or w.start >= since) and (before is None or w.start < before)
        ][-most if most else 0 :]
        self.read.append(len(found))
        bad = {"": {"x": self.incidents[found]}}
        return WindowHistories(
            tuple(self.windows[i] for i in found), {"": {"x": History(AXIS, self.counts[found])}}, bad
        )


@pytest.mark.parametrize(("incidents", "reads"), [((), [21]), (range(175, 200), [21, 200])])
def test_of_a_long_past_only_as_much_is_read_as_a_rolling_reference_needs(
    incidents: Sequence[int], reads: list[int]
) -> None:
    counts, windows = drawn(200), days(0, 200)
    store = _Asked(windows, counts, incidents)
    monitor = monitor_with(Reference(rolling=10 * DAY))
    here = days(200, 201)[0]
    some = load_history(cast(Store, store), monitor, here.start, here.start)
    assert store.read == reads
    baseline = baseline_of((), np.zeros((0, AXIS.n_bins), np.int64))
    every = past_of(windows, counts, list(incidents))
    whole = {"": Profile({"x": Histogram(AXIS, counts[:10].sum(axis=0))}, int(counts[:10].sum()))}
    baseline = replace(baseline, profiles=whole)
    now, then = (ReferenceResolver(monitor, baseline, past).of(here) for past in (some, every))
    assert now.note == then.note
    assert now.segments[""].histograms == then.segments[""].histograms
    live = {"x": Histogram(AXIS, counts[5])}
    assert now.segments[""].calibration.evidence(live) == then.segments[""].calibration.evidence(live)


def test_of_a_long_past_a_season_reads_what_it_learns_from() -> None:
    counts, windows = drawn(1000), days(0, 1000)
    store = _Asked(windows, counts)
    monitor = monitor_with(Reference(seasonal=WEEK, windows=3))
    here = days(1000, 1001)[0]
    some = load_history(cast(Store, store), monitor, here.start, here.start)
    assert store.read[0] < 450
    whole = {"": Profile({"x": Histogram(AXIS, counts[:10].sum(axis=0))}, int(counts[:10].sum()))}
    baseline = StoredReference(1, whole, {}, START)
    now, then = (ReferenceResolver(monitor, baseline, past).of(here) for past in (some, past_of(windows, counts)))
    assert now.segments[""].histograms == then.segments[""].histograms
    live = {"x": Histogram(AXIS, counts[5])}
    assert now.segments[""].calibration.evidence(live) == then.segments[""].calibration.evidence(live)
