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

    `message` is one line for people, `code` its stable code (empty if it has none). `source` is the fingerprint of the
    data read, `judged` how the scores were judged, both strict JSON. `baseline_id` is the key of the reference that the
    window was compared with. `transitions` has every alert decided on, changed or not; `events` has one for each that
    changed. At `retry_at` the window is checked again, as a further revision; None: it is done.
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
