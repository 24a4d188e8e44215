"""A first configuration, written from the data: every key explained, the optional ones commented out."""

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
    """The text of a drift.yaml for some data.

    Parameters
    ----------
    path : str
        The data, as a user would write it: a file or a glob.
    columns : mapping of str to Kind
        The columns and what they hold; the timestamp may be among them.
    timestamp : str
        The column that places a row in a window.
    span : tuple of datetime
        The first and the last instant in the data, with time zones.
    now : datetime
        The present, with a time zone: data that ended long before it gets an `end`.
    timezone : str
        IANA name; days begin at its midnight.
    exclude : mapping of str to str
        Columns not to watch (ids, say), each with the reason.

    Returns
    -------
    str
        YAML that `load` takes.

    Raises
    ------
    InputError
        Where an instant is without time zone, the span ends before it begins, or it reaches the end of time.
    """
    first, last = span
    if any(moment.tzinfo is None for moment in (first, last, now)):
        raise InputError("the span of the data and the present are instants with a time zone")
    if last < first:
        raise InputError(f"the data's last instant lies before its first: {last} before {first}")
    if first.year < 10 or last.year > 9990:
        told = f"{format_instant(first)} to {format_instant(last)}"
        raise InputError(f"the data goes from {told}: dates that far off stand for something else; take those rows out")
    zone = ZoneInfo(timezone)
    period = _period(last - first)
    reference = _reference(first, last, period, zone)
    left_out = {name: why for name, why in (exclude or {}).items() if name != timestamp}
    watched = {name: kind for name, kind in columns.items() if name != timestamp and name not in left_out}
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
        columns=_columns(watched, left_out),
        example=_quoted(next(iter(watched), "column")),
        metrics=_metrics(),
    )


def _metrics() -> str:
    """The other metrics, as the lines of a comment."""
    others = [name for name, row in DIVERGENCES.items() if not row.ordered and name != Method().metric]
    ordered = [name for name, row in DIVERGENCES.items() if row.ordered]
    text = f"or {', '.join(others)}, and {', '.join(ordered)} for numbers; each has its own default smoothing and base"
    return "\n    #                               # ".join(textwrap.wrap(text, width=80))


def _period(length: timedelta) -> Period:
    """Windows enough, so that half of them can teach; days, where both would do."""
    if length < timedelta(days=2 * MIN_WINDOWS):
        return Period(1, "h")
    return Period(1, "d") if length < timedelta(days=1500) else Period(1, "w")


def _reference(first: datetime, last: datetime, period: Period, zone: ZoneInfo) -> Window:
    """Whole windows of about the first quarter; more, up to half, where these would be too few to learn from."""
    begin = period.window_at(first, zone)
    if begin.start < first and begin.end < last:  # a window that the data enters half-way is not whole
        begin = period.window_at(begin.end, zone)
    wanted = max((last - first) / 4, min(FEW_WINDOWS * period.length, (last - first) / 2))
    cut = period.window_at(begin.start + wanted, zone).start
    return Window(begin.start, max(cut, begin.end))


def _moment(moment: datetime, period: Period, zone: ZoneInfo) -> str:
    """A date where windows are days or weeks of the calendar, else an instant."""
    return moment.astimezone(zone).date().isoformat() if period.unit in "dw" else moment.astimezone(UTC).isoformat()


def _end(newest: Window, period: Period, zone: ZoneInfo, now: datetime) -> str:
    written = _moment(newest.end, period, zone)
    if now - newest.end <= 3 * (newest.end - newest.start):
        return (
            f"    # end: {written}        # the end of the last window watched; without it, there is always a next one"
        )
    return (
        "    # The data ended a while ago: windows after this are not watched, or each would tell of missing\n"
        "    # data. Delete the line once new data comes in.\n"
        f"    end: {written}"
    )


def _columns(watched: Mapping[str, Kind], left_out: Mapping[str, str]) -> str:
    lines = [f"    #   {_quoted(name)} ({kind.value})" for name, kind in watched.items()]
    if not left_out:
        return "\n".join([*lines, "    # columns:", "    #   exclude: [id]             # never these"])
    lines += ["    columns:", "      exclude:"]
    lines += [f"        - {_quoted(name)}  # {_comment(why)}" for name, why in left_out.items()]
    return "\n".join(lines)


def _monitor_name(path: str) -> str:
    """A name from the path: ``data/bike_hours.csv`` gives ``bike-hours``."""
    parts = [part for part in path.split("/") if part]
    stems = [part.split(".")[0] for part in reversed(parts)]
    names = (_NAME.sub("-", stem).strip("-").lower()[:50].strip("-") for stem in stems)
    name = next((name for name in names if name), "data")
    return name if name[0].isalpha() and name not in _WORDS else f"data-{name}"


_WORDS: Final = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}


def _quoted(text: str) -> str:
    """Text as YAML and `load` read it back: on one line, in quotes where need be, dollars doubled."""
    text = text.replace("$", "$$")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and text.strip(".") == text:
        return text
    dumped: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)
    return dumped.strip()


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


_TEMPLATE: Final = """\
# Configuration of drift. `drift validate` checks this file, `drift plan` shows what would run.
# Written from data that goes from {first} to {last}.

version: 1

# Where histograms, scores and alerts are kept: any SQLAlchemy URL of SQLite or PostgreSQL.
# ${{NAME}} is filled in from the environment, here and in every text below; $$ is a dollar sign.
# store: sqlite:///drift.db       # the default, beside this file
# store: postgresql://drift:${{DRIFT_PASSWORD}}@localhost/drift
# page: https://drift.example.org  # where people reach the page of `drift serve`: messages link to it

monitors:
  {name}:
    # The data: a file, a glob, or a URL. Relative paths start at this file's folder.
    source:
      path: {path}

    # The column that says when a row came about; it places the row in a window.
    timestamp: {timestamp}

    # Days begin at midnight here; times without a time zone are read so.
    timezone: {timezone}

    # How long a window is: 15m, 1h, 1d, 1w. Each one is checked once.
    window: {period}
    # schedule: "15 2 * * *"        # when to check (cron, in the time zone above); default: once a window closes
    # delay: 2h                     # how long to wait for late rows

    # What is normal: the windows from `from` up to (not with) `to`. Choose a time that was good.
    reference:
      from: {since}
      to: {until}
      # path: train.parquet         # or, in place of both, a file of its own
      # rolling: {rolling}                # or the newest windows before each one, for data with a trend
      # seasonal: 1w                # or the same hour of the week, weeks ago: whole weeks, or 1y
      # windows: 3                  # of a season: how many

    # Windows are watched from the end of the reference on, unless start says otherwise.
    # start: {until}
{end}

    # How the difference is scored. js_distance goes from 0 (equal) to 1 (nothing in common).
    # metric: js_distance           # {metrics}
    # smoothing: none               # or jeffreys, laplace, perks, or a pseudo-count such as 0.5
    # base: 2                       # of the logarithm
    # threshold: auto               # learned from the reference's windows where it holds 8 or more, so that false
    #                               # alarms stay within `false_alarms`; else the metric's customary number
    #                               # (js_distance 0.1), guarded by the noise.
    #                               # Or a number, or {{warn: 0.05, drift: 0.1}}
    # false_alarms: 1 per 90d       # how rarely `auto` may alarm where nothing changed, over the whole monitor

    # How columns are cut, once, from the reference: numbers by quantiles, text by its commonest values.
    # bins:
    #   numeric: quantile           # or uniform, fd, doane, distinct, or edges such as [0, 10, 20]
    #   count: 10
    #   top: 50                     # how many values of a text column have a bin of their own

    # Every column but the timestamp is watched. These are:
{columns}
    #   include: [{example}]        # only these
    #   overrides:                  # other rules for single columns
    #     {example}: {{metric: psi, threshold: 0.25}}

    # segments: [region]            # check rows apart by the values of these columns

    alert:
      # What is told, and after how many windows in a row.
      for: 1                        # bad ones before it fires
      keep_firing_for: 0            # calm ones before it is resolved
      notify: [console]             # channels, named below
      # verdicts: [drift, schema_error, no_data, error]     # what alerts; warn can, too
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
