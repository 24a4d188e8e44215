"""No work may take for ever: what takes longer than its deadline is left behind, in a thread of its own."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from drift.errors import SourceError

MAX_ABANDONED_THREADS: Final = 3
"""Pieces of work on one monitor that may hang at once: no thread can be ended from outside, so no more are begun."""

T = TypeVar("T")


class EvaluationTimeout(SourceError):  # noqa: N818 - reads as what happened
    """Something took longer than its deadline, and is no longer waited for."""


def run_with_timeout(deadline: timedelta, monitor: str, what: str, work: Callable[[], T]) -> T:
    """What some work gives, done in a thread of its own, so that a source which hangs holds up nobody for ever.

    Work that is left behind goes on until it ends by itself or the process does. It holds no claim: whatever it
    finds is dropped.

    Parameters
    ----------
    deadline : timedelta
        How long it may take.
    monitor : str
        For whom.
    what : str
        What it is, as a message says it.
    work : callable
        The work. Whatever it raises is raised here.

    Raises
    ------
    Overdue
        Where it takes longer, or where too much of this monitor hangs already.
    SourceError
        Where the system has no thread left for it.
    """
    name = f"drift-work-{monitor}"
    if sum(thread.name == name for thread in threading.enumerate()) >= MAX_ABANDONED_THREADS:
        raise EvaluationTimeout(
            f"{what} is not begun: {MAX_ABANDONED_THREADS} earlier attempts hang still; see to the source, then restart"
        )
    ended: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            ended.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        told = f"{what} is not begun: no thread could be started ({error}); see to the limits of this process"
        raise SourceError(told) from error
    thread.join(min(deadline.total_seconds(), threading.TIMEOUT_MAX))
    if failed:
        raise failed[0]
    if not ended:
        raise EvaluationTimeout(
            f"{what} took longer than its deadline of {deadline}; see to the source, or give a later deadline"
        )
    return ended[0]
