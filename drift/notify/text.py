"""The plain-text form of a notification, for consoles, logs and e-mail."""

from collections.abc import Mapping
from typing import Any, Final

from drift.notify.message import one_line

MAX_EVENTS: Final = 20


def to_text(payload: Mapping[str, Any], *, most: int = MAX_EVENTS) -> str:
    """The title, then one line for each event (the worst first, as they come), then labels and links.

    Parameters
    ----------
    payload : mapping
        The dict form of a notification.
    most : int
        Events shown; the rest is counted in one line.
    """
    events = payload["events"]
    # Names come from data: nothing may reach a terminal that moves its cursor or forges a line.
    lines = [one_line(f"[{payload['status'].upper()}] {payload['title']}")]
    lines += [f"  {_mark(e)} {one_line(e['message'])}" for e in events[:most]]
    if len(events) > most:
        lines.append(f"... and {len(events) - most} more")
    if payload["labels"]:
        lines.append(one_line("labels: " + ", ".join(f"{k}={v}" for k, v in payload["labels"].items())))
    if payload["runbook"]:
        lines.append(one_line(f"runbook: {payload['runbook']}", longest=2000))
    if payload.get("link"):  # what was written by an older drift and not delivered yet has no such key
        lines.append(one_line(f"page: {payload['link']}", longest=2000))
    return "\n".join(lines)


def _mark(event: Mapping[str, Any]) -> str:
    return "*" if event["state"] == "firing" else "-"
