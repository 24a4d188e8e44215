"""Second looks that find nothing new, as the service takes them: a sign of life each, and told to stop between two."""

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
LOOKS = 24


@pytest.fixture
def looking(data: Path, make: Make, aid: SimpleNamespace) -> Scheduler:
    """A service that has all windows to look at again."""
    now = aid.FIRST + timedelta(days=aid.DAYS, hours=1)
    one = aid.watch(data, window="6h", lookback=timedelta(days=aid.DAYS + 1))
    make(one, now=lambda: now).tick()
    os.utime(data, (9, 9))
    return make(one, now=lambda: now)


def watch_counting(monkeypatch: pytest.MonkeyPatch, first: Callable[[], object]) -> list[int]:
    """How many windows were counted, by one item each; `first` is called before each."""
    counted: list[int] = []
    whole = Files.count

    def count(self: Files, *rest: Any) -> Any:
        counted.append(1)
        first()
        return whole(self, *rest)

    monkeypatch.setattr(Files, "count", count)
    return counted


def test_one_tick_takes_all_second_looks(
    looking: Scheduler, store: Store, aid: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = watch_counting(monkeypatch, lambda: None)
    looking.tick()
    assert len(counted) == LOOKS > BATCH_WINDOWS
    assert aid.statuses(store) == ["done"] * LOOKS


def test_no_further_second_look_is_begun_once_told_to_stop(
    looking: Scheduler, store: Store, aid: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    counted = watch_counting(monkeypatch, lambda: gate.wait(20))
    tick = threading.Thread(target=looking.tick)
    tick.start()
    aid.wait_for(lambda: counted)
    looking.stop_soon()
    gate.set()
    looking.stop()
    tick.join(20)
    assert len(counted) == 1
    assert aid.statuses(store) == ["done"] + ["due"] * (LOOKS - 1)
