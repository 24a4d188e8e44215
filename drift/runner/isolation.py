"""Turns: a window that workers were lost over is worked on alone, so that whatever kills the process dies alone.

Several windows are in hand at once, and who kills the process takes the others with it: without this, one monitor's
window would use up the attempts of all that happened to be beside it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ISOLATE_AFTER_CRASHES: Final = 3
"""Lost attempts from which on a window is worked on alone."""

MAX_TURN_SECONDS: Final = 60.0
"""Seconds that others are held back: so long at most for what is in hand to end, and for what is alone."""

STOP_POLL_SECONDS: Final = 0.5  # seconds from one look at `stopping` to the next


class Turns:
    """Who may begin, in one process. Nobody waits here with a claim in hand, which could be lost."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._begun: dict[object, float] = {}  # when what is in hand was begun, by `time.monotonic`
        self._alone: object | None = None
        self._asking = 0  # how many wait to be alone

    @contextmanager
    def exclusive_turn(self, *, alone: bool, stopping: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a turn, and have it until the body is through.

        Parameters
        ----------
        alone : bool
            Whether nothing may be in hand, and nothing else may begin for the first minute. Where something in hand
            takes longer than that, there is no turn: it may hang, and would hold up all others.
        stopping : callable
            Where it says yes, there is no turn either.

        Yields
        ------
        bool
            Whether it is one's turn.
        """
        this = object()
        if not (self._wait_alone(this, stopping) if alone else self._wait(this, stopping)):
            yield False
            return
        try:
            yield True
        finally:
            with self._changed:
                del self._begun[this]
                self._alone = None if self._alone is this else self._alone
                self._changed.notify_all()

    def _wait(self, this: object, stopping: Callable[[], bool]) -> bool:
        with self._changed:
            while not stopping():
                if not self._asking and (self._alone is None or self._age(self._alone) >= MAX_TURN_SECONDS):
                    self._begun[this] = time.monotonic()
                    return True
                self._changed.wait(STOP_POLL_SECONDS)
            return False

    def _wait_alone(self, this: object, stopping: Callable[[], bool]) -> bool:
        with self._changed:
            self._asking += 1
            try:
                while not stopping():
                    if not self._begun:
                        self._begun[this], self._alone = time.monotonic(), this
                        return True
                    if any(self._age(one) >= MAX_TURN_SECONDS for one in self._begun):
                        return False
                    self._changed.wait(STOP_POLL_SECONDS)
                return False
            finally:
                self._asking -= 1
                self._changed.notify_all()

    def _age(self, one: object) -> float:
        return time.monotonic() - self._begun[one]


exclusive_turn = Turns().exclusive_turn
"""Of this process."""
