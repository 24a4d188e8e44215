"""Markdown, for pull requests, chats and wikis."""

import re
from typing import Final

from drift.monitors.window import format_instant
from drift.report.formatting import (
    NAMES,
    SIGNS,
    chance_heading,
    describe_change,
    format_chance,
    format_number,
    format_threshold,
    history_summary,
    unit_symbol,
    verdict_summary,
)
from drift.report.page import Column, Page

# Characters that Markdown, GitHub or embedded HTML could interpret, links and mentions included: names come from data.
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|~&$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def render_markdown(page: Page) -> str:
    """Return a summary, then a table of all columns, the most important first."""
    sides = f"Reference: {_side(page.reference.label, page.reference.rows)}. "
    sides += f"Live: {_side(page.live.label, page.live.rows)}."
    lines = [f"# {_plain(page.title)}", "", f"**{_plain(verdict_summary(page))}**", ""]
    lines += [_plain(history_summary(page)), ""] if page.timeline else []
    lines += [sides, ""]
    lines += [f"> {_plain(note)}\n" for note in page.notes]
    for alert in page.alerts:
        subject = _plain(str(alert["column"] or "the whole window"))
        lines.append(f"- firing: {subject} since {_plain(str(alert['since']))}: {_plain(str(alert['reason']))}")
    heads = ("verdict", "column", "score", "threshold", "typical score", chance_heading(page).lower(), "what moved")
    lines += ["", f"| {' | '.join(heads)} |", "|---|---|--:|--:|--:|--:|---|"]
    lines += [_row(c) for c in page.columns]
    created = f", {format_instant(page.generated_at)}" if page.generated_at else ""
    lines += ["", f"Created by drift{created}.", *([_plain(page.credit)] if page.credit else [])]
    return "\n".join(lines) + "\n"


def _side(label: str, rows: int) -> str:
    return f"{_plain(label)}, {rows:,} rows"


def _row(column: Column) -> str:
    cells = [
        f"{SIGNS[column.verdict]} {NAMES[column.verdict]}",
        _plain(column.label),
        f"{format_number(column.score)} {unit_symbol(column.metric, column.base)}".strip(),
        format_threshold(column),
        format_number(column.noise_floor),
        format_chance(column).replace("<", "&lt;"),
        _plain(describe_change(column)),
    ]
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Escape markup and join lines."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
