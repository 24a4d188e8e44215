"""Numbers, units, windows and summaries in plain words, for all report formats."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from drift.monitors.verdict import Verdict, format_p_value
from drift.monitors.window import Window
from drift.report.page import Column, Page
from drift.stats.divergence import lookup

# Sign and name: colour is never the only carrier of a verdict.
SIGNS: Final = {
    Verdict.DRIFT: "◆",
    Verdict.ERROR: "✕",
    Verdict.SCHEMA_ERROR: "✕",
    Verdict.NO_DATA: "○",
    Verdict.WARN: "▲",
    Verdict.NOT_COMPARABLE: "≠",
    Verdict.INSUFFICIENT: "?",
    Verdict.OK: "✓",
}
NAMES: Final = {
    Verdict.DRIFT: "drift",
    Verdict.ERROR: "error",
    Verdict.SCHEMA_ERROR: "schema error",
    Verdict.NO_DATA: "no data",
    Verdict.WARN: "warning",
    Verdict.NOT_COMPARABLE: "not comparable",
    Verdict.INSUFFICIENT: "too few rows",
    Verdict.OK: "ok",
}
NO_VALUE: Final = "–"
_MAX_NAMED: Final = 3


def unit_symbol(metric: str | None, base: float | None = None) -> str:
    """Return the unit of a score: ``√bit``, ``bit``, ``nat``; "" if the divergence has no logarithm, or is None.

    `base` is that of the logarithm; None takes the default of the divergence.

    Raises
    ------
    InputError
        If the metric is unknown.
    """
    if metric is None:
        return ""
    divergence = lookup(metric)
    if not divergence.logarithmic:
        return divergence.unit
    base = divergence.base if base is None else base
    name = {2: "bit", 10: "dit"}.get(int(base), "") if base == int(base) else ""
    name = name or ("nat" if abs(base - 2.718281828459045) < 1e-9 else f"log{base:.4g}")
    return f"√{name}" if divergence.root else name


def unit_name(metric: str | None, base: float | None = None) -> str:
    """Return the unit of a score in words: ``square root of bits``. Arguments as in `unit_symbol`."""
    symbol = unit_symbol(metric, base)
    plural = {"bit": "bits", "nat": "nats", "dit": "decimal digits"}
    name = symbol.removeprefix("√")
    name = plural.get(name, f"logarithm to base {name[3:]}" if name.startswith("log") else name)
    return f"square root of {name}" if symbol.startswith("√") else name


def format_number(value: float | None) -> str:
    """Return a number to three significant digits; an en dash for None."""
    if value is None:
        return NO_VALUE
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def format_p(value: float | None) -> str:
    """Return a p-value as in messages (`drift.monitors.verdict.format_p_value`); an en dash for None."""
    return NO_VALUE if value is None else format_p_value(value).removeprefix("= ")


def format_percent(share: float | None) -> str:
    """Return a share as ``12.1 %``; an en dash for None."""
    return NO_VALUE if share is None else f"{share:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def format_threshold(column: Column) -> str:
    """Return the threshold of a column: a number, or from how many reference windows it was learned."""
    if column.level is not None:
        return f"learned from {column.reference_windows}"
    return format_number(column.threshold.drift if column.threshold else None)


def format_chance(column: Column) -> str:
    """Return how often chance gives such a window: ``once in 9 years``; a p-value if there are no reference windows."""
    return column.expected or format_p(column.p_value)


def chance_heading(page: Page) -> str:
    """Return the heading for values of `format_chance`."""
    return "Expected by chance" if any(c.expected for c in page.columns) else "p"


def calendar_zone(window: Window, timezone: ZoneInfo) -> ZoneInfo:
    """Return the zone in which to name a window: the monitor's for days and longer, UTC for hours and minutes."""
    # A local day lasts 23 hours when clocks go forward.
    return timezone if window.end - window.start >= timedelta(hours=23) else ZoneInfo("UTC")


def format_window(window: Window, timezone: ZoneInfo) -> str:
    """Name a window in words: ``in the week of 2011-06-06``, ``on 2011-06-06``, ``from ... to ...``."""
    zone = calendar_zone(window, timezone)
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    days = (end.date() - start.date()).days
    if _is_midnight(start) and _is_midnight(end):
        if days == 1:
            return f"on {start:%Y-%m-%d}"
        if days == 7 and start.weekday() == 0:
            return f"in the week of {start:%Y-%m-%d}"
        return f"from {start:%Y-%m-%d} to {end - timedelta(days=1):%Y-%m-%d}"
    until = f"{end:%H:%M}" if days == 0 else f"{end:%Y-%m-%d %H:%M}"
    return f"from {start:%Y-%m-%d %H:%M} to {until} {start:%Z}"


def _is_midnight(moment: datetime) -> bool:
    return moment.hour == moment.minute == moment.second == 0


def verdict_summary(page: Page) -> str:
    """Summarise the verdicts of a page: ``3 of 13 columns drifted in the week of 2011-06-06, most: cnt.``"""
    total = len(page.columns)
    if not total:
        return "Nothing was compared: there is no column."
    drifted = [c for c in page.columns if c.verdict is Verdict.DRIFT]
    noun = "column" if total == 1 else "columns"
    if any(c.segment for c in page.columns):
        noun += ", counted in each segment,"
    when = f" {format_window(page.window, page.timezone)}" if page.window else ""
    most = f", most: {drifted[0].label}" if drifted else ""
    sentences = [f"{len(drifted) or 'None'} of {total} {noun} drifted{when}{most}."]
    if warned := page.counts.get(Verdict.WARN, 0):
        sentences.append(f"{_columns(warned)} {'is' if warned == 1 else 'are'} close to the limit.")
    if unjudged := sum(n for verdict, n in page.counts.items() if not verdict.is_conclusive):
        sentences.append(f"{_columns(unjudged)} could not be evaluated.")
    return " ".join(sentences)


def _columns(number: int) -> str:
    return "1 column" if number == 1 else f"{number} columns"


def history_summary(page: Page) -> str:
    """Summarise all windows of a page: ``31 of the 52 windows shown drifted, most often: cnt (20).``

    A window drifted if any column of it did. The result is "" for a page of a single window.
    """
    shown = len(page.timeline)
    if not shown:
        return ""
    drifts = {c.label: sum(p.verdict is Verdict.DRIFT for p in c.history) for c in page.columns}
    windows = {p.start for c in page.columns for p in c.history if p.verdict is Verdict.DRIFT}
    most_often = sorted((label for label, n in drifts.items() if n), key=lambda label: (-drifts[label], label))
    names = ", ".join(f"{label} ({drifts[label]})" for label in most_often[:_MAX_NAMED])
    more = f" and {len(most_often) - _MAX_NAMED} more" if len(most_often) > _MAX_NAMED else ""
    return f"{len(windows) or 'None'} of the {shown} windows shown drifted" + (
        f", most often: {names}{more}." if most_often else "."
    )


def bins_label(column: Column) -> str:
    """Describe a chart of shares, for screen readers."""
    return f"Share of rows in each bin of {column.label}, reference and live. A table with the numbers follows."


def history_label(column: Column) -> str:
    """Describe a chart of scores over time, for screen readers."""
    drifted = sum(p.verdict is Verdict.DRIFT for p in column.history)
    return (
        f"Score of {column.label} in {len(column.history)} windows, with threshold and typical score; "
        f"{drifted} of them drifted. A table with the numbers follows."
    )


def describe_change(column: Column) -> str:
    """Describe the bins that moved most, or why the column could not be evaluated."""
    if not column.verdict.is_conclusive:
        return column.message
    reference = sum(b.reference for b in column.bins) or 1
    live = sum(b.live for b in column.bins) or 1
    moved = [column.bins[i] for i in column.moved[:2]]
    return "; ".join(
        f"{b.label} {format_percent(b.reference / reference)} → {format_percent(b.live / live)}" for b in moved
    )


def escape_surrogates(text: str) -> str:
    """Escape lone surrogates, which fonts do not have and UTF-8 cannot encode."""
    return text.encode("utf-8", "backslashreplace").decode()
