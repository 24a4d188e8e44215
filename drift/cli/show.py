"""Commands that read the store: scores, windows, report, alerts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drift.cli.alerts import alerts_resend
from drift.cli.context import instant, load_config, open_store, selected_monitors, single_monitor
from drift.cli.options import DEFAULT_CONFIG, SHOWN, AsJson, ConfigFile, Limit, MonitorName, Revisions, Since, Until
from drift.cli.output import format_limit_note, print_json, print_table, say, write
from drift.cli.run_summary import minute, report_abandoned
from drift.errors import InputError

if TYPE_CHECKING:
    from drift.config import Config

# Of CSV: every key of the JSON rows. New ones come last, so that what reads by place goes on reading.
SCORE_FIELDS = (
    "monitor", "segment", "column", "window_start", "window_end", "revision", "metric", "score", "noise_floor",
    "p_value", "threshold", "verdict", "message", "detectable", "level", "reference_windows",
    "code",
)  # fmt: skip
WINDOW_FIELDS = (
    "monitor", "window_start", "window_end", "revision", "status", "verdict", "rows", "columns", "drifted", "attempts",
    "due_at", "next_attempt_at", "message", "code",
)  # fmt: skip
SCORES_SHOWN = ("metric", "score", "noise_floor", "p_value", "threshold", "verdict")
# What a narrow terminal can do without, the first first.
SPARE = (
    "window_end", "metric", "p_value", "noise_floor", "last_window", "revision", "segment", "rows", "columns",
    "drifted", "status", "rule",
)  # fmt: skip
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")]


def scores(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    column: Annotated[str | None, typer.Option(help="Only this column.")] = None,
    segment: Annotated[str | None, typer.Option(help="Only this segment.")] = None,
    since: Since = None,
    until: Until = None,
    revisions: Annotated[Revisions, typer.Option(help="The newest check of each window, or all.")] = Revisions.NEWEST,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """What was found: a score for each column of each window."""
    loaded = load_config(config)
    filters = _filters(loaded, monitor, since, until)
    with open_store(loaded) as store:
        found = store.scores(**filters, column=column, segment=segment, revisions=revisions.value)
        if not found and column is not None:
            _check_column(column, store.scores(monitor=monitor))
    keys = ["monitor", "segment", "column", "window_start", "revision", *SCORES_SHOWN]
    if revisions is Revisions.NEWEST:
        keys.remove("revision")
    _print(
        "scores",
        found,
        keys,
        ("score", "noise_floor", "p_value", "threshold"),
        as_json=as_json,
        fields=SCORE_FIELDS if as_csv else (),
    )


def windows(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    since: Since = None,
    until: Until = None,
    revisions: Annotated[Revisions, typer.Option(help="The newest check of each window, or all.")] = Revisions.NEWEST,
    limit: Limit = SHOWN,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """The windows planned and checked, with what became of them."""
    loaded = load_config(config)
    with open_store(loaded) as store:
        found = store.windows(**_filters(loaded, monitor, since, until), revisions=revisions.value)
        report_abandoned(store, selected_monitors(loaded, monitor))
    keys = (
        "monitor",
        "window_start",
        "window_end",
        "revision",
        "status",
        "verdict",
        "rows",
        "drifted",
        "columns",
        "message",
    )
    if not (as_json or as_csv):
        found = [_told_next(row) for row in found]
    _print("windows", found, keys, keys[6:9], as_json=as_json, fields=WINDOW_FIELDS if as_csv else (), limit=limit)


def _told_next(row: dict[str, Any]) -> dict[str, Any]:
    """A window that waits says until when, beside its message."""
    if row["next_attempt_at"] is None:
        return row
    what = "tried again" if row["verdict"] == "error" else "checked"
    told = f"{what} by the first run from {minute(datetime.fromisoformat(row['next_attempt_at']))} on"
    return {**row, "message": f"{row['message']}; {told}" if row["message"] else told}


def _check_column(column: str, rows: Sequence[dict[str, Any]]) -> None:
    known = sorted({row["column"] for row in rows})
    if column not in known:
        raise InputError(f"no scores of a column {column!r} are stored; there are {', '.join(known) or 'none at all'}")


def _filters(config: "Config", monitor: str | None, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    if monitor is not None:
        selected_monitors(config, monitor)  # a name that is not configured is a slip of the pen
    if monitor is not None and (since or until):
        one = selected_monitors(config, monitor)[0]
        since, until = instant(since, one), instant(until, one)
    aware = [
        None if moment is None else moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (since, until)
    ]
    return {"monitor": monitor, "since": aware[0], "until": aware[1]}


def _print(
    name: str,
    found: Sequence[dict[str, Any]],
    keys: Sequence[str],
    numeric: Sequence[str],
    *,
    as_json: bool,
    fields: Sequence[str] = (),
    limit: int | None = None,
) -> None:
    if as_json and fields:
        raise InputError("--json and --csv are two ways to print one table: choose one")
    if as_json:
        print_json({"version": 1, name: list(found)})
    elif fields:
        from drift.report import table_csv

        write(table_csv(fields, ([row.get(key) for key in fields] for row in found)))
    else:
        spare = [key for key in SPARE if key in keys]
        shown = found if limit is None else found[-limit:]
        print_table("", keys, ([row.get(key) for key in keys] for row in shown), numeric=numeric, spare=spare)
        say(f"{len(found)} {name}" + ("" if limit is None else format_limit_note(len(found), limit, "newest")))


def report(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    since: Since = None,
    until: Until = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it; - is standard output.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="html, json, md or csv; default: by the suffix of -o, else html.")
    ] = None,
) -> None:
    """A self-contained report of what is stored: the newest 100 windows of those that begin in [from, to)."""
    from drift.report import FORMATS, page_from_store, render, save

    if form is not None and form not in FORMATS:
        raise InputError(f"unknown report format {form!r}; known are {', '.join(FORMATS)}")
    loaded = load_config(config)
    one = single_monitor(loaded, monitor)
    with open_store(loaded) as store:
        now, begin, end = datetime.now(UTC), instant(since, one), instant(until, one)
        page = page_from_store(store, one.name, now=now, since=begin, until=end, timezone=one.timezone)
    if output is not None and str(output) == "-":
        write(render(page, form or "html"))
        return
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in one.name).lstrip(".")
    default = f"{safe}-report.{form or 'html'}"
    say(f"wrote {save(page, output or default, form)}")


def alerts_list(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    state: Annotated[str | None, typer.Option(help="ok, pending, firing or resolved.")] = None,
    as_json: AsJson = False,
) -> None:
    """The alerts and where they stand."""
    from drift.monitors.alert_state import State

    loaded = load_config(config)
    _filters(loaded, monitor, None, None)
    if state is not None and state not in list(State):
        raise InputError(f"unknown state {state!r} of an alert; known are {', '.join(State)}")
    with open_store(loaded) as store:
        found = store.alerts(monitor=monitor, state=state)
    if not as_json and state is None:
        found = [row for row in found if row["state"] != "ok"]
    keys = ("monitor", "column", "segment", "rule", "state", "since", "last_window", "reason")
    _print("alerts", found, keys, (), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (scores, windows, report):
        app.command()(command)
    alerts = typer.Typer(help="Alerts, their states and their messages.", no_args_is_help=True)
    alerts.command("list")(alerts_list)
    alerts.command("resend")(alerts_resend)
    app.add_typer(alerts, name="alerts")
