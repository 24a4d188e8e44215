"""Re-checks of unchanged windows by the service: all in one tick, and stoppable between two."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drift.server import Scheduler
from drift.server.scheduler import BATCH_WINDOWS
from drift.sources.files import Files
from drift.store import Store

Make = Callable[..., Scheduler]
WINDOWS = 24


@pytest.fixture
def recheck_service(data: Path, make: Make, builders: SimpleNamespace) -> Scheduler:
    """A service that has to re-check all windows."""
    now = builders.FIRST + timedelta(days=builders.DAYS, hours=1)
    monitor = builders.make_monitor(data, window="6h", lookback=timedelta(days=builders.DAYS + 1))
    make(monitor, now=lambda: now).tick()
    os.utime(data, (9, 9))
    return make(monitor, now=lambda: now)


def record_counting(monkeypatch: pytest.MonkeyPatch, first: Callable[[], object]) -> list[int]:
    """Return a list that gets an item for each counted window; call `first` before each."""
    counted: list[int] = []
    original = Files.count

    def count(self: Files, *rest: Any) -> Any:
        counted.append(1)
        first()
        return original(self, *rest)

    monkeypatch.setattr(Files, "count", count)
    return counted


def test_one_tick_rechecks_all_windows(
    recheck_service: Scheduler, store: Store, builders: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = record_counting(monkeypatch, lambda: None)
    recheck_service.tick()
    assert len(counted) == WINDOWS > BATCH_WINDOWS
    assert builders.statuses(store) == ["done"] * WINDOWS


def test_no_recheck_starts_while_stopping(
    recheck_service: Scheduler, store: Store, builders: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    counted = record_counting(monkeypatch, lambda: gate.wait(20))
    tick = threading.Thread(target=recheck_service.tick)
    tick.start()
    builders.wait_for(lambda: counted)
    recheck_service.stop_soon()
    gate.set()
    recheck_service.stop()
    tick.join(20)
    assert len(counted) == 1
    assert builders.statuses(store) == ["done"] + ["due"] * (WINDOWS - 1)
