"""What one check of one window leaves behind, as plain values: what `writing` writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from drift.monitors.alert_state import Transition
from drift.monitors.comparison import SegmentResult
from drift.monitors.verdict import Verdict


class Event(Protocol):
    """What the store asks of an event; `drift.notify.message.Event` is one."""

    @property
    def id(self) -> str:
        """Stable over retries."""

    @property
    def transition(self) -> Transition:
        """The turn of the alert."""

    def to_dict(self) -> Mapping[str, Any]:
        """Strict JSON."""


class Notification(Protocol):
    """What the store asks of a notification; `drift.notify.message.Notification` is one."""

    @property
    def id(self) -> str:
        """Stable over retries."""

    def to_dict(self) -> Mapping[str, Any]:
        """Strict JSON."""


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
    events: tuple[Event, ...] = ()
    notification: Notification | None = None
    channels: tuple[str, ...] = ()
    retry_at: datetime | None = None
    judged: Mapping[str, Any] | None = None
    code: str = ""

    @property
    def reference_moves(self) -> bool:
        """Whether its columns were held to more than the frozen baseline: the counts are then kept with the scores."""
        return self.judged is not None and self.judged.get("reference") in {"rolling", "seasonal"}
