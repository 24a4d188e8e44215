"""Isolation: work that may crash the process runs alone; work that hangs blocks others for a limited time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from drift.runner.isolation import Isolation


class Work(threading.Thread):
    """Requests a slot, and keeps it until `end` is called."""

    def __init__(self, isolation: Isolation, *, exclusive: bool) -> None:
        super().__init__(daemon=True)
        self._isolation, self._exclusive = isolation, exclusive
        self.granted: bool | None = None
        self.answered, self.end_work = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._isolation.work_slot(exclusive=self._exclusive, stopping=self.end_work.is_set) as granted:
            self.granted = granted
            self.answered.set()
            if granted:
                self.end_work.wait(20)

    def end(self) -> None:
        self.end_work.set()
        self.join(20)


Start = Callable[..., Work]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start work; all of it ends with the test."""
    isolation, started = Isolation(), list[Work]()

    def one(*, exclusive: bool = False) -> Work:
        started.append(Work(isolation, exclusive=exclusive))
        return started[-1]

    yield one
    for work in started:
        work.end()


@contextmanager
def slow_after(seconds: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("drift.runner.isolation.MAX_EXCLUSIVE_SECONDS", seconds)
        yield


def is_waiting(work: Work) -> bool:
    return not work.answered.wait(0.2)


def test_ordinary_work_runs_concurrently(start: Start) -> None:
    assert [start().answered.wait(20) for _ in range(3)] == [True] * 3


def test_exclusive_work_waits_for_running_work_and_blocks_new_work(start: Start) -> None:
    first = start()
    assert first.answered.wait(20)
    exclusive = start(exclusive=True)
    assert is_waiting(exclusive)
    other, second = start(), start(exclusive=True)
    assert is_waiting(other)
    first.end()
    until = time.monotonic() + 20
    while not (exclusive.granted or second.granted) and time.monotonic() < until:
        time.sleep(0.01)
    running, waiting = (exclusive, second) if exclusive.granted else (second, exclusive)
    assert is_waiting(other)
    assert (running.granted, waiting.granted) == (True, None)
    running.end()
    assert waiting.answered.wait(20)
    assert is_waiting(other)
    waiting.end()
    assert other.answered.wait(20)
    assert other.granted


def test_exclusive_work_blocks_others_for_a_limited_time(start: Start) -> None:
    with slow_after(0.6):
        exclusive = start(exclusive=True)
        assert exclusive.answered.wait(20)
        other = start()
        assert is_waiting(other)
        assert other.answered.wait(20)
        assert other.granted


def test_exclusive_work_is_refused_beside_work_that_hangs(start: Start) -> None:
    with slow_after(0.3):
        hanging = start()
        assert hanging.answered.wait(20)
        time.sleep(0.4)
        exclusive = start(exclusive=True)
        assert exclusive.answered.wait(20)
        assert exclusive.granted is False
        assert start().answered.wait(20), "it does not block others either"


@pytest.mark.parametrize("exclusive", [False, True])
def test_no_work_starts_while_stopping(start: Start, exclusive: bool) -> None:
    first = start(exclusive=True)
    assert first.answered.wait(20)
    work = start(exclusive=exclusive)
    assert is_waiting(work)
    work.end()
    assert work.granted is False
