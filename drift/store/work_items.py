"""Windows as workers see them: planned, leased, claimed, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store.dimension_keys import sha256

CHECK: Final = "check"
"""Value of `window.kind`."""

BACKFILL: Final = "backfill"
"""Value of `window.cause`: requested by `drift backfill` before the first check. Such a window is never skipped."""

LATE: Final = "late"
"""Value of `window.cause`: a re-check is due because the source has changed."""

ABANDONED: Final = "given_up"
"""Key in `revision.source`: nothing was read of the window, so that it is not re-checked."""


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """A window that is due (since `due_at`), and the work to do (`kind`: `check`).

    `attempts` counts those begun; `crashes` those of them that ended without a result: the lease expired, or the worker
    was found dead. With `is_recheck`, the window was checked before.
    """

    id: int
    window: Window
    kind: str
    due_at: datetime
    attempts: int
    is_recheck: bool = False
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class LeasedWindow:
    """A window that a worker (`owner`) is checking until the end of its lease, with the fencing token of the claim."""

    window_id: int
    window: Window
    token: int
    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write the outcome of one window."""

    window_id: int
    monitor_id: int
    monitor: str
    definition_id: int
    window: Window
    kind: str  # the work: `check`
    token: int  # fencing token: the newest claim has the largest
    # 1 for the first attempt since the window became due. Released attempts do not count.
    attempt: int
    revision: int  # number of the revision that this claim writes
    previous_verdict: Verdict | None = None  # verdict of the newest revision; None before the first
    is_recheck: bool = False  # a re-check: write a revision only if the rows differ
    is_backfill: bool = False  # requested by `drift backfill` before the first check
    failures: int = 0  # earlier attempts that ended with the verdict `error`

    @property
    def crashes(self) -> int:
        """Earlier attempts that ended without a result: the lease expired, or the worker was found dead."""
        return self.attempt - 1 - self.failures


@dataclass(frozen=True, slots=True)
class CheckedWindow:
    """A window that was checked, with its rows and the fingerprint of its source then (`Source.provenance`).

    `rechecked_digest` is the digest of the source at the last re-check (`source_digest`); None without a re-check since
    the count.
    """

    id: int
    window: Window
    rechecked_digest: str | None
    source: Mapping[str, Any]
    rows: int


def source_digest(source: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a source's fingerprint (`Source.provenance`)."""
    return sha256(dict(source))
