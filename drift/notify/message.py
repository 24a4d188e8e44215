"""Events of a window, grouped into one notification. Deterministic, strict JSON."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid5

from drift.monitors.alert_state import UNNAMED, State, Transition
from drift.monitors.comparison import ColumnResult
from drift.monitors.verdict import severity
from drift.monitors.window import Window, format_instant
from drift.notify.text import one_line

MESSAGE_VERSION: Final = 1
_IDS: Final = UUID("d4402672-cb49-5e83-b5bf-0c4c6bdd8df5")  # uuid5(NAMESPACE_DNS, "driftgauge"): never change it

_HEADLINES: Final[Mapping[str, str]] = {
    "drift": "drifted",
    "warn": "near the threshold",
    "schema": "with a changed schema",
    "error": "could not be evaluated",
    "not_comparable": "not comparable",
    "insufficient": "with too few rows",
}


@dataclass(frozen=True, slots=True)
class Event:
    """A change of state of one alert."""

    id: str  # stable over retries: the same for the same transition of the same alert by the same revision
    transition: Transition  # the states before and after, and the reason
    result: ColumnResult | None  # the column's result; None for an event about the whole window
    note: str = ""  # the message of the whole window, for an event about that

    @property
    def firing(self) -> bool:
        """Whether the alert is firing now."""
        return self.transition.after.state is State.FIRING

    @property
    def ratio(self) -> float:
        """The score relative to its limit (1.0 = drift); 0 without a score."""
        return 0.0 if self.result is None else self.result.ratio

    @property
    def message(self) -> str:
        """One line: the column, why its state changed, its result."""
        transition, fingerprint = self.transition, self.transition.fingerprint
        subject = fingerprint.column or "window"
        parts = [f"{subject} [{fingerprint.segment}]" if fingerprint.segment else subject]
        if not self.firing:
            parts.append(f"{transition.after.state.value}, {transition.reason}")
        elif transition.after.bad > 1:
            parts.append(transition.reason)
        detail = self.result.message if self.result else self.note
        if not detail and self.firing and transition.after.bad == 1:
            detail = transition.verdict.value.replace("_", " ")
        if detail:
            parts.append(detail)
        return one_line(": ".join(parts))

    def to_dict(self) -> dict[str, Any]:
        """Return strict JSON: no NaN, no infinity.

        One of `threshold` and `level` decided: a score at the threshold, or a p-value below the level.
        `reference_windows` counts the windows the p-value was learned from; null if it was not learned.
        """
        fingerprint, result = self.transition.fingerprint, self.result
        scored = result.scored if result else None
        return {
            "id": self.id,
            "alert": fingerprint.digest,
            "column": fingerprint.column,
            "segment": fingerprint.segment,
            "rule": fingerprint.rule,
            "state": self.transition.after.state.value,
            "verdict": self.transition.verdict.value,
            "reason": self.transition.reason,
            "message": self.message,
            "metric": scored.method.metric if scored else None,
            "score": _finite(result.score if result else None),
            "threshold": _finite(result.threshold.drift if result and result.threshold else None),
            "noise_floor": _finite(result.noise_floor if result else None),
            "p_value": _finite(result.p_value if result else None),
            "level": _finite(result.level if result else None),
            "reference_windows": result.windows if result else None,
            "bins": [
                {"label": b.label, "reference": b.reference, "live": b.live, "contribution": _finite(b.contribution)}
                for b in (result.moved_bins() if result else ())
            ],
        }


@dataclass(frozen=True, slots=True)
class Notification:
    """The message about one window of one monitor: all alerts that began to fire or were resolved."""

    id: str  # stable over retries; receivers discard repeats by it
    monitor: str
    window: Window
    revision: int  # number of the evaluation of that window, from 1
    events: tuple[Event, ...]  # those that notify, the worst first
    labels: Mapping[str, str] = field(default_factory=dict)  # the user's labels
    runbook: str | None = None  # the user's link
    link: str | None = None  # URL of this window on the monitor's page

    @property
    def status(self) -> str:
        """`firing` if any event is firing, else `resolved`."""
        return "firing" if any(e.firing for e in self.events) else "resolved"

    @property
    def title(self) -> str:
        """One line: ``bikes: 3 columns drifted, 1 resolved (2011-06-06T00:00Z to 2011-06-13T00:00Z)``."""
        columns: dict[str, set[str]] = {}
        parts = []
        for fingerprint in (e.transition.fingerprint for e in self.events if e.firing):
            if fingerprint.column:
                columns.setdefault(fingerprint.rule, set()).add(fingerprint.column)
            else:
                parts.append("no data" if fingerprint.rule == "no_data" else "window could not be evaluated")
        for rule, names in columns.items():
            parts.append(f"{len(names)} column{'s' * (len(names) > 1)} {_HEADLINES.get(rule, rule)}")
        if resolved := sum(not e.firing for e in self.events):
            parts.append(f"{resolved} resolved")
        return one_line(f"{self.monitor}: {', '.join(parts)} ({self.window})")

    def to_dict(self) -> dict[str, Any]:
        """Return strict JSON: the payload that channels send and the store keeps."""
        return {
            "version": MESSAGE_VERSION,
            "id": self.id,
            "monitor": self.monitor,
            "status": self.status,
            "title": self.title,
            "window": {"start": format_instant(self.window.start), "end": format_instant(self.window.end)},
            "revision": self.revision,
            "labels": dict(self.labels),
            "runbook": self.runbook,
            "link": self.link,
            "events": [e.to_dict() for e in self.events],
        }


def make_events(
    transitions: Iterable[Transition],
    results: Mapping[tuple[str, str], ColumnResult],
    monitor: str,
    window: Window,
    revision: int,
    note: str = "",
) -> tuple[Event, ...]:
    """Return one event for each alert whose state changed, in the order of the transitions.

    `results` are those of the columns, by segment and column. `note` is the message of the whole window, such as why it
    could not be read, for events about the whole window.
    """
    by_name = {(segment, column or UNNAMED): result for (segment, column), result in results.items()}
    events = []
    for transition in transitions:
        if transition.changed:
            fingerprint = transition.fingerprint
            state = transition.after.state.value
            event_id = _stable_id("event", monitor, window, revision, fingerprint.digest, state)
            result = by_name.get((fingerprint.segment, fingerprint.column))
            events.append(Event(event_id, transition, result, "" if fingerprint.column else note))
    return tuple(events)


def make_notification(
    monitor: str,
    window: Window,
    revision: int,
    events: Iterable[Event],
    *,
    labels: Mapping[str, str] | None = None,
    runbook: str | None = None,
    page: str | None = None,
) -> Notification | None:
    """Return the one notification of a window, or None if no alert began to fire or was resolved.

    Events that do not notify are left out. With `page`, the address of `drift serve`, the notification links to the
    monitor's page; labels and runbook are sent along.
    """
    notifying = sorted((e for e in events if e.transition.notifies), key=_by_urgency)
    if not notifying:
        return None
    notification_id = _stable_id("notification", monitor, window, revision)
    link = None if page is None else page.rstrip("/") + page_path(monitor, window.start)
    return Notification(notification_id, monitor, window, revision, tuple(notifying), dict(labels or {}), runbook, link)


def page_path(monitor: str, start: datetime | None = None) -> str:
    """Return the path of a monitor's page: its newest windows, or those up to the one that starts at `start`."""
    path = f"/monitors/{quote(monitor, safe='')}"
    return path if start is None else f"{path}?window={format_instant(start)}"


def _by_urgency(event: Event) -> tuple[bool, bool, int, float, str, str, str]:
    fingerprint = event.transition.fingerprint
    place = (fingerprint.column, fingerprint.segment, fingerprint.rule)
    return (not event.firing, fingerprint.rule != "drift", -severity(event.transition.verdict), -event.ratio, *place)


def _stable_id(kind: str, monitor: str, window: Window, revision: int, *rest: str) -> str:
    parts = (kind, monitor, str(window), str(revision), *rest)
    # uuid5 encodes as UTF-8, which has no lone surrogates; escape those in names.
    return str(uuid5(_IDS, "\x1f".join(parts).encode("ascii", "backslashreplace").decode()))


def _finite(number: float | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None
