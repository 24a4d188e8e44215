"""The report as Markdown: for a pull request, a chat, a wiki."""

import re
from typing import Final

from drift.monitors.window import format_instant
from drift.report.formatting import (
    NAMES,
    SIGNS,
    expected_frequency_heading,
    format_expected_frequency,
    limit,
    moved,
    number,
    over_time,
    sentence,
    unit,
)
from drift.report.page import Column, Page

# Whatever Markdown, GitHub or the HTML inside could take as markup, links and mentions included. Names come
# from data.
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|~&$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def render_markdown(page: Page) -> str:
    """The verdict in one sentence, then a table of all columns, the most important first."""
    sides = f"Reference: {_side(page.reference.label, page.reference.rows)}. "
    sides += f"Live: {_side(page.live.label, page.live.rows)}."
    lines = [f"# {_plain(page.title)}", "", f"**{_plain(sentence(page))}**", ""]
    lines += [_plain(over_time(page)), ""] if page.timeline else []
    lines += [sides, ""]
    lines += [f"> {_plain(note)}\n" for note in page.notes]
    for alert in page.alerts:
        what = _plain(str(alert["column"] or "the whole window"))
        lines.append(f"- firing: {what} since {_plain(str(alert['since']))}: {_plain(str(alert['reason']))}")
    heads = ("verdict", "column", "score", "threshold", "noise", expected_frequency_heading(page), "what moved")
    lines += ["", f"| {' | '.join(heads)} |", "|---|---|--:|--:|--:|--:|---|"]
    lines += [_row(c) for c in page.columns]
    made = f", {format_instant(page.generated_at)}" if page.generated_at else ""
    lines += ["", f"Made by drift{made}.", *([_plain(page.credit)] if page.credit else [])]
    return "\n".join(lines) + "\n"


def _side(label: str, rows: int) -> str:
    return f"{_plain(label)}, {rows:,} rows"


def _row(column: Column) -> str:
    cells = [
        f"{SIGNS[column.verdict]} {NAMES[column.verdict]}",
        _plain(column.label),
        f"{number(column.score)} {unit(column.metric, column.base)}".strip(),
        limit(column),
        number(column.noise_floor),
        format_expected_frequency(column).replace("<", "&lt;"),
        _plain(moved(column)),
    ]
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that stays text: markup escaped, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
