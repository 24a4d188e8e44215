"""The plain-text form of a notification, for consoles, logs and e-mail."""

from collections.abc import Mapping
from typing import Any, Final

MAX_EVENTS: Final = 20
MAX_LINE_LENGTH: Final = 500  # characters; the name of a category can be a whole document


def one_line(text: str, limit: int = MAX_LINE_LENGTH) -> str:
    """Return text as one printable line of at most `limit` characters."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(printable.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def to_text(payload: Mapping[str, Any], *, limit: int = MAX_EVENTS) -> str:
    """Return the title, one line for each event (in their order, the worst first), labels, runbook and link.

    Events beyond `limit` are only counted, in one line.
    """
    events = payload["events"]
    # Names come from data: they must not move the cursor of a terminal or forge a line.
    lines = [one_line(f"[{payload['status'].upper()}] {payload['title']}")]
    lines += [f"  {_mark(event)} {one_line(event['message'])}" for event in events[:limit]]
    if len(events) > limit:
        lines.append(f"... and {len(events) - limit} more")
    if payload["labels"]:
        lines.append(one_line("labels: " + ", ".join(f"{k}={v}" for k, v in payload["labels"].items())))
    if payload["runbook"]:
        lines.append(one_line(f"runbook: {payload['runbook']}", limit=2000))
    if payload.get("link"):  # a pending notification of an older release has no such key
        lines.append(one_line(f"page: {payload['link']}", limit=2000))
    return "\n".join(lines)


def _mark(event: Mapping[str, Any]) -> str:
    return "*" if event["state"] == "firing" else "-"
