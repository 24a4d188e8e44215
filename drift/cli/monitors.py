"""Commands that check: validate, plan, run, backfill."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from drift.cli.context import chosen, instant, load_config, open_channels, open_store
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, Fail, FailOn, MonitorName, Since, Until
from drift.cli.output import OK, UNCHECKED, USAGE, complain, console, exit_status, print_json, print_table, say
from drift.errors import DriftError

if TYPE_CHECKING:
    from drift.check import Checked, Failed
    from drift.config import Config
    from drift.monitor import Monitor
    from drift.store import Store
    from drift.window import Window


def now() -> datetime:
    """The time, in UTC: read here, passed on from here."""
    return datetime.now(UTC)


def validate(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Is the configuration sound, and are its sources there?"""
    loaded = load_config(config, strict=True)
    rows = [_source_row(monitor) for monitor in loaded.monitors.values()]
    if as_json:
        keys = ("monitor", "source", "columns", "timestamp", "window", "problem")
        print_json({"version": 1, "monitors": [dict(zip(keys, row, strict=True)) for row in rows]})
    else:
        print_table("", ("monitor", "source", "columns", "timestamp", "window", "problem"), rows)
        sound = sum(not row[5] for row in rows)
        say(f"{config}: {sound} of {len(rows)} monitors ready; {len(loaded.channels)} channels")
        say(f"store: {_shown_url(loaded.store)}")
    raise typer.Exit(UNCHECKED if any(row[5] for row in rows) else OK)


def _source_row(monitor: "Monitor") -> tuple[str, str, int | None, str, str, str]:
    from drift.sources import open_reference, open_source

    head = (monitor.name, monitor.source.path)
    tail = (monitor.timestamp, str(monitor.period))
    try:
        source = open_source(monitor)
        available = source.columns()
        span = source.span()
        known = set(open_reference(monitor).columns())
    except DriftError as error:
        return (*head, None, *tail, str(error))
    watched = monitor.columns.watched(available)
    absent = [name for name in watched if name not in known]
    problem = ""
    if absent:
        problem = f"columns not in the data: {', '.join(absent)}; there are {', '.join(sorted(known))}"
    elif span is None:
        problem = f"no row has a {monitor.timestamp}"
    return (*head, len(watched), *tail, problem)


def _shown_url(url: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)


def plan(config: ConfigFile = DEFAULT_CONFIG, monitor: MonitorName = None, as_json: AsJson = False) -> None:
    """What would run: which windows are due. Writes nothing but the empty store, where there is none."""
    from drift.window import format_instant

    loaded = load_config(config)
    rows, failed = [], dict(loaded.broken)
    with open_store(loaded) as store:
        for one in chosen(loaded, monitor):
            try:
                due = _due(store, one)
            except DriftError as error:
                failed[one.name] = str(error)
                complain(f"drift: {one.name}: {error}")
                continue
            rows += [
                (one.name, format_instant(window.start), format_instant(window.end), format_instant(at), attempts)
                for window, at, attempts in due
            ]
    keys = ("monitor", "window_start", "window_end", "due_at", "attempts")
    if as_json:
        print_json({"version": 1, "due": [dict(zip(keys, row, strict=True)) for row in rows], "failed": failed})
    else:
        if rows:
            print_table("", keys, rows[:PLAN_SHOWN])
        say(f"{len(rows)} windows are due" + ("" if len(rows) <= PLAN_SHOWN else f", {PLAN_SHOWN} are shown"))
    raise typer.Exit(UNCHECKED if failed else OK)


PLAN_SHOWN = 40


def _due(store: "Store", monitor: "Monitor") -> "list[tuple[Window, datetime, int]]":
    from drift.planning import new_windows
    from drift.sources import open_source

    known = store.find(monitor.name)
    waiting = [] if known is None else [(w.window, w.due_at, w.attempts) for w in store.due(known, now())]
    planned_until = None if known is None else store.last_planned_end(known.monitor_id)
    fresh = new_windows(monitor, open_source(monitor), planned_until, now())
    return waiting + [(window, at, 0) for window, at in fresh if at <= now()]


def run(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    as_json: AsJson = False,
    fail_on: Fail = FailOn.DRIFT,
) -> None:
    """Check every due window once, oldest first, deliver what is to be told, exit."""
    loaded = load_config(config)
    with open_store(loaded) as store:
        checked, failed = check_monitors(store, chosen(loaded, monitor), visible=not as_json)
        deliver(store, loaded)
    finish(loaded, checked, failed, as_json=as_json, fail_on=fail_on)


def backfill(
    since: Since,
    until: Until,
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    as_json: AsJson = False,
    fail_on: Fail = FailOn.DRIFT,
) -> None:
    """(Re)check the windows of a past stretch; what was found before stays, as an older revision."""
    from drift.planning import backfill as plan_again

    if since is None or until is None:
        complain("drift: backfill needs --from and --to, such as --from 2011-01-01 --to 2011-04-01")
        raise typer.Exit(USAGE)
    loaded = load_config(config)
    with open_store(loaded) as store:
        monitors = chosen(loaded, monitor)
        for one in monitors:
            start, end = instant(since, one), instant(until, one)
            assert start is not None  # noqa: S101 - for the type checker
            assert end is not None  # noqa: S101
            plan_again(store, one, start, end, now())
        checked, failed = check_monitors(store, monitors, visible=not as_json)
        deliver(store, loaded)
    finish(loaded, checked, failed, as_json=as_json, fail_on=fail_on)


def check_monitors(
    store: "Store", monitors: "list[Monitor]", *, visible: bool
) -> "tuple[list[Checked], dict[str, str]]":
    """Check the due windows of each monitor, with a progress bar on a terminal."""
    from drift.check import Failed, run_all
    from drift.worker import Worker

    checked: list[Checked] = []
    failed: dict[str, str] = {}
    for one in _with_progress(run_all(store, monitors, worker=Worker.this(), now=now), visible=visible):
        if isinstance(one, Failed):
            failed[one.monitor] = one.message
            complain(f"drift: {one.monitor}: {one.message}")
        else:
            checked.append(one)
    _tell_held(store, monitors)
    return checked, failed


def _tell_held(store: "Store", monitors: "list[Monitor]") -> None:
    """What another worker is checking just now is not lost, but the user may wonder."""
    for one in monitors:
        definition = store.find(one.name)
        for held in () if definition is None else store.held(definition.monitor_id, now()):
            complain(
                f"drift: {one.name}: window {held.window} is being checked by {held.owner}; "
                f"it and later ones wait, until {held.until:%Y-%m-%d %H:%M:%S} UTC at most"
            )


def _with_progress(found: "Iterator[Checked | Failed]", *, visible: bool) -> "Iterator[Checked | Failed]":
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


def deliver(store: "Store", config: "Config") -> None:
    """Send what waits to be sent; what fails is kept and told."""
    import numpy as np

    from drift.deliver import drain

    drained = drain(store, open_channels(config), now, rng=np.random.default_rng())
    if drained.retried or drained.dead:
        complain(f"drift: {drained.retried} deliveries failed and will be tried again, {drained.dead} were given up")


def finish(
    config: "Config", checked: "list[Checked]", failed: dict[str, str], *, as_json: bool, fail_on: FailOn
) -> None:
    """Print what was checked, and exit with the status it deserves."""
    problems = {**config.broken, **failed}
    rows = [checked_row(one) for one in checked]
    if as_json:
        print_json(
            {"version": 1, "windows": [dict(zip(ROW_KEYS, row, strict=True)) for row in rows], "failed": problems}
        )
    elif rows:
        print_table("", ROW_KEYS, rows, numeric=("rows",))
    if not as_json:
        say(f"{len(checked)} windows checked" if checked or problems else "nothing is due")
    status = exit_status((verdict for one in checked for verdict in one.verdicts), fail_on)
    raise typer.Exit(UNCHECKED if problems and status == OK else status)


ROW_KEYS = ("monitor", "window_start", "window_end", "revision", "rows", "verdict", "message")


def checked_row(one: "Checked") -> tuple[object, ...]:
    """One line of what a window gave."""
    from drift.window import format_instant

    ends = format_instant(one.window.start), format_instant(one.window.end)
    return (one.monitor, *ends, one.revision, one.outcome.rows, one.outcome.verdict.value, one.outcome.message)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (validate, plan, run, backfill):
        app.command()(command)
