"""CSV, for spreadsheets: one line for each column."""

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
    """Return a line of names, then one line for each column.

    Numbers are in full, shares 0 to 1, unknown values empty. If `threshold` is empty and `level` is not, the limits
    were learned from reference windows: a p-value below `level` is drift. `expected` is that p-value in words.
    Formulas are escaped as in `table_csv`.
    """
    return table_csv(FIELDS, (_line(c) for c in page.columns))


def table_csv(fields: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV.

    Text that a spreadsheet would run as a formula (it begins with ``= + - @``, a tab or a carriage return) gets an
    apostrophe in front: names come from data.
    """
    out = io.StringIO()
    writer = csv.writer(out)  # CRLF line ends (RFC 4180), so that names with line ends are quoted
    writer.writerow(fields)
    writer.writerows([_escape_formula(cell) for cell in row] for row in rows)
    return out.getvalue()


def _line(column: Column) -> list[object]:
    low, high = column.interval or (None, None)
    threshold = column.threshold
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
        threshold.warn if threshold else None,
        threshold.drift if threshold else None,
        column.missing_reference,
        column.missing_live,
        column.message,
        column.level,
        column.reference_windows,
        column.expected,
    ]


def _escape_formula(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
