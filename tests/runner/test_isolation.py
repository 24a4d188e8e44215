"""Turns: what may kill the process is alone in it, and what hangs holds up nobody for long."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from drift.runner.isolation import Turns


class Work(threading.Thread):
    """Wants a turn, and has it until it is told to end."""

    def __init__(self, turns: Turns, *, alone: bool) -> None:
        super().__init__(daemon=True)
        self._turns, self._alone = turns, alone
        self.got: bool | None = None
        self.told, self.enough = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._turns.exclusive_turn(alone=self._alone, stopping=self.enough.is_set) as got:
            self.got = got
            self.told.set()
            if got:
                self.enough.wait(20)

    def end(self) -> None:
        self.enough.set()
        self.join(20)


Begin = Callable[..., Work]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begins work; all of it ends with the test."""
    turns, begun = Turns(), list[Work]()

    def one(*, alone: bool = False) -> Work:
        begun.append(Work(turns, alone=alone))
        return begun[-1]

    yield one
    for work in begun:
        work.end()


@contextmanager
def slow_after(seconds: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("drift.runner.isolation.MAX_TURN_SECONDS", seconds)
        yield


def waits(work: Work) -> bool:
    return not work.told.wait(0.2)


def test_ordinary_work_goes_side_by_side(begin: Begin) -> None:
    assert [begin().told.wait(20) for _ in range(3)] == [True] * 3


def test_who_is_to_be_alone_waits_for_what_is_in_hand_and_holds_back_the_rest(begin: Begin) -> None:
    first = begin()
    assert first.told.wait(20)
    alone = begin(alone=True)
    assert waits(alone)
    other, rival = begin(), begin(alone=True)
    assert waits(other)
    first.end()
    until = time.monotonic() + 20
    while not (alone.got or rival.got) and time.monotonic() < until:
        time.sleep(0.01)
    now, then = (alone, rival) if alone.got else (rival, alone)
    assert waits(other)
    assert (now.got, then.got) == (True, None)
    now.end()
    assert then.told.wait(20)
    assert waits(other)
    then.end()
    assert other.told.wait(20)
    assert other.got


def test_others_are_held_back_for_a_while_only(begin: Begin) -> None:
    with slow_after(0.6):
        alone = begin(alone=True)
        assert alone.told.wait(20)
        other = begin()
        assert waits(other)
        assert other.told.wait(20)
        assert other.got


def test_nobody_is_alone_beside_what_hangs(begin: Begin) -> None:
    with slow_after(0.3):
        hangs = begin()
        assert hangs.told.wait(20)
        time.sleep(0.4)
        alone = begin(alone=True)
        assert alone.told.wait(20)
        assert alone.got is False
        assert begin().told.wait(20), "nor is anybody held back by it"


@pytest.mark.parametrize("alone", [False, True])
def test_told_to_stop_nobody_begins(begin: Begin, alone: bool) -> None:
    first = begin(alone=True)
    assert first.told.wait(20)
    work = begin(alone=alone)
    assert waits(work)
    work.end()
    assert work.got is False
