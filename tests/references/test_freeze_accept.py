"""Freezing a reference with its windows, and accepting a range of data in its place."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from drift.errors import DriftError, InputError, SourceError
from drift.histogram import Fault, Histogram
from drift.histogram.binning import Bins
from drift.monitors.spec import ColumnRule, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Threshold
from drift.monitors.window import Period, Window
from drift.references import (
    Acceptance,
    accept_windows,
    current_reference,
    freeze_reference,
    reference_digest,
    reference_windows,
)
from drift.references import freeze as freeze_module
from drift.runner.check import WindowResult, run_all
from drift.runner.worker import Worker
from drift.sources import open_source
from drift.store import NewReference, Store, StoredReference

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2024, 3, 1, tzinfo=UTC)
NOW = START + 40 * DAY
RANGE = Window(START + 12 * DAY, START + 18 * DAY)


def rows(days: int, *, moved_from: int = 99, without: frozenset[int] = frozenset()) -> pl.DataFrame:
    """Return 200 rows a day; `x` is shifted by three standard deviations from day `moved_from` on."""
    rng = np.random.default_rng(3)
    parts = []
    for day in range(days):
        times = [START + day * DAY + timedelta(minutes=7 * i) for i in range(200)]
        x, site = rng.normal(3.0 if day >= moved_from else 0.0, 1, 200), rng.choice(["a", "b"], 200)
        if day not in without:
            parts.append(pl.DataFrame({"ts": times, "x": x, "site": site}))
    return pl.concat(parts)


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    rows(20, moved_from=12, without=frozenset({4})).write_parquet(tmp_path / "data.parquet")
    return Monitor(
        name="m",
        source=FileSource(str(tmp_path / "data.parquet")),
        timestamp="ts",
        reference=Reference(Window(START, START + 10 * DAY)),
        timezone=ZoneInfo("UTC"),
        period=Period.parse("1d"),
        columns=Columns(ColumnRule(limit=Threshold(0.4))),
        document={"source": {"path": "data.parquet"}, "timestamp": "ts"},
    )


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """A store on SQLite, for tests that do not depend on the database."""
    with Store.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def either(store_url: str) -> Iterator[Store]:
    """A store on each database."""
    with Store.open(store_url) as opened:
        yield opened


def freeze(store: Store, monitor: Monitor, now: datetime = NOW) -> StoredReference:
    return freeze_reference(store, monitor, store.monitors.define(monitor.name, monitor.document, now), now)


def check(store: Store, monitor: Monitor, now: datetime) -> list[WindowResult]:
    results = list(run_all(store, [monitor], worker=Worker("test"), now=lambda: now))
    assert all(isinstance(result, WindowResult) for result in results), results
    return [result for result in results if isinstance(result, WindowResult)]


def accept(store: Store, monitor: Monitor, *, keep_bins: bool, window: Window = RANGE) -> StoredReference:
    return accept_windows(store, monitor, Acceptance(window, "ann", "a new sensor", keep_bins), NOW)


def days(reference: StoredReference) -> list[float]:
    return [(window.start - START) / DAY for window in reference.windows]


def test_each_window_of_the_reference_is_counted(store: Store, monitor: Monitor) -> None:
    found = freeze(store, replace(monitor, segments=("site",)))
    assert days(found) == list(range(10))
    assert set(found.histories) == set(found.profiles) == {"", "site=a", "site=b"}
    for segment, profile in found.profiles.items():
        assert set(found.histories[segment]) == set(profile) == {"x", "site"}
        for name, history in found.histories[segment].items():
            assert history.pooled == profile[name]
    assert found.histories[""]["x"].counts.sum(axis=1).tolist() == [200] * 4 + [0] + [200] * 5
    source = open_source(monitor)
    for day, window in enumerate(found.windows):
        counted = source.count(found.profiles[""].axes, window, ("site",), found.profiles)
        for segment, part in counted.items():
            assert Histogram(part["x"].axis, found.histories[segment]["x"].counts[day]) == part["x"]


def test_only_closed_complete_windows_are_counted(store: Store, monitor: Monitor) -> None:
    ragged = Reference(Window(START + HOUR, START + 10 * DAY - HOUR))
    assert days(freeze(store, replace(monitor, reference=ragged))) == list(range(1, 9))
    early = replace(monitor, name="early")
    assert days(freeze(store, early, START + 3.5 * DAY)) == [0, 1, 2]


def test_many_windows_are_sampled_reproducibly(store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_windows, "MAX_REFERENCE_WINDOWS", 40)
    hourly = replace(monitor, period=Period.parse("1h"))
    found = freeze(store, hourly)
    assert len(found.windows) == 40
    assert list(found.windows) == sorted(found.windows)
    hours = [window.start.hour for window in found.windows]
    assert len(set(hours)) > 12, "not the same hours of each day"
    complete = reference_windows.complete_windows(hourly, Window(START, START + 10 * DAY), NOW)
    assert (
        reference_windows.sample_windows(complete, "m")
        == found.windows
        != reference_windows.sample_windows(complete, "n")
    )


@pytest.mark.parametrize("times", ["instants", "other text", "none"])
def test_reference_file_has_windows_if_its_rows_have_instants(
    store: Store, monitor: Monitor, tmp_path: Path, times: str
) -> None:
    table = rows(10)
    if times == "other text":
        table = table.with_columns(ts=pl.col("ts").dt.strftime("%d.%m.%Y"))
    if times == "none":
        table = table.drop("ts")
    table.write_parquet(tmp_path / "train.parquet")
    found = freeze(store, replace(monitor, reference=Reference(path=str(tmp_path / "train.parquet"))))
    assert found.profiles[""].rows == 2000
    assert found.note["path"].endswith("train.parquet")
    if times == "instants":  # the first day is complete; the last one may not be
        assert days(found) == list(range(9))
        assert found.histories[""]["x"].counts.sum() == 1800
    else:
        assert (found.windows, found.histories) == ((), {})
        assert [w for w in found.note["warnings"] if "no windows" in w and "ISO 8601" in w] == found.note["warnings"]
        assert bool(found.note["warnings"]) == (times == "other text")


def test_column_missing_from_a_window_has_no_history(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = freeze_module.count_reference_windows

    def then(*args: object) -> object:  # the column is missing when the windows are counted
        rows(20).drop("x").write_parquet(tmp_path / "data.parquet")
        return count(*args)

    monkeypatch.setattr(freeze_module, "count_reference_windows", then)
    found = freeze(store, monitor)
    assert set(found.profiles[""]) == {"x", "site"}
    assert set(found.histories[""]) == {"site"}
    (warning,) = found.note["warnings"]
    assert warning.startswith("x: could not be counted in each window")


def test_nothing_is_frozen_if_a_window_cannot_be_read(
    store: Store, monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = freeze_module.count_reference_windows

    def then(*args: object) -> object:
        (tmp_path / "data.parquet").write_bytes(b"PAR1")
        return count(*args)

    monkeypatch.setattr(freeze_module, "count_reference_windows", then)
    with pytest.raises(SourceError, match=r"data\.parquet"):
        freeze(store, monitor)
    known = store.monitors.find("m")
    assert known is not None
    assert store.references.all(known.monitor_id) == []


def test_another_window_length_makes_another_reference(store: Store, monitor: Monitor) -> None:
    daily, weekly = freeze(store, monitor), freeze(store, replace(monitor, period=Period.parse("1w")))
    assert daily.id != weekly.id
    assert len(weekly.windows) == 1
    assert freeze(store, monitor) == daily


def test_reference_frozen_without_windows_is_kept(either: Store, monitor: Monitor) -> None:
    key = either.monitors.define(monitor.name, monitor.document, NOW).monitor_id
    source = open_source(monitor)
    profiles = source.learn(["x", "site"], monitor.columns, monitor.reference.window)
    old = freeze_module._digest(freeze_module._parts(monitor))
    assert old != reference_digest(monitor)
    before = either.references.freeze(key, old, NewReference(profiles, {}), NOW)
    assert freeze(either, monitor) == before
    accepted = accept(either, monitor, keep_bins=False)
    assert freeze(either, monitor) == accepted
    assert accepted.note["accepted"]["replaces"] == before.id


@pytest.mark.parametrize("keep_bins", [False, True])
def test_accepted_range_is_the_reference_from_then_on(either: Store, monitor: Monitor, keep_bins: bool) -> None:
    first = check(either, monitor, START + 18 * DAY)
    assert [result.outcome.verdict.value for result in first] == ["ok"] * 2 + ["drift"] * 6
    scores = either.queries.scores("m")
    frozen = freeze(either, monitor)
    found = accept(either, monitor, keep_bins=keep_bins)
    assert found.note["accepted"] == {
        "by": "ann",
        "at": NOW.isoformat(),
        "why": "a new sensor",
        "from": RANGE.start.isoformat(),
        "to": RANGE.end.isoformat(),
        "kept_bins": keep_bins,
        "replaces": frozen.id,
    }
    assert days(found) == list(range(12, 18))
    assert found.profiles[""].rows == found.note["rows"] == 1200
    assert (found.profiles[""].axes["x"] == frozen.profiles[""].axes["x"]) == keep_bins
    counted = open_source(monitor).count(found.profiles[""].axes, RANGE, (), found.profiles)
    assert counted[""] == found.profiles[""]
    assert all(history.pooled == found.profiles[""][name] for name, history in found.histories[""].items())
    later = check(either, monitor, START + 20 * DAY)
    assert [result.outcome.verdict.value for result in later] == ["ok"] * 2
    assert {result.outcome.baseline_id for result in later} == {found.id}
    assert either.queries.scores("m")[: len(scores)] == scores, "earlier verdicts stay"
    known = either.monitors.find("m")
    assert known is not None
    assert either.references.all(known.monitor_id) == [found, frozen]
    again = accept(either, monitor, keep_bins=keep_bins, window=Window(START, START + 12 * DAY))
    assert again.note["accepted"]["replaces"] == found.id
    assert freeze(either, monitor) == again


def test_other_configured_bins_make_another_reference(store: Store, monitor: Monitor) -> None:
    check(store, monitor, START + 18 * DAY)
    accepted = accept(store, monitor, keep_bins=True)
    finer = replace(monitor, columns=Columns(ColumnRule(bins=Bins(count=20))))
    other = freeze(store, finer)
    assert "accepted" not in other.note
    assert freeze(store, monitor) == accepted


def test_kept_bins_need_no_source_and_keep_segments(either: Store, monitor: Monitor, tmp_path: Path) -> None:
    split = replace(monitor, segments=("site",))
    check(either, split, START + 18 * DAY)
    counted = open_source(split).count(
        freeze(either, split).profiles[""].axes, RANGE, ("site",), ["", "site=a", "site=b"]
    )
    (tmp_path / "data.parquet").unlink()
    found = accept(either, split, keep_bins=True)
    assert found.profiles == counted
    assert set(found.histories["site=b"]) == {"x", "site"}
    with pytest.raises(SourceError, match=r"--keep-bins"):
        accept(either, split, keep_bins=False)


def test_lost_columns_and_missing_windows_give_warnings(store: Store, monitor: Monitor, tmp_path: Path) -> None:
    check(store, monitor, START + 13 * DAY)
    whole = pl.read_parquet(tmp_path / "data.parquet")
    whole.drop("x").write_parquet(tmp_path / "data.parquet")
    check(store, monitor, START + 14 * DAY)
    found = accept(store, monitor, keep_bins=True)
    assert set(found.profiles[""]) == set(found.histories[""]) == {"site"}
    assert found.profiles[""].uncounted["x"].fault is Fault.NOT_COMPARABLE
    assert found.note["warnings"] == [
        "4 of 6 windows were not evaluated",
        "column 'x' was not counted on these bins in 1 of 2 windows",
    ]


@pytest.mark.parametrize(
    ("window", "keep_bins", "code", "part"),
    [
        (Window(START + 30 * DAY, START + 31 * DAY), False, "no-rows", "2024-03-01"),
        (Window(START + 30 * DAY, START + 31 * DAY), True, "no-evaluated-windows", "`drift windows"),
        (Window(START + 12 * DAY, START + 12.5 * DAY), True, "no-evaluated-windows", "1d"),
        (Window(START + 12 * DAY, NOW + DAY), False, "range-not-ended", NOW.isoformat()),
    ],
)
def test_invalid_acceptances_are_refused(
    store: Store, monitor: Monitor, window: Window, keep_bins: bool, code: str, part: str
) -> None:
    check(store, monitor, START + 14 * DAY)
    before = freeze(store, monitor)
    with pytest.raises(DriftError) as error:
        accept(store, monitor, keep_bins=keep_bins, window=window)
    assert error.value.code == code
    assert part in str(error.value)
    assert freeze(store, monitor) == before


def test_nothing_is_accepted_before_the_first_run(store: Store, monitor: Monitor) -> None:
    with pytest.raises(InputError, match="`drift run`") as error:
        accept(store, monitor, keep_bins=False)
    assert error.value.code == "never-run"
    key = store.monitors.define(monitor.name, monitor.document, NOW).monitor_id
    with pytest.raises(InputError, match="--keep-bins") as error:
        accept(store, monitor, keep_bins=True)
    assert error.value.code == "no-reference"
    found = accept(store, monitor, keep_bins=False)
    assert found.note["accepted"]["replaces"] is None
    assert current_reference(store, monitor, key) == found


@pytest.mark.parametrize(("by", "why"), [("", "because"), ("ann", " \n")])
def test_acceptance_needs_a_person_and_a_reason(by: str, why: str) -> None:
    with pytest.raises(InputError) as error:
        Acceptance(RANGE, by, why)
    assert error.value.code == "missing-value"
