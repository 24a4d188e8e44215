"""Failpoints: named steps of a run at which tests end the process. Used by the fault suite (`tests/faults`) only.

Without the environment variable DRIFT_STOP_AT, a failpoint costs one dict lookup. With it (``claimed``, ``claimed:3``
for the third time, ``claimed:3:SIGSTOP`` for another signal than SIGKILL), the process sends itself that signal: no
handler, no `finally` and no `atexit` runs, as in a power failure.
"""

import os
import signal
from collections import Counter
from typing import Final

FAILPOINTS: Final = (
    "opened",  # the store is open
    "planning",  # the monitor is defined; its windows are not planned
    "planned",
    "freezing",  # the reference is counted, not stored
    "frozen",
    "claimed",  # this worker has the lease of a window
    "counted",
    "compared",
    "ending",  # within the transaction: the claim has ended ...
    "revision",  # ... and this is written next
    "profiles",
    "scores",
    "alerts",
    "events",
    "notification",
    "committing",  # any writing transaction is complete but not committed
    "committed",
    "taken",  # this sender has the lease of a delivery
    "sent",  # the receiver has the message; the store does not know
    "marked",
)
"""Every failpoint, in the order of a run."""

_times_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Pass a failpoint; send this process the signal if DRIFT_STOP_AT names this failpoint and time.

    Parameters
    ----------
    name : str
        One of `FAILPOINTS`.
    """
    armed = os.environ.get("DRIFT_STOP_AT")
    if armed is None:
        return
    _times_reached[name] += 1
    if armed.startswith(name):
        failpoint, _, rest = armed.partition(":")
        times, _, signal_name = rest.partition(":")
        if failpoint == name and _times_reached[name] == int(times or 1):
            os.kill(os.getpid(), signal.Signals[signal_name or "SIGKILL"])
