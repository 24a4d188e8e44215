"""Time limits for work on a source: work that exceeds its deadline is abandoned in its own thread."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from drift.errors import SourceError

MAX_ABANDONED_THREADS: Final = 3
"""Abandoned threads of one monitor that may still run. Threads cannot be stopped from outside."""

ResultT = TypeVar("ResultT")


class EvaluationTimeout(SourceError):  # noqa: N818 - reads as what happened
    """The work exceeded its deadline and was abandoned."""

    default_code = "evaluation-timeout"


def run_with_timeout(deadline: timedelta, monitor: str, task: str, work: Callable[[], ResultT]) -> ResultT:
    """Run some work in its own thread and return its result, waiting no longer than a deadline.

    Abandoned work goes on until it ends or the process exits. It holds no claim, and its result is discarded. `task`
    names the work in messages, such as ``counting``. Exceptions of the work are raised here.

    Raises
    ------
    EvaluationTimeout
        If the work exceeds its deadline, or if `MAX_ABANDONED_THREADS` threads of this monitor are still running.
    SourceError
        If no thread can be started.
    """
    name = f"drift-work-{monitor}"
    if sum(thread.name == name for thread in threading.enumerate()) >= MAX_ABANDONED_THREADS:
        raise EvaluationTimeout(
            f"{task} was not started: {MAX_ABANDONED_THREADS} earlier attempts are still running; "
            "check the source, then restart drift",
            code="evaluation-timeout",
        )
    results: list[ResultT] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by the waiting thread
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        reason = f"the system could not start a thread ({error}); check the limits of this process"
        raise SourceError(f"{task} was not started: {reason}", code="thread-not-started") from error
    thread.join(min(deadline.total_seconds(), threading.TIMEOUT_MAX))
    if errors:
        raise errors[0]
    if not results:
        message = f"{task} exceeded its deadline of {deadline}; check the source, or configure a longer `deadline`"
        raise EvaluationTimeout(message, code="evaluation-timeout")
    return results[0]
