"""The report as a table for spreadsheets: one line for each column."""

import csv
import io
from typing import Final

from drift.report.model import Column, Page

FIELDS: Final = (
    "column",
    "segment",
    "kind",
    "verdict",
    "metric",
    "score",
    "noise_floor",
    "p_value",
    "interval_low",
    "interval_high",
    "threshold_warn",
    "threshold",
    "missing_reference",
    "missing_live",
    "message",
)


def render_csv(page: Page) -> str:
    """One line for each column after a line of names; numbers in full, shares 0 to 1, empty where unknown.

    Text that a spreadsheet would run as a formula (it begins with ``= + - @``, a tab or a carriage return)
    gets an apostrophe in front: names come from data.
    """
    out = io.StringIO()
    writer = csv.writer(out)  # lines end as RFC 4180 says: then a name that holds such an end is quoted, too
    writer.writerow(FIELDS)
    writer.writerows(_line(c) for c in page.columns)
    return out.getvalue()


def _line(column: Column) -> list[str | float | None]:
    low, high = column.interval or (None, None)
    limit = column.threshold
    return [
        _harmless(column.name),
        _harmless(column.segment),
        column.kind,
        column.verdict.value,
        column.metric,
        column.score,
        column.noise_floor,
        column.p_value,
        low,
        high,
        limit.warn if limit else None,
        limit.drift if limit else None,
        column.missing_reference,
        column.missing_live,
        _harmless(column.message),
    ]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
