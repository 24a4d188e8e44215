"""The outcome of checking one window, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from drift.monitors.alert_state import Transition
from drift.monitors.comparison import SegmentResult
from drift.monitors.verdict import Verdict


class StorableEvent(Protocol):
    """An event to store, such as `drift.notify.message.Event`."""

    @property
    def id(self) -> str:
        """Identifier, stable over retries."""

    @property
    def transition(self) -> Transition:
        """The state change of the alert."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return strict JSON."""


class StorableNotification(Protocol):
    """A notification to store, such as `drift.notify.message.Notification`."""

    @property
    def id(self) -> str:
        """Identifier, stable over retries."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return strict JSON."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that the check of a window writes.

    Parameters
    ----------
    rows : int
        Rows of the window.
    verdict : Verdict
        Verdict of the window.
    message : str
        One line for people.
    source : mapping
        Fingerprint of the data read; strict JSON.
    baseline_id : int or None
        Key of the reference it was compared with.
    segments : tuple of SegmentResult
        Profiles and results.
    transitions : tuple of Transition
        Every alert decided on, changed or not.
    events : tuple of StorableEvent
        One for each alert that changed.
    notification : StorableNotification or None
        Message to send.
    channels : tuple of str
        Channels to send it to.
    retry_at : datetime or None
        When to check the window again, as a further revision; None: it is done.
    judged : mapping or None
        How the scores were judged; strict JSON.
    code : str
        Stable code of the message; empty if it has none.
    """

    rows: int
    verdict: Verdict
    message: str
    source: Mapping[str, Any]
    baseline_id: int | None
    segments: tuple[SegmentResult, ...] = ()
    transitions: tuple[Transition, ...] = ()
    events: tuple[StorableEvent, ...] = ()
    notification: StorableNotification | None = None
    channels: tuple[str, ...] = ()
    retry_at: datetime | None = None
    judged: Mapping[str, Any] | None = None
    code: str = ""

    @property
    def reference_moves(self) -> bool:
        """Whether the reference is more than the frozen one: its counts are then stored with the scores."""
        return self.judged is not None and self.judged.get("reference") in {"rolling", "seasonal"}
