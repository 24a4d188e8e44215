"""A first configuration, written from the data: every key is explained, optional keys are commented out."""

import re
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import yaml

from drift.errors import InputError
from drift.histogram import Kind
from drift.monitors.window import Period, Window, format_instant
from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS
from drift.stats.divergence import DIVERGENCES
from drift.stats.scoring import Method

_PLAIN: Final = re.compile(r"[A-Za-z_./][\w./*-]*", re.ASCII)
_NAME: Final = re.compile(r"[^A-Za-z0-9]+")


def starter(
    path: str,
    columns: Mapping[str, Kind],
    timestamp: str,
    span: tuple[datetime, datetime],
    *,
    now: datetime,
    timezone: str = "UTC",
    exclude: Mapping[str, str] | None = None,
) -> str:
    """Return the text of a drift.yaml for some data, as `load` accepts it.

    Parameters
    ----------
    path : str
        The data, as a user would write it: a file or a glob.
    columns : mapping of str to Kind
        The columns and their kinds; may include the timestamp.
    timestamp : str
        The column that assigns a row to a window.
    span : tuple of datetime
        First and last instant of the data, with time zones.
    now : datetime
        The present, with a time zone: data that ended long before it gets an `end`.
    timezone : str
        IANA name; days begin at its midnight.
    exclude : mapping of str to str
        Columns not to monitor (ids, say), each with the reason.

    Raises
    ------
    InputError
        If an instant has no time zone, the span ends before it starts, or it reaches the first or last years.
    """
    first, last = span
    if any(moment.tzinfo is None for moment in (first, last, now)):
        raise InputError("the span of the data and the present must have time zones", code="timestamp-invalid")
    if last < first:
        raise InputError(f"the last instant of the data ({last}) is before its first ({first})", code="invalid-range")
    if first.year < 10 or last.year > 9990:
        raise InputError(
            f"the data spans {format_instant(first)} to {format_instant(last)}; such extreme dates are usually "
            "placeholders: remove those rows",
            code="timestamp-invalid",
        )
    zone = ZoneInfo(timezone)
    period = _period(last - first)
    reference = _reference(first, last, period, zone)
    excluded = {name: reason for name, reason in (exclude or {}).items() if name != timestamp}
    monitored = {name: kind for name, kind in columns.items() if name != timestamp and name not in excluded}
    return _TEMPLATE.format(
        first=format_instant(first),
        last=format_instant(last),
        name=_monitor_name(path),
        path=_quoted(path),
        timestamp=_quoted(timestamp),
        timezone=timezone,
        period=period,
        since=_moment(reference.start, period, zone),
        until=_moment(reference.end, period, zone),
        rolling="52w" if period.unit == "w" else "28d",
        end=_end(period.window_at(last, zone), period, zone, now),
        columns=_columns(monitored, excluded),
        example=_quoted(next(iter(monitored), "column")),
        metrics=_metrics(),
    )


def _metrics() -> str:
    """Return the other metrics, as the lines of a comment."""
    others = [name for name, row in DIVERGENCES.items() if not row.ordered and name != Method().metric]
    ordered = [name for name, row in DIVERGENCES.items() if row.ordered]
    text = f"or {', '.join(others)}, and {', '.join(ordered)} for numbers; each has its own default smoothing and base"
    return "\n    #                               # ".join(textwrap.wrap(text, width=80))


def _period(length: timedelta) -> Period:
    """Return a window length that gives enough windows for half of them to be the reference; days if possible."""
    if length < timedelta(days=2 * MIN_WINDOWS):
        return Period(1, "h")
    return Period(1, "d") if length < timedelta(days=1500) else Period(1, "w")


def _reference(first: datetime, last: datetime, period: Period, zone: ZoneInfo) -> Window:
    """Return whole windows of about the first quarter; up to half if a quarter has too few to learn from."""
    start = period.window_at(first, zone)
    if start.start < first and start.end < last:  # the data starts inside this window
        start = period.window_at(start.end, zone)
    length = max((last - first) / 4, min(FEW_WINDOWS * period.length, (last - first) / 2))
    end = period.window_at(start.start + length, zone).start
    return Window(start.start, max(end, start.end))


def _moment(moment: datetime, period: Period, zone: ZoneInfo) -> str:
    """Return a date if windows are calendar days or weeks, else an instant."""
    return moment.astimezone(zone).date().isoformat() if period.unit in "dw" else moment.astimezone(UTC).isoformat()


def _end(newest: Window, period: Period, zone: ZoneInfo, now: datetime) -> str:
    written = _moment(newest.end, period, zone)
    if now - newest.end <= 3 * (newest.end - newest.start):
        return f"    # end: {written}        # windows that end later are not monitored; default: no end"
    return (
        "    # The data ended a while ago. Windows after this are not monitored; without the key, each would alert on\n"
        "    # missing data. Delete the line once new data arrives.\n"
        f"    end: {written}"
    )


def _columns(monitored: Mapping[str, Kind], excluded: Mapping[str, str]) -> str:
    lines = [f"    #   {_quoted(name)} ({kind.value})" for name, kind in monitored.items()]
    if not excluded:
        return "\n".join([*lines, "    # columns:", "    #   exclude: [id]             # never these"])
    lines += ["    columns:", "      exclude:"]
    lines += [f"        - {_quoted(name)}  # {_comment(reason)}" for name, reason in excluded.items()]
    return "\n".join(lines)


def _monitor_name(path: str) -> str:
    """Return a name made from the path: ``data/bike_hours.csv`` gives ``bike-hours``."""
    parts = [part for part in path.split("/") if part]
    stems = [part.split(".")[0] for part in reversed(parts)]
    names = (_NAME.sub("-", stem).strip("-").lower()[:50].strip("-") for stem in stems)
    name = next((name for name in names if name), "data")
    return name if name[0].isalpha() and name not in _WORDS else f"data-{name}"


_WORDS: Final = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}


def _quoted(text: str) -> str:
    """Return text as YAML that `load` reads back: one line, quoted if necessary, dollar signs doubled."""
    text = text.replace("$", "$$")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and text.strip(".") == text:
        return text
    dumped: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)
    return dumped.strip()


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


_TEMPLATE: Final = """\
# Configuration of drift. `drift validate` checks this file, `drift plan` shows the windows that are due.
# Written from data that spans {first} to {last}.

version: 1

# Database of histograms, scores and alerts: an SQLAlchemy URL of SQLite or PostgreSQL.
# ${{NAME}} is replaced by the environment variable, here and in every text below; $$ is a dollar sign.
# store: sqlite:///drift.db       # the default, beside this file
# store: postgresql://drift:${{DRIFT_PASSWORD}}@localhost/drift
# page: https://drift.example.org  # address of the web page of `drift serve`: notifications link to it

monitors:
  {name}:
    # The data: a file, a glob, or a URL. Relative paths start at the folder of this file.
    source:
      path: {path}

    # The column with the time of a row; it assigns the row to a window.
    timestamp: {timestamp}

    # Days begin at midnight in this time zone; times without a time zone are in it.
    timezone: {timezone}

    # Length of a window: 15m, 1h, 1d, 1w. Each window is evaluated once.
    window: {period}
    # schedule: "15 2 * * *"        # when to run (cron, in the time zone above); default: once a window closes
    # delay: 2h                     # how long after its end a window waits for late rows

    # Normal data: the windows from `from` (included) to `to` (excluded). Choose a time without problems.
    reference:
      from: {since}
      to: {until}
      # path: train.parquet         # or, instead of both, a separate file
      # rolling: {rolling}                # or the newest windows before each one, for data with a trend
      # seasonal: 1w                # or the same hour of the week, weeks ago: whole weeks, or 1y
      # windows: 3                  # number of seasons

    # Windows are monitored from the end of the reference on, or from start.
    # start: {until}
{end}

    # How columns are scored. js_distance ranges from 0 (equal) to 1 (nothing in common).
    # metric: js_distance           # {metrics}
    # smoothing: none               # or jeffreys, laplace, perks, or a pseudo-count such as 0.5
    # base: 2                       # of the logarithm
    # threshold: auto               # limits are learned from the reference's windows if it holds 8 or more, so that
    #                               # false alarms stay within `false_alarms`; otherwise the metric's default threshold
    #                               # applies (js_distance 0.1), only if the score also exceeds the noise.
    #                               # Or a number, or {{warn: 0.05, drift: 0.1}}
    # false_alarms: 1 per 90d       # how rarely `auto` may alarm although nothing changed, over the whole monitor

    # How columns are binned, once, from the reference: numbers by quantiles, text by its most frequent values.
    # bins:
    #   numeric: quantile           # or uniform, fd, doane, distinct, or edges such as [0, 10, 20]
    #   count: 10                   # bins of a column of numbers
    #   top: 50                     # values of a text column with a bin of their own

    # Every column but the timestamp is monitored:
{columns}
    #   include: [{example}]        # only these
    #   overrides:                  # other rules for single columns
    #     {example}: {{metric: psi, threshold: 0.25}}

    # segments: [region]            # also evaluate rows separately by the values of these columns

    alert:
      for: 1                        # bad windows in a row before an alert fires
      keep_firing_for: 0            # good windows in a row before it is resolved
      notify: [console]             # channels, defined below
      # verdicts: [drift, schema_error, no_data, error]     # the verdicts that alert; warn can, too
      # labels: {{severity: page}}    # sent along
      # runbook: https://wiki.example.org/drift             # a link, sent along

channels:
  console:
    type: console                   # text on standard error
  # team:
  #   type: webhook                 # a POST of JSON
  #   url: https://example.org/hook # or url_file: a file that holds it
  #   secret: ${{HOOK_SECRET}}        # signs the body; or secret_file
  # log:
  #   type: file                    # a JSON line for each notification
  #   path: alerts.jsonl
"""
