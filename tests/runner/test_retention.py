"""Retention: readers of a monitor's history see a shorter past after pruning, and continue."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from drift.backtest import load_stored_windows, replay_windows
from drift.errors import StoreError
from drift.monitors.spec import FileSource, Monitor, Reference
from drift.monitors.window import Period, Window
from drift.references import current_reference
from drift.references.calibration_report import next_reference
from drift.report import page_from_store, render
from drift.runner.check import WindowResult, run_all
from drift.runner.evaluate import window_rng
from drift.runner.retention import prune_monitors
from drift.runner.worker import Worker
from drift.store import Store

DAY = timedelta(days=1)
START = datetime(2024, 3, 4, tzinfo=UTC)  # a Monday
REFERENCE_DAYS, PRUNED, DAYS, KEEP_DAYS = 14, 34, 38, 12
REFERENCES = {
    "fixed": Reference(Window(START, START + REFERENCE_DAYS * DAY)),
    "rolling": Reference(rolling=10 * DAY),
    "seasonal": Reference(seasonal=7 * DAY, windows=2),
}


def make_monitor(tmp_path: Path, reference: str) -> Monitor:
    """Return a monitor on days of 100 rows that never change, checked from the third week on."""
    rng = np.random.default_rng(3)
    moments = [START + day * DAY + timedelta(minutes=14 * i) for day in range(DAYS) for i in range(100)]
    pl.DataFrame({"ts": moments, "x": rng.normal(size=len(moments))}).write_parquet(tmp_path / "data.parquet")
    return Monitor(
        name="m",
        source=FileSource(str(tmp_path / "data.parquet")),
        timestamp="ts",
        reference=REFERENCES[reference],
        timezone=ZoneInfo("UTC"),
        period=Period.parse("1d"),
        start=START + REFERENCE_DAYS * DAY,
        keep=KEEP_DAYS * DAY,
        document={"source": {"path": "data.parquet"}, "reference": reference},
    )


def check(store: Store, monitor: Monitor, day: int) -> list[WindowResult]:
    results = list(run_all(store, [monitor], worker=Worker("test"), now=lambda: START + day * DAY))
    assert all(isinstance(one, WindowResult) for one in results), results
    return [one for one in results if isinstance(one, WindowResult)]


def test_later_windows_are_judged_as_without_pruning(tmp_path: Path, sqlite_url: str) -> None:
    """The kept windows are all that the rolling reference uses: nothing drifts, so no older window is needed."""
    monitor = make_monitor(tmp_path, "rolling")
    with Store.open(sqlite_url) as store, Store.open(f"sqlite:///{tmp_path / 'whole.db'}") as whole:
        for one in (store, whole):
            check(one, monitor, PRUNED)
        assert prune_monitors(store, [monitor], START + PRUNED * DAY) == PRUNED - REFERENCE_DAYS - KEEP_DAYS
        after = [check(one, monitor, DAYS) for one in (store, whole)]
        assert [one.window for one in after[0]] == [one.window for one in after[1]]
        assert [one.outcome.judged for one in after[0]] == [one.outcome.judged for one in after[1]]
        assert {one.outcome.judged["reference"] for one in after[0] if one.outcome.judged} == {"rolling"}
        since = START + PRUNED * DAY
        assert store.queries.scores(since=since) == whole.queries.scores(since=since) != []


@pytest.mark.parametrize("reference", REFERENCES)
def test_readers_of_the_past_use_what_is_left(reference: str, tmp_path: Path, sqlite_url: str) -> None:
    monitor = make_monitor(tmp_path, reference)
    with Store.open(sqlite_url) as store:
        check(store, monitor, PRUNED)
        prune_monitors(store, [monitor], START + PRUNED * DAY)
        known = store.monitors.find("m")
        assert known is not None
        baseline = current_reference(store, monitor, known.monitor_id)
        assert baseline is not None
        replay = replay_windows(
            monitor, baseline, load_stored_windows(store, monitor), lambda w, part: window_rng("m", w, part)
        )
        assert [window.start for window in replay.windows] == [
            START + d * DAY for d in range(PRUNED - KEEP_DAYS, PRUNED)
        ]
        with pytest.raises(StoreError) as error:
            load_stored_windows(store, monitor, until=START + (PRUNED - KEEP_DAYS) * DAY)
        assert error.value.code == "histograms-dropped"

        prune_monitors(store, [replace(monitor, keep=DAY)], START + 90 * DAY)
        with pytest.raises(StoreError) as error:
            load_stored_windows(store, monitor)
        assert error.value.code == "histograms-dropped"
        page = page_from_store(store, "m", now=START + 90 * DAY)
        assert len(page.timeline) == PRUNED - REFERENCE_DAYS
        assert page.columns == ()
        assert "<html" in render(page, "html")
        assert next_reference(store, monitor, baseline, START + 90 * DAY).segments
        assert len(check(store, monitor, DAYS)) == DAYS - PRUNED
