"""What a person or a machine is told about a window: events, grouped into one message. Deterministic, strict JSON."""

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

VERSION: Final = 1
MAX_LINE_LENGTH: Final = 500  # characters of a message; a category's name can be a whole document
_IDS: Final = UUID("d4402672-cb49-5e83-b5bf-0c4c6bdd8df5")  # uuid5(NAMESPACE_DNS, "driftgauge"): never to change

_HEADLINES: Final[Mapping[str, str]] = {
    "drift": "drifted",
    "warn": "near the threshold",
    "schema": "with a changed schema",
    "error": "that could not be counted",
    "not_comparable": "not comparable",
    "insufficient": "with too few rows to tell",
}


def one_line(text: str, longest: int = MAX_LINE_LENGTH) -> str:
    """Text that is safe in a line of a message: nothing unprintable, no more than `longest` characters."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(printable.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


@dataclass(frozen=True, slots=True)
class Event:
    """One alert that turned.

    Parameters
    ----------
    id : str
        Stable over retries: the same turn of the same alert, by the same revision, has the same one.
    transition : Transition
        What turned, and why.
    result : ColumnResult or None
        The column's result; None where the event is about the window as a whole.
    note : str
        What became of the window as a whole, for an event about that.
    """

    id: str
    transition: Transition
    result: ColumnResult | None
    note: str = ""

    @property
    def firing(self) -> bool:
        """Whether the alert fires now."""
        return self.transition.after.state is State.FIRING

    @property
    def ratio(self) -> float:
        """How far the column is beyond its limit, which is 1; 0 without a score."""
        return 0.0 if self.result is None else self.result.ratio

    @property
    def message(self) -> str:
        """One line for a person: the column, what it did, which bins moved."""
        turn, about = self.transition, self.transition.fingerprint
        subject = f"{about.column or 'window'} [{about.segment}]" if about.segment else about.column or "window"
        parts = [subject]
        if not self.firing:
            parts.append(f"{turn.after.state.value}, {turn.reason}")
        elif turn.after.bad > 1:
            parts.append(turn.reason)
        told = self.result.message if self.result else self.note
        if not told and self.firing and turn.after.bad == 1:
            told = turn.verdict.value.replace("_", " ")
        if told:
            parts.append(told)
        return one_line(": ".join(parts))

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: no NaN, no infinity.

        Either `threshold` or `level` says what judged: a score at the threshold, a p-value below the level.
        `reference_windows` is how many windows the p-value was learned from; null where it was not.
        """
        about, result = self.transition.fingerprint, self.result
        scored = result.scored if result else None
        return {
            "id": self.id,
            "alert": about.digest,
            "column": about.column,
            "segment": about.segment,
            "rule": about.rule,
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
    """What one window of one monitor has to tell: everything that began to fire or is resolved.

    Parameters
    ----------
    id : str
        Stable over retries; receivers discard a repeat by it.
    monitor : str
        The monitor's name.
    window : Window
        The window that was checked.
    revision : int
        Which check of that window.
    events : tuple of Event
        Those that notify, the worst first.
    labels : mapping of str to str
        The user's labels.
    runbook : str or None
        The user's link.
    link : str or None
        Where the monitor's page shows this window.
    """

    id: str
    monitor: str
    window: Window
    revision: int
    events: tuple[Event, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    runbook: str | None = None
    link: str | None = None

    @property
    def status(self) -> str:
        """`firing` where any event fires, else `resolved`."""
        return "firing" if any(e.firing for e in self.events) else "resolved"

    @property
    def title(self) -> str:
        """One line: ``bikes: 3 columns drifted, 1 resolved (2011-06-06T00:00Z to 2011-06-13T00:00Z)``."""
        columns: dict[str, set[str]] = {}
        parts = []
        for about in (e.transition.fingerprint for e in self.events if e.firing):
            if about.column:
                columns.setdefault(about.rule, set()).add(about.column)
            else:
                parts.append("no data" if about.rule == "no_data" else "could not be checked")
        for rule, names in columns.items():
            parts.append(f"{len(names)} column{'s' * (len(names) > 1)} {_HEADLINES.get(rule, rule)}")
        if calmed := sum(not e.firing for e in self.events):
            parts.append(f"{calmed} resolved")
        return one_line(f"{self.monitor}: {', '.join(parts)} ({self.window})")

    def to_dict(self) -> dict[str, Any]:
        """What channels are given, and the store keeps: strict JSON."""
        return {
            "version": VERSION,
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
    """One event for each alert that turned, in the order of the transitions.

    Parameters
    ----------
    transitions : iterable of Transition
        What `drift.monitors.alert_rules.transitions` gave.
    results : mapping of (segment, column) to ColumnResult
        What became of each column.
    monitor : str
        The monitor's name.
    window : Window
        The window that was checked.
    revision : int
        Which check of that window.
    note : str
        What became of the window as a whole, such as why it could not be read: told by events about that.
    """
    named = {(segment, column or UNNAMED): result for (segment, column), result in results.items()}
    found = []
    for turn in transitions:
        if turn.changed:
            about = turn.fingerprint
            name = _stable_id("event", monitor, window, revision, about.digest, turn.after.state.value)
            found.append(Event(name, turn, named.get((about.segment, about.column)), "" if about.column else note))
    return tuple(found)


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
    """The one message of a window, or None where nothing began to fire or is resolved.

    Parameters
    ----------
    monitor : str
        The monitor's name.
    window : Window
        The window that was checked.
    revision : int
        Which check of that window.
    events : iterable of Event
        All of them; those that do not notify are left out.
    labels : mapping of str to str, optional
        Sent along.
    runbook : str, optional
        A link sent along.
    page : str, optional
        Where `drift serve` is reached: the message then bears a link to the monitor's page.
    """
    told = sorted((e for e in events if e.transition.notifies), key=_by_urgency)
    if not told:
        return None
    name = _stable_id("notification", monitor, window, revision)
    link = None if page is None else page.rstrip("/") + page_path(monitor, window.start)
    return Notification(name, monitor, window, revision, tuple(told), dict(labels or {}), runbook, link)


def page_path(monitor: str, start: datetime | None = None) -> str:
    """Where `drift serve` has the page of a monitor: the newest windows, or those up to the one that starts then."""
    path = f"/monitors/{quote(monitor, safe='')}"
    return path if start is None else f"{path}?window={format_instant(start)}"


def _by_urgency(event: Event) -> tuple[bool, bool, int, float, str, str, str]:
    turn, about = event.transition, event.transition.fingerprint
    place = (about.column, about.segment, about.rule)
    return (not event.firing, about.rule != "drift", -severity(turn.verdict), -event.ratio, *place)


def _stable_id(kind: str, monitor: str, window: Window, revision: int, *rest: str) -> str:
    parts = (kind, monitor, str(window), str(revision), *rest)
    # A lone surrogate in a name cannot be UTF-8, which uuid5 asks for; escaped, it can.
    return str(uuid5(_IDS, "\x1f".join(parts).encode("ascii", "backslashreplace").decode()))


def _finite(number: float | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None
