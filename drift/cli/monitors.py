"""The commands `drift validate`, `plan`, `run` and `backfill`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from drift.cli.context import (
    frozen_references,
    load_config,
    localize,
    open_channels,
    open_store,
    require_order,
    selected_monitors,
    summarise_source,
    this_worker,
)
from drift.cli.options import (
    DEFAULT_CONFIG,
    MAX_ROWS_SHOWN,
    AsJson,
    ConfigFile,
    Fail,
    FailOn,
    Limit,
    MonitorName,
    Since,
    Until,
    WorkerName,
)
from drift.cli.output import (
    OK,
    UNCHECKED,
    console,
    exit_status,
    format_count,
    format_limit_note,
    print_error,
    print_exception,
    print_json,
    print_note,
    print_table,
    print_text,
)
from drift.cli.run_summary import (
    deliver,
    format_retries,
    report_leased,
    report_retries,
    report_unjudged,
    round_up,
)
from drift.errors import ConfigError, DriftError, InputError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from drift.config import Config
    from drift.monitors.spec import Monitor
    from drift.monitors.window import Window
    from drift.runner.check import MonitorFailure, RecheckSkipped, WindowResult
    from drift.store import Store
    from drift.store.references import StoredReference

RESULT_KEYS = ("monitor", "window_start", "window_end", "revision", "rows", "verdict", "message")


def validate_command(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check the configuration, its sources and its store. Writes nothing."""
    from drift.config import InvalidConfigError, explain_reference

    try:
        loaded = load_config(config, strict=True)
    except InvalidConfigError as error:
        if as_json:
            print_json({"version": 1, "problems": [problem.to_dict() for problem in error.problems]})
        raise
    open_channels(loaded)
    store, store_problem, frozen = _check_store(config, loaded)
    rows = [_source_row(monitor, frozen) for monitor in loaded.monitors.values()]
    keys = ("monitor", "source", "columns", "timestamp", "window", "problem")
    if as_json:
        monitors = [dict(zip(keys, row, strict=True)) for row in rows]
        print_json({"version": 1, "monitors": monitors, "store": {"url": store, "problem": store_problem}})
    else:
        print_table("", keys, rows, spare=("timestamp", "window", "columns"))
        for monitor in loaded.monitors.values():
            print_text(f"{monitor.name}: compared with {explain_reference(monitor)}")
        ready = sum(not row[5] for row in rows)
        print_text(f"{config}: {ready} of {format_count(len(rows), 'monitor')} ready; {len(loaded.channels)} channels")
        print_text(f"store: {store}" + (f": {store_problem}" if store_problem else ""))
    raise typer.Exit(UNCHECKED if store_problem or any(row[5] for row in rows) else OK)


def _check_store(path: "Path", config: "Config") -> "tuple[str, str, dict[str, StoredReference | None]]":
    """Return the store's address, why a run could not create or write its file, and the references in it."""
    from drift.store.engine import describe_url, parse_url, sqlite_path
    from drift.store.permissions import obstacle

    try:
        url = parse_url(config.store)
    except StoreError as error:
        raise ConfigError(f"{path}: store: {error}", code=error.code) from error
    file = sqlite_path(url)
    problem = "" if file is None else obstacle(file)
    try:
        return describe_url(url), problem, frozen_references(config)
    except StoreError as error:  # a configuration may be validated where its store is out of reach
        print_note(str(error))
        return describe_url(url), problem, {}


def _source_row(
    monitor: "Monitor", frozen: "Mapping[str, StoredReference | None]"
) -> tuple[str, str, int | None, str, str, str]:
    source = summarise_source(monitor, frozen)
    return monitor.name, str(monitor.source), source.watched, monitor.timestamp, str(monitor.period), source.problem


def plan_command(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    limit: Limit = MAX_ROWS_SHOWN,
    as_json: AsJson = False,
) -> None:
    """List the windows that are due. Writes nothing, except an empty store if there is none."""
    from drift.monitors.window import format_instant
    from drift.runner.load_reference import abandoned_reference

    loaded = load_config(config)
    rows, waiting, failed = [], [], dict(loaded.broken)
    with open_store(loaded) as store:
        for selected in selected_monitors(loaded, monitor):
            name = selected.name
            try:
                due = _due_windows(store, selected)
                retries = store.windows.retries(name, store.now())
                abandoned = abandoned_reference(store, selected, store.now())
            except DriftError as error:
                failed[name] = str(error)
                print_exception(error, name)
                continue
            rows += [
                (name, format_instant(window.start), format_instant(window.end), format_instant(at), attempts)
                for window, at, attempts in due
            ]
            waiting += [
                (name, format_instant(w.start), format_instant(w.end), format_instant(round_up(at)))
                for w, at in retries
            ]
            if abandoned:
                failed[name] = abandoned
                print_error(f"{name}: {abandoned}", code="reference-abandoned")
            if retries and not as_json:
                print_error(f"{name}: {format_retries(name, retries)}", code="retry-pending")
    keys = ("monitor", "window_start", "window_end", "due_at", "attempts")
    if as_json:
        waiting_rows = [dict(zip((*keys[:3], "next_attempt_at"), row, strict=True)) for row in waiting]
        due_rows = [dict(zip(keys, row, strict=True)) for row in rows]
        print_json({"version": 1, "due": due_rows, "waiting": waiting_rows, "failed": failed})
    else:
        if rows:
            print_table("", keys, rows[:limit])
        print_text(f"{format_count(len(rows), 'window')} due" + format_limit_note(len(rows), limit, "first"))
    raise typer.Exit(UNCHECKED if failed else OK)


def _due_windows(store: "Store", monitor: "Monitor") -> "list[tuple[Window, datetime, int]]":
    """Return the due windows, planned and new, each with its due time and the attempts made."""
    from drift.runner.plan import closed_windows
    from drift.sources import open_source

    definition = store.monitors.find(monitor.name)
    planned = [] if definition is None else store.windows.due(definition, store.now())
    planned_until = None if definition is None else store.windows.last_planned_end(definition.monitor_id)
    now = store.now()
    new = closed_windows(monitor, open_source(monitor), planned_until, now)
    return [(w.window, w.due_at, w.attempts) for w in planned] + [(window, at, 0) for window, at in new if at <= now]


def run_command(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    as_json: AsJson = False,
    fail_on: Fail = FailOn.DRIFT,
    worker: WorkerName = None,
) -> None:
    """Check every due window once, oldest first, send notifications, delete what is older than `keep`, and exit."""
    from drift.runner.check import WindowResult
    from drift.runner.retention import prune_monitors

    loaded = load_config(config)
    channels = open_channels(loaded)  # reports an invalid channel before any check
    with open_store(loaded) as store:
        results, failed, undelivered = list[WindowResult](), dict[str, str](), 0
        for group in _in_safe_order(store, selected_monitors(loaded, monitor), worker):
            group_results, group_failed = check_monitors(store, group, worker_name=worker, visible=not as_json)
            results += group_results
            failed |= group_failed
            undelivered = deliver(store, channels)
        prune_monitors(store, selected_monitors(loaded, monitor), store.now())
    _finish_run(loaded, results, failed, undelivered, as_json=as_json, fail_on=fail_on)


def _in_safe_order(store: "Store", monitors: "list[Monitor]", worker_name: str | None) -> "list[list[Monitor]]":
    """Group the monitors so that those whose reference may crash this process come last, after delivery for others."""
    from drift.runner.load_reference import monitors_with_crashes

    crashes = monitors_with_crashes(store, monitors, this_worker(store, worker_name), store.now())
    risky = sorted((m for m in monitors if m.name in crashes), key=lambda m: crashes[m.name])
    return [[m for m in monitors if m.name not in crashes], *([m] for m in risky)]


def backfill_command(
    since: Since,
    until: Until,
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    as_json: AsJson = False,
    fail_on: Fail = FailOn.DRIFT,
) -> None:
    """Check the windows of a past range, again if necessary. Earlier results stay as older revisions."""
    from drift.runner.plan import plan_backfill
    from drift.sources import open_source

    if since is None or until is None:
        raise InputError(
            "backfill needs --from and --to, such as --from 2011-01-01 --to 2011-04-01", code="missing-option"
        )
    loaded = load_config(config)
    channels = open_channels(loaded)
    with open_store(loaded) as store:
        monitors = selected_monitors(loaded, monitor)
        for selected in monitors:
            start, end = localize(since, selected), localize(until, selected)
            require_order(start, end)
            if not plan_backfill(store, selected, open_source(selected), start, end, store.now()):
                print_error(
                    f"{selected.name}: nothing to check: no window of {selected.period} ends between {start} and "
                    f"{end}, or other workers are checking all of them",
                    code="no-windows",
                )
        results, failed = check_monitors(store, monitors, visible=not as_json)
        undelivered = deliver(store, channels)
    _finish_run(loaded, results, failed, undelivered, as_json=as_json, fail_on=fail_on)


def check_monitors(
    store: "Store", monitors: "list[Monitor]", *, worker_name: str | None = None, visible: bool
) -> "tuple[list[WindowResult], dict[str, str]]":
    """Check the due windows of each monitor. Return the results, and messages of monitors that failed.

    Parameters
    ----------
    store : Store
        The store.
    monitors : list of Monitor
        The monitors to check.
    worker_name : str, optional
        Name given by `--worker`.
    visible : bool
        Whether to show a progress bar on a terminal.
    """
    from drift.runner.check import MonitorFailure, WindowResult, run_all

    worker = this_worker(store, worker_name)
    results: list[WindowResult] = []
    failed: dict[str, str] = {}
    for event in _with_progress(run_all(store, monitors, worker=worker, now=store.now), visible=visible):
        if isinstance(event, MonitorFailure):
            failed[event.monitor] = event.message
            print_error(f"{event.monitor}: {event.message}", code=event.code)
        elif isinstance(event, WindowResult):
            results.append(event)
        elif event.problem and event.monitor not in failed:  # the log has every problem
            failed[event.monitor] = event.problem
    report_leased(store, monitors)
    failed.update(report_retries(store, [m for m in monitors if m.name not in failed]))
    return results, failed


def _with_progress(
    events: "Iterator[WindowResult | RecheckSkipped | MonitorFailure]", *, visible: bool
) -> "Iterator[WindowResult | RecheckSkipped | MonitorFailure]":
    screen = console(stderr=True)
    if not (visible and screen.is_terminal):
        yield from events
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed} windows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task("checking", total=None)
        for event in events:
            progress.update(task, advance=1, description=event.monitor)
            yield event


def _finish_run(
    config: "Config",
    results: "list[WindowResult]",
    failed: dict[str, str],
    undelivered: int,
    *,
    as_json: bool,
    fail_on: FailOn,
) -> None:
    """Print the results and exit with their status."""
    failed = {**config.broken, **failed}
    rows = [_result_row(result) for result in results]
    if as_json:
        windows = [dict(zip(RESULT_KEYS, row, strict=True)) for row in rows]
        print_json({"version": 1, "windows": windows, "failed": failed})
    else:
        if rows:
            print_table("", RESULT_KEYS, rows, numeric=("rows",), spare=("window_end", "revision", "rows"))
        print_text(f"{format_count(len(rows), 'window')} checked" if rows or failed else "no window is due")
    report_unjudged(results)
    status = exit_status((verdict for result in results for verdict in result.verdicts), fail_on)
    raise typer.Exit(UNCHECKED if (failed or undelivered) and status == OK else status)


def _result_row(result: "WindowResult") -> tuple[object, ...]:
    from drift.monitors.window import format_instant

    window, outcome = result.window, result.outcome
    ends = format_instant(window.start), format_instant(window.end)
    return result.monitor, *ends, result.revision, outcome.rows, outcome.verdict.value, outcome.message
