"""Named steps of a run, for tests that end a process at one of them: the hook of `tests/faults`, and nothing else.

Without the environment variable DRIFT_STOP_AT a step costs one look into a dict. With it (``claimed``, ``claimed:3``
for the third passing, ``claimed:3:SIGSTOP`` for another signal than SIGKILL) the process sends itself that signal:
no handler, no `finally` and no `atexit` runs, as when the machine loses its power.
"""

import os
import signal
from collections import Counter
from typing import Final

STEPS: Final = (
    "opened",  # the store is open
    "planning",  # the monitor is defined, its windows are not planned
    "planned",
    "freezing",  # the reference is counted, not kept
    "frozen",
    "claimed",  # a window is held
    "counted",
    "compared",
    "ending",  # within the transaction: the claim is ended ...
    "revision",  # ... and this is to be written next
    "profiles",
    "scores",
    "alerts",
    "events",
    "notification",
    "committing",  # any transaction that writes is whole, and not committed
    "committed",
    "taken",  # a delivery is this sender's
    "sent",  # the receiver has it, the store does not know
    "marked",
)
"""Every step, in the order of a run."""

_passed: Counter[str] = Counter()


def step(name: str) -> None:
    """Pass a step; end here where DRIFT_STOP_AT says so.

    Parameters
    ----------
    name : str
        One of `STEPS`.
    """
    wanted = os.environ.get("DRIFT_STOP_AT")
    if wanted is None:
        return
    _passed[name] += 1
    if wanted.startswith(name):
        where, _, rest = wanted.partition(":")
        passing, _, how = rest.partition(":")
        if where == name and _passed[name] == int(passing or 1):
            os.kill(os.getpid(), signal.Signals[how or "SIGKILL"])
