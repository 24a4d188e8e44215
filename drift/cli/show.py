"""The commands `drift scores`, `drift windows` and `drift report`, which read the store."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drift.cli.context import load_config, localize, open_store, selected_monitors, single_monitor
from drift.cli.options import (
    DEFAULT_CONFIG,
    MAX_ROWS_SHOWN,
    AsJson,
    ConfigFile,
    Limit,
    MonitorName,
    RevisionChoice,
    Since,
    Until,
)
from drift.cli.output import format_count, format_limit_note, print_json, print_table, print_text, write
from drift.cli.run_summary import format_minute, report_abandoned
from drift.errors import InputError

if TYPE_CHECKING:
    from drift.config import Config

# CSV has every key of the JSON rows. Append new ones: some programs read columns by position.
SCORE_FIELDS = (
    "monitor", "segment", "column", "window_start", "window_end", "revision", "metric", "score", "noise_floor",
    "p_value", "threshold", "verdict", "message", "detectable", "level", "reference_windows",
    "code",
)  # fmt: skip
WINDOW_FIELDS = (
    "monitor", "window_start", "window_end", "revision", "status", "verdict", "rows", "columns", "drifted", "attempts",
    "due_at", "next_attempt_at", "message", "code",
)  # fmt: skip
SCORE_KEYS = (
    "monitor", "segment", "column", "window_start", "revision", "metric", "score", "noise_floor", "p_value",
    "threshold", "verdict",
)  # fmt: skip
WINDOW_KEYS = (
    "monitor", "window_start", "window_end", "revision", "status", "verdict", "rows", "drifted", "columns", "message",
)  # fmt: skip
# Columns that a narrow terminal leaves out, in this order.
SPARE_KEYS = (
    "window_end", "metric", "p_value", "noise_floor", "revision", "segment", "rows", "columns", "drifted", "status",
)  # fmt: skip
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")]
RevisionOption = Annotated[RevisionChoice, typer.Option(help="newest: the latest check of each window; or all checks.")]


def scores_command(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    column: Annotated[str | None, typer.Option(help="Only this column.")] = None,
    segment: Annotated[str | None, typer.Option(help="Only this segment.")] = None,
    since: Since = None,
    until: Until = None,
    revisions: RevisionOption = RevisionChoice.NEWEST,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List stored scores: one for each column of each window."""
    loaded = load_config(config)
    filters = _filters(loaded, monitor, since, until)
    with open_store(loaded) as store:
        rows = store.queries.scores(**filters, column=column, segment=segment, revisions=revisions.value)
        if not rows and column is not None:
            _check_column(column, store.queries.scores(monitor=monitor))
    if as_json or as_csv:
        _export("scores", rows, SCORE_FIELDS, as_json=as_json, as_csv=as_csv)
        return
    keys = [key for key in SCORE_KEYS if key != "revision" or revisions is RevisionChoice.ALL]
    _print_rows(rows, keys, numeric=("score", "noise_floor", "p_value", "threshold"))
    print_text(format_count(len(rows), "score"))


def windows_command(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    since: Since = None,
    until: Until = None,
    revisions: RevisionOption = RevisionChoice.NEWEST,
    limit: Limit = MAX_ROWS_SHOWN,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List planned and checked windows with their results."""
    loaded = load_config(config)
    with open_store(loaded) as store:
        rows = store.queries.windows(**_filters(loaded, monitor, since, until), revisions=revisions.value)
        report_abandoned(store, selected_monitors(loaded, monitor))
    if as_json or as_csv:
        _export("windows", rows, WINDOW_FIELDS, as_json=as_json, as_csv=as_csv)
        return
    _print_rows([_with_next_attempt(row) for row in rows[-limit:]], WINDOW_KEYS, numeric=("rows", "drifted", "columns"))
    print_text(format_count(len(rows), "window") + format_limit_note(len(rows), limit, "newest"))


def _with_next_attempt(row: dict[str, Any]) -> dict[str, Any]:
    """Add the time of the next attempt of a waiting window to its message."""
    if row["next_attempt_at"] is None:
        return row
    what = "next attempt" if row["verdict"] == "error" else "check due"
    note = f"{what} at {format_minute(datetime.fromisoformat(row['next_attempt_at']))}"
    return {**row, "message": f"{row['message']}; {note}" if row["message"] else note}


def _check_column(column: str, rows: Sequence[dict[str, Any]]) -> None:
    known = sorted({row["column"] for row in rows})
    if column not in known:
        raise InputError(
            f"the store has no scores of column {column!r}; it has {', '.join(known) or 'no scores'}",
            code="column-missing",
        )


def _filters(config: "Config", monitor: str | None, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    if monitor is not None:
        (selected,) = selected_monitors(config, monitor)  # refuses an unknown name
        since, until = (moment and localize(moment, selected) for moment in (since, until))
    since, until = (
        moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (since, until)
    )
    return {"monitor": monitor, "since": since, "until": until}


def _export(name: str, rows: Sequence[dict[str, Any]], fields: Sequence[str], *, as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other; choose one", code="invalid-value")
    if as_json:
        print_json({"version": 1, name: list(rows)})
    else:
        from drift.report import table_csv

        write(table_csv(fields, ([row.get(key) for key in fields] for row in rows)))


def _print_rows(rows: Sequence[dict[str, Any]], keys: Sequence[str], *, numeric: Sequence[str]) -> None:
    spare = [key for key in SPARE_KEYS if key in keys]
    print_table("", keys, ([row.get(key) for key in keys] for row in rows), numeric=numeric, spare=spare)


def report_command(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    since: Since = None,
    until: Until = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Output file; - for standard output.")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="html, json, md or csv; default: from the suffix of -o, else html.")
    ] = None,
) -> None:
    """Write a self-contained report: the newest 100 windows that begin in [from, to)."""
    from drift.report import RENDERERS, page_from_store, render, save

    if form is not None and form not in RENDERERS:
        known = ", ".join(RENDERERS)
        raise InputError(f"unknown report format {form!r}; known formats are {known}", code="unknown-format")
    loaded = load_config(config)
    selected = single_monitor(loaded, monitor)
    with open_store(loaded) as store:
        page = page_from_store(
            store,
            selected.name,
            now=datetime.now(UTC),
            since=since and localize(since, selected),
            until=until and localize(until, selected),
            timezone=selected.timezone,
        )
    if output is not None and str(output) == "-":
        write(render(page, form or "html"))
        return
    safe_name = "".join(c if c.isalnum() or c in "-_." else "_" for c in selected.name).lstrip(".")
    default = f"{safe_name}-report.{form or 'html'}"
    print_text(f"wrote {save(page, output or default, form)}")
