"""What goes into the store and comes out of it, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from drift.alert import Transition
from drift.comparison import SegmentResult
from drift.errors import StoreError
from drift.histogram import History, Profile
from drift.verdict import Verdict
from drift.window import Window


class LeaseLost(StoreError):  # noqa: N818 - reads as what happened
    """Another worker has this window by now: whatever this one found is not written."""


class AlertsMoved(StoreError):  # noqa: N818 - reads as what happened
    """Alerts stand otherwise than they did when they were decided on: read them again and decide again."""


class Taken(StoreError):  # noqa: N818 - reads as what happened
    """Another sender has this delivery by now, or it is over: how this one fared does not count."""


class Event(Protocol):
    """What the store asks of an event; `drift.notification.Event` is one."""

    @property
    def id(self) -> str:
        """Stable over retries."""

    @property
    def transition(self) -> Transition:
        """The turn of the alert."""

    def to_dict(self) -> Mapping[str, Any]:
        """Strict JSON."""


class Notification(Protocol):
    """What the store asks of a notification; `drift.notification.Notification` is one."""

    @property
    def id(self) -> str:
        """Stable over retries."""

    def to_dict(self) -> Mapping[str, Any]:
        """Strict JSON."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A monitor as it was configured at some time.

    Parameters
    ----------
    id : int
        Of the definition.
    monitor_id : int
        Of the monitor.
    digest : str
        SHA-256 of the document as canonical JSON.
    """

    id: int
    monitor_id: int
    digest: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A reference that is not kept yet; its parts are those of `Baseline`."""

    profiles: Mapping[str, Profile]
    note: Mapping[str, Any]
    windows: tuple[Window, ...] = ()
    histories: Mapping[str, Mapping[str, History]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A frozen reference.

    Parameters
    ----------
    id : int
        Its key.
    profiles : mapping of str to Profile
        By segment; "" is all rows.
    note : mapping
        How it came about.
    created_at : datetime
        When it was frozen.
    windows : tuple of Window
        The windows that it was counted by, besides as a whole, in the order of time; not all of it need lie in
        one. Empty where it has no windows.
    histories : mapping of str to mapping of str to History
        The counts of those windows by segment, then column. A column that could not be counted in each has none.
    """

    id: int
    profiles: Mapping[str, Profile]
    note: Mapping[str, Any]
    created_at: datetime
    windows: tuple[Window, ...] = ()
    histories: Mapping[str, Mapping[str, History]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What is stored of several checked windows, each by its newest revision.

    Parameters
    ----------
    windows : tuple of Window
        In the order of time.
    histories : mapping of str to mapping of str to History
        By segment, then column. A row of zeros is a window without rows, or one in which the column was not counted
        on the axis that the newest of these windows has.
    drifted : mapping of str to mapping of str to ndarray of bool, shape (windows,)
        As `histories`: whether it was an incident (`drift.comparison.ColumnResult.incident`).
    """

    windows: tuple[Window, ...]
    histories: Mapping[str, Mapping[str, History]]
    drifted: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]]


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """A window that waits to be checked.

    Parameters
    ----------
    id : int
        Its key.
    window : Window
        The interval.
    kind : str
        What is to be done with it: `check`.
    due_at : datetime
        When it became due.
    attempts : int
        How often it was begun.
    late : bool
        It was checked before, and waits for a second look.
    lost : int
        How many of its attempts came to no end: the lease ran out, or the worker was found dead.
    """

    id: int
    window: Window
    kind: str
    due_at: datetime
    attempts: int
    late: bool = False
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A window that was checked.

    Parameters
    ----------
    id : int
        Its key.
    window : Window
        The interval.
    seen : str or None
        Digest of what its source looked like when a second look was taken last; None where none was since it was
        counted.
    source : mapping
        What its source looked like when it was counted (`Source.provenance`).
    rows : int
        Rows that were counted.
    """

    id: int
    window: Window
    seen: str | None
    source: Mapping[str, Any]
    rows: int


@dataclass(frozen=True, slots=True)
class Held:
    """A window that a worker is checking.

    Parameters
    ----------
    window_id, token : int
        Its key, and the fencing token of the claim.
    window : Window
        The interval.
    owner : str
        The worker, as it called itself.
    until : datetime
        When its lease ends.
    """

    window_id: int
    window: Window
    token: int
    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write the outcome of one window.

    Parameters
    ----------
    window_id, monitor_id, definition_id : int
        Keys.
    monitor : str
        The monitor's name.
    window : Window
        The interval.
    kind : str
        What is to be done with it: `check`.
    token : int
        Fencing token: the newest claim has the largest.
    attempt : int
        1 for the first since it became due. One that was given back does not count.
    revision : int
        Number of the revision that finishing this claim makes.
    before : Verdict or None
        Of the newest revision there is; None where this is the first.
    late : bool
        It was checked before, and its source has changed since: a revision is due only where it has other rows.
    asked : bool
        It was asked for by hand (`drift backfill`) before it was ever checked.
    failures : int
        How many attempts before this one ended with an `error` verdict.
    """

    window_id: int
    monitor_id: int
    monitor: str
    definition_id: int
    window: Window
    kind: str
    token: int
    attempt: int
    revision: int
    before: Verdict | None = None
    late: bool = False
    asked: bool = False
    failures: int = 0

    @property
    def lost(self) -> int:
        """How many attempts before this one came to no end: the lease ran out, or the worker was found dead."""
        return self.attempt - 1 - self.failures


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that one check of one window leaves behind.

    Parameters
    ----------
    rows : int
        Rows of the window.
    verdict : Verdict
        Of the window.
    message : str
        One line for a person.
    source : mapping
        Fingerprint of what was read; strict JSON.
    baseline_id : int or None
        What it was held against.
    segments : tuple of SegmentResult
        Profiles and results.
    transitions : tuple of Transition
        Every alert decided on, turned or not.
    events : tuple of Event
        One for each alert that turned.
    notification : Notification or None
        What is to be sent.
    channels : tuple of str
        To whom.
    retry_at : datetime or None
        When to check the window again, as one more revision; None: it is done.
    judged : mapping or None
        How its scores were judged; strict JSON.
    """

    rows: int
    verdict: Verdict
    message: str
    source: Mapping[str, Any]
    baseline_id: int | None
    segments: tuple[SegmentResult, ...] = ()
    transitions: tuple[Transition, ...] = ()
    events: tuple[Event, ...] = ()
    notification: Notification | None = None
    channels: tuple[str, ...] = ()
    retry_at: datetime | None = None
    judged: Mapping[str, Any] | None = None

    @property
    def reference_moves(self) -> bool:
        """Whether its columns were held to more than the frozen baseline: the counts are then kept with the scores."""
        return self.judged is not None and self.judged.get("reference") in {"rolling", "seasonal"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending of a notification to a channel that is due.

    Parameters
    ----------
    id : int
        Its key.
    notification_id : str
        Stable over retries: receivers may use it to discard repeats.
    channel : str
        Name of the channel.
    attempts : int
        How often it was tried.
    payload : mapping
        The notification.
    """

    id: int
    notification_id: str
    channel: str
    attempts: int
    payload: Mapping[str, Any]
