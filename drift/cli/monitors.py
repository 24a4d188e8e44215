"""Commands that check: validate, plan, run, backfill."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from drift.cli.context import (
    frozen_references,
    instant,
    load_config,
    open_channels,
    open_store,
    selected_monitors,
    summarise_source,
    this_worker,
)
from drift.cli.options import (
    DEFAULT_CONFIG,
    SHOWN,
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
    USAGE,
    complain,
    console,
    exit_status,
    format_limit_note,
    print_json,
    print_table,
    say,
)
from drift.cli.run_summary import deliver, format_retries, minute, report_leased, report_retries, report_unjudged
from drift.errors import ConfigError, DriftError, InputError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from drift.config import Config
    from drift.monitors.spec import Monitor
    from drift.monitors.window import Window
    from drift.runner.check import MonitorFailure, RecheckSkipped, WindowResult
    from drift.store import Store
    from drift.store.definitions import StoredReference


def now() -> datetime:
    """The time, in UTC and whole seconds: read here, passed on from here."""
    return datetime.now(UTC).replace(microsecond=0)


def validate(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Is the configuration sound, and are its sources there? Writes nothing."""
    from drift.config import InvalidConfigError, explain_reference

    try:
        loaded = load_config(config, strict=True)
    except InvalidConfigError as error:
        if as_json:
            print_json({"version": 1, "problems": [problem.to_dict() for problem in error.problems]})
        raise
    open_channels(loaded)
    store, amiss, frozen = _look_at_store(config, loaded)
    rows = [_source_row(monitor, frozen) for monitor in loaded.monitors.values()]
    keys = ("monitor", "source", "columns", "timestamp", "window", "problem")
    if as_json:
        told = {"url": store, "problem": amiss}
        print_json({"version": 1, "monitors": [dict(zip(keys, row, strict=True)) for row in rows], "store": told})
    else:
        print_table("", keys, rows, spare=("timestamp", "window", "columns"))
        for one in loaded.monitors.values():
            say(f"{one.name}: held against {explain_reference(one)}")
        sound = sum(not row[5] for row in rows)
        say(f"{config}: {sound} of {len(rows)} monitors ready; {len(loaded.channels)} channels")
        say(f"store: {store}" + (f": {amiss}" if amiss else ""))
    raise typer.Exit(UNCHECKED if amiss or any(row[5] for row in rows) else OK)


def _look_at_store(path: "Path", config: "Config") -> "tuple[str, str, dict[str, StoredReference | None]]":
    """The store's address, what keeps a run from making or writing its file, and the references it holds."""
    from drift.store.engine import describe_url, parse_url, sqlite_path
    from drift.store.permissions import obstacle

    try:
        url = parse_url(config.store)
    except StoreError as error:
        raise ConfigError(f"{path}: store: {error}") from error
    file = sqlite_path(url)
    amiss = "" if file is None else obstacle(file)
    try:
        return describe_url(url), amiss, frozen_references(config)
    except StoreError as error:  # no reason to refuse a configuration: it may be validated where no store is
        complain(f"drift: note: {error}")
        return describe_url(url), amiss, {}


def _source_row(
    monitor: "Monitor", frozen: "Mapping[str, StoredReference | None]"
) -> tuple[str, str, int | None, str, str, str]:
    found = summarise_source(monitor, frozen)
    return (monitor.name, str(monitor.source), found.watched, monitor.timestamp, str(monitor.period), found.problem)


def plan(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    limit: Limit = SHOWN,
    as_json: AsJson = False,
) -> None:
    """What would run: which windows are due. Writes nothing but the empty store, where there is none."""
    from drift.monitors.window import format_instant
    from drift.runner.load_reference import abandoned_reference

    loaded = load_config(config)
    rows, later, failed = [], [], dict(loaded.broken)
    with open_store(loaded) as store:
        for one in selected_monitors(loaded, monitor):
            try:
                due = _due(store, one)
                waiting = store.retries(one.name, store.now())
                refused = abandoned_reference(store, one, store.now())
            except DriftError as error:
                failed[one.name] = str(error)
                complain(f"drift: {one.name}: {error}")
                continue
            rows += [
                (one.name, format_instant(window.start), format_instant(window.end), format_instant(at), attempts)
                for window, at, attempts in due
            ]
            later += [(one.name, format_instant(w.start), format_instant(w.end), minute(at)) for w, at in waiting]
            if refused:
                failed[one.name] = refused
                complain(f"drift: {one.name}: {refused}")
            if waiting and not as_json:
                complain(f"drift: {one.name}: {format_retries(one.name, waiting)}")
    keys = ("monitor", "window_start", "window_end", "due_at", "attempts")
    if as_json:
        waits = [dict(zip((*keys[:3], "next_attempt_at"), row, strict=True)) for row in later]
        due_rows = [dict(zip(keys, row, strict=True)) for row in rows]
        print_json({"version": 1, "due": due_rows, "waiting": waits, "failed": failed})
    else:
        if rows:
            print_table("", keys, rows[:limit])
        say(f"{len(rows)} windows are due" + format_limit_note(len(rows), limit, "first"))
    raise typer.Exit(UNCHECKED if failed else OK)


def _due(store: "Store", monitor: "Monitor") -> "list[tuple[Window, datetime, int]]":
    from drift.runner.plan import new_windows
    from drift.sources import open_source

    known = store.find(monitor.name)
    waiting = [] if known is None else [(w.window, w.due_at, w.attempts) for w in store.due(known, store.now())]
    planned_until = None if known is None else store.last_planned_end(known.monitor_id)
    moment = store.now()
    fresh = new_windows(monitor, open_source(monitor), planned_until, moment)
    return waiting + [(window, at, 0) for window, at in fresh if at <= moment]


def run(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    as_json: AsJson = False,
    fail_on: Fail = FailOn.DRIFT,
    worker: WorkerName = None,
) -> None:
    """Check every due window once, oldest first, deliver what is to be told, thin out what is old (`keep`), exit."""
    from drift.runner.check import WindowResult
    from drift.runner.retention import prune_monitors

    loaded = load_config(config)
    channels = open_channels(loaded)  # what is wrong with one is told before anything is checked
    with open_store(loaded) as store:
        checked, failed, undelivered = list[WindowResult](), dict[str, str](), 0
        for some in _in_turn(store, selected_monitors(loaded, monitor), worker):
            found, amiss = check_monitors(store, some, post=worker, visible=not as_json)
            checked += found
            failed |= amiss
            undelivered = deliver(store, channels)
        prune_monitors(store, selected_monitors(loaded, monitor), store.now())
    finish(loaded, checked, failed, undelivered, as_json=as_json, fail_on=fail_on)


def _in_turn(store: "Store", monitors: "list[Monitor]", post: str | None) -> "list[list[Monitor]]":
    """Those whose reference may end this process come last, when the others are checked and what they found is sent."""
    from drift.runner.load_reference import monitors_with_crashes

    lost = monitors_with_crashes(store, monitors, this_worker(store, post), store.now())
    late = sorted((one for one in monitors if one.name in lost), key=lambda one: lost[one.name])
    return [[one for one in monitors if one.name not in lost], *([one] for one in late)]


def backfill(
    since: Since,
    until: Until,
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    as_json: AsJson = False,
    fail_on: Fail = FailOn.DRIFT,
) -> None:
    """(Re)check the windows of a past stretch; what was found before stays, as an older revision."""
    from drift.runner.plan import backfill as plan_again
    from drift.sources import open_source

    if since is None or until is None:
        complain("drift: backfill needs --from and --to, such as --from 2011-01-01 --to 2011-04-01")
        raise typer.Exit(USAGE)
    loaded = load_config(config)
    channels = open_channels(loaded)
    with open_store(loaded) as store:
        monitors = selected_monitors(loaded, monitor)
        for one in monitors:
            start, end = instant(since, one), instant(until, one)
            assert start is not None  # noqa: S101 - for the type checker
            assert end is not None  # noqa: S101
            if not start < end:
                raise InputError(
                    f"--from ({start.isoformat()}) does not lie before --to ({end.isoformat()}); turn them round"
                )
            if not plan_again(store, one, open_source(one), start, end, store.now()):
                complain(
                    f"drift: {one.name}: no window of {one.period} closed between {start} and {end}, "
                    "or all that did are being checked just now"
                )
        checked, failed = check_monitors(store, monitors, visible=not as_json)
        undelivered = deliver(store, channels)
    finish(loaded, checked, failed, undelivered, as_json=as_json, fail_on=fail_on)


def check_monitors(
    store: "Store", monitors: "list[Monitor]", *, post: str | None = None, visible: bool
) -> "tuple[list[WindowResult], dict[str, str]]":
    """Check the due windows of each monitor, with a progress bar on a terminal."""
    from drift.runner.check import MonitorFailure, WindowResult, run_all

    worker = this_worker(store, post)
    checked: list[WindowResult] = []
    failed: dict[str, str] = {}
    for one in _with_progress(run_all(store, monitors, worker=worker, now=store.now), visible=visible):
        if isinstance(one, MonitorFailure):
            failed[one.monitor] = one.message
            complain(f"drift: {one.monitor}: {one.message}")
        elif isinstance(one, WindowResult):
            checked.append(one)
        elif one.problem and one.monitor not in failed:  # the log has them all
            failed[one.monitor] = one.problem
    report_leased(store, monitors)
    failed.update(report_retries(store, [one for one in monitors if one.name not in failed]))
    return checked, failed


def _with_progress(
    found: "Iterator[WindowResult | RecheckSkipped | MonitorFailure]", *, visible: bool
) -> "Iterator[WindowResult | RecheckSkipped | MonitorFailure]":
    screen = console(stderr=True)
    if not (visible and screen.is_terminal):
        yield from found
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
        for one in found:
            progress.update(task, advance=1, description=one.monitor)
            yield one


def finish(
    config: "Config",
    checked: "list[WindowResult]",
    failed: dict[str, str],
    undelivered: int,
    *,
    as_json: bool,
    fail_on: FailOn,
) -> None:
    """Print what was checked, and exit with the status it deserves."""
    problems = {**config.broken, **failed}
    rows = [checked_row(one) for one in checked]
    if as_json:
        print_json(
            {"version": 1, "windows": [dict(zip(ROW_KEYS, row, strict=True)) for row in rows], "failed": problems}
        )
    elif rows:
        print_table("", ROW_KEYS, rows, numeric=("rows",), spare=("window_end", "revision", "rows"))
    if not as_json:
        say(f"{len(checked)} windows checked" if checked or problems else "nothing is due")
    report_unjudged(checked)
    status = exit_status((verdict for one in checked for verdict in one.verdicts), fail_on)
    raise typer.Exit(UNCHECKED if (problems or undelivered) and status == OK else status)


ROW_KEYS = ("monitor", "window_start", "window_end", "revision", "rows", "verdict", "message")


def checked_row(one: "WindowResult") -> tuple[object, ...]:
    """One line of what a window gave."""
    from drift.monitors.window import format_instant

    ends = format_instant(one.window.start), format_instant(one.window.end)
    return (one.monitor, *ends, one.revision, one.outcome.rows, one.outcome.verdict.value, one.outcome.message)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (validate, plan, run, backfill):
        app.command()(command)
