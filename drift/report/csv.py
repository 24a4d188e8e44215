"""The report as a table for spreadsheets: one line for each column."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from drift.report.page import Column, Page

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
    "level",
    "reference_windows",
    "expected",
)


def render_csv(page: Page) -> str:
    """One line for each column after a line of names; numbers in full, shares 0 to 1, empty where unknown.

    Where `threshold` is empty and `level` is not, reference windows judged: a p-value below `level` is drift.
    `expected` says that p-value in words.

    Text that a spreadsheet would run as a formula (it begins with ``= + - @``, a tab or a carriage return)
    gets an apostrophe in front: names come from data.
    """
    return table_csv(FIELDS, (_line(c) for c in page.columns))


def table_csv(fields: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV, by the same rule."""
    out = io.StringIO()
    writer = csv.writer(out)  # lines end as RFC 4180 says: then a name that holds such an end is quoted, too
    writer.writerow(fields)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def _line(column: Column) -> list[object]:
    low, high = column.interval or (None, None)
    limit = column.threshold
    return [
        column.name,
        column.segment,
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
        column.message,
        column.level,
        column.reference_windows,
        column.expected,
    ]


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
