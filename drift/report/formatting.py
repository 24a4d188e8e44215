"""Numbers, units, days and the verdict of a page, in plain words."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from drift.monitors.verdict import Verdict, format_p_value
from drift.monitors.window import Window
from drift.report.page import Column, Page
from drift.stats.divergence import lookup

# Sign and words: colour is never the only carrier of a verdict.
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
_MOST_NAMED: Final = 3


def unit(metric: str | None, base: float | None = None) -> str:
    """The unit of a score: ``√bit``, ``bit``, ``nat``; empty where the divergence has no logarithm.

    Raises
    ------
    InputError
        For an unknown metric.
    """
    if metric is None:
        return ""
    known = lookup(metric)
    if not known.logarithmic:
        return known.unit
    base = known.base if base is None else base
    name = {2: "bit", 10: "dit"}.get(int(base), "") if base == int(base) else ""
    name = name or ("nat" if abs(base - 2.718281828459045) < 1e-9 else f"log{base:.4g}")
    return f"√{name}" if known.root else name


def unit_words(metric: str | None, base: float | None = None) -> str:
    """The unit, spelled out: ``square root of bits``."""
    short = unit(metric, base)
    plural = {"bit": "bits", "nat": "nats", "dit": "decimal digits"}
    name = short.removeprefix("√")
    name = plural.get(name, f"logarithm to base {name[3:]}" if name.startswith("log") else name)
    return f"square root of {name}" if short.startswith("√") else name


def number(value: float | None) -> str:
    """Three significant digits; an en dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def p_value(value: float | None) -> str:
    """As in messages, `drift.monitors.verdict.format_p_value`."""
    if value is None:
        return "–"
    return format_p_value(value).removeprefix("= ")


def limit(column: Column) -> str:
    """What a score was held against: a number, or how many reference windows it was learned from."""
    if column.level is not None:
        return f"learned from {column.reference_windows}"
    return number(column.threshold.drift if column.threshold else None)


def format_expected_frequency(column: Column) -> str:
    """How often chance does as much: ``once in 9 years`` where reference windows tell, else the p-value."""
    return column.expected or p_value(column.p_value)


def expected_frequency_heading(page: Page) -> str:
    """The head of a column of `format_expected_frequency`."""
    return "expected" if any(c.expected for c in page.columns) else "p"


def percent(share: float | None) -> str:
    """``12.1 %``; an en dash where it is not known."""
    return "–" if share is None else f"{share:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def calendar_zone(window: Window, timezone: ZoneInfo) -> ZoneInfo:
    """Days and longer are named in the monitor's time zone; hours and minutes, laid out in UTC, in UTC."""
    # A local day lasts 23 hours where the clocks go forward.
    return timezone if window.end - window.start >= timedelta(hours=23) else ZoneInfo("UTC")


def period(window: Window, timezone: ZoneInfo) -> str:
    """When a window was, in words: ``in the week of 2011-06-06``, ``on 2011-06-06``, ``from ... to ...``."""
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


def sentence(page: Page) -> str:
    """The verdict of a page: ``3 of 13 columns drifted in the week of 2011-06-06, most: cnt.``"""
    total = len(page.columns)
    if not total:
        return "Nothing was compared: there is no column."
    drifted = [c for c in page.columns if c.verdict is Verdict.DRIFT]
    what = "column" if total == 1 else "columns"
    if any(c.segment for c in page.columns):
        what += ", counted in each segment,"
    when = f" {period(page.window, page.timezone)}" if page.window else ""
    told = f"{len(drifted) or 'None'} of {total} {what} drifted{when}"
    if drifted:
        told += f", most: {drifted[0].label}"
    return f"{told}. {_others(page)}".strip()


def _others(page: Page) -> str:
    """What else a reader must know before believing the count of drifted columns."""
    warned = page.counts.get(Verdict.WARN, 0)
    untold = sum(n for verdict, n in page.counts.items() if not verdict.is_conclusive)
    told = []
    if warned:
        told.append(f"{warned} {'is' if warned == 1 else 'are'} close to it.")
    if untold:
        told.append(f"{untold} could not be judged.")
    return " ".join(told)


def over_time(page: Page) -> str:
    """What the windows before tell, beside the newest: ``31 of the 52 windows shown drifted, most often: cnt (20).``

    Empty for a page of a single window. A window drifted where any column did that the page shows.
    """
    shown = len(page.timeline)
    if not shown:
        return ""
    drifted = {c.label: sum(p.verdict is Verdict.DRIFT for p in c.history) for c in page.columns}
    windows = {p.start for c in page.columns for p in c.history if p.verdict is Verdict.DRIFT}
    told = f"{len(windows) or 'None'} of the {shown} windows shown drifted"
    format_expected_frequency = sorted(
        (label for label, n in drifted.items() if n), key=lambda label: (-drifted[label], label)
    )
    if format_expected_frequency:
        told += ", most often: " + ", ".join(
            f"{label} ({drifted[label]})" for label in format_expected_frequency[:_MOST_NAMED]
        )
        told += (
            f" and {len(format_expected_frequency) - _MOST_NAMED} more"
            if len(format_expected_frequency) > _MOST_NAMED
            else ""
        )
    return f"{told}."


def chart_words(column: Column) -> str:
    """What a chart of shares shows, for those who cannot see it."""
    return f"Share of rows in each bin of {column.label}, reference and live. The numbers follow as a table."


def history_words(column: Column) -> str:
    """What a chart of scores over time shows, for those who cannot see it."""
    drifted = sum(p.verdict is Verdict.DRIFT for p in column.history)
    return (
        f"Score of {column.label} in {len(column.history)} windows, with its threshold and its noise; "
        f"{drifted} of them drifted. The numbers follow as a table."
    )


def moved(column: Column) -> str:
    """What moved most, or why nothing can be said: the last cell of a column's line."""
    if not column.verdict.is_conclusive:
        return column.message
    reference = sum(b.reference for b in column.bins) or 1
    live = sum(b.live for b in column.bins) or 1
    told = [column.bins[i] for i in column.moved[:2]]
    return "; ".join(f"{b.label} {percent(b.reference / reference)} → {percent(b.live / live)}" for b in told)
