"""The command that asks which alerts other rules would have raised."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.context import instant, load_config, open_store, single_monitor
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, MonitorName, Since, Until
from drift.cli.output import complain, print_json, print_table, say
from drift.errors import InputError, StoreError

if TYPE_CHECKING:
    from drift.backtest import Backtest
    from drift.backtest.rules import ReplayRules
    from drift.monitors.spec import Monitor
    from drift.report.backtest_chart import Panel
    from drift.store import Store
    from drift.store.definitions import StoredReference


def backtest(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    since: Since = None,
    until: Until = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help="auto, or a number for every column. More than once: one replay each.")
    ] = None,
    warn: Annotated[float | None, typer.Option(help="Where warnings begin; goes with --threshold NUMBER.")] = None,
    false_alarms: Annotated[
        list[str] | None,
        typer.Option(
            "--false-alarms", help='What auto must hold, such as "1 per 90d". More than once: one replay each.'
        ),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Of every column.")] = None,
    smoothing: Annotated[str | None, typer.Option(help="Of every column: none, jeffreys, laplace, a number.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="fixed (as frozen), rolling:28d, seasonal:1w or seasonal:1w:3.")
    ] = None,
    for_windows: Annotated[
        int | None, typer.Option("--for", min=1, help="Bad windows in a row before an alert fires.")
    ] = None,
    keep_firing_for: Annotated[
        int | None, typer.Option("--keep-firing-for", min=0, help="Calm windows that an alert goes on firing.")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Write a picture: columns by windows, and what fires.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge stored windows again: which alerts would other rules have raised?

    Only stored histograms are read: no raw data, and nothing is written to the store. Without options the monitor's
    own rules are replayed. The exit status is 0 whatever is found: this is a question, not a check.
    """
    from drift.backtest import variants

    loaded = load_config(config)
    one = single_monitor(loaded, monitor)
    shared = _rules(one, metric, smoothing, reference, for_windows, keep_firing_for)
    tried = variants(shared, threshold or [], false_alarms or [], warn)
    if false_alarms and not any(rules.heeds_budget(one) for rules in tried):
        complain("drift: note: a number judges every column, so --false-alarms changes nothing; add --threshold auto")
    with open_store(loaded) as store:
        found = _replayed(store, one, tried, instant(since, one), instant(until, one))
    if png is not None:
        _draw(png, found)
    _print(found, as_json=as_json)
    if png is not None:
        complain(f"wrote {png}")


def _rules(
    monitor: "Monitor",
    metric: str | None,
    smoothing: str | None,
    reference: str | None,
    for_windows: int | None,
    keep_firing_for: int | None,
) -> "ReplayRules":
    """What is the same in every replay."""
    from drift.backtest import ReplayRules, parse_reference
    from drift.config import values

    moved, notes = (None, ()) if reference is None else parse_reference(reference, monitor)
    for note in notes:
        complain(f"drift: note: {note}")
    return ReplayRules(
        metric=None if metric is None else values.metric(metric),
        smoothing=None if smoothing is None else values.smoothing(smoothing),
        reference=moved,
        for_windows=for_windows,
        keep_firing_for=keep_firing_for,
    )


def _replayed(
    store: "Store", monitor: "Monitor", tried: "list[ReplayRules]", since: datetime | None, until: datetime | None
) -> "list[Backtest]":
    from drift.backtest import load_stored_windows, replay_windows
    from drift.runner.evaluate import window_rng

    monitors = [rules.applied(monitor) for rules in tried]  # what cannot be is told before anything is read
    if (baseline := known_baseline(store, monitor)) is None:
        raise StoreError(unfrozen(monitor))
    stretch = load_stored_windows(store, monitor, since, until)
    return [
        replay_windows(m, baseline, stretch, lambda window, part: window_rng(monitor.name, window, part))
        for m in monitors
    ]


def known_baseline(store: "Store", monitor: "Monitor") -> "StoredReference | None":
    """What windows are held against now; None where nothing is frozen for this configuration."""
    from drift.references import current_reference

    definition = store.find(monitor.name)
    return None if definition is None else current_reference(store, monitor, definition.monitor_id)


def unfrozen(monitor: "Monitor") -> str:
    """What to do then."""
    return f"{monitor.name}: no reference is frozen yet for this configuration; `drift run` does it"


def _print(found: "list[Backtest]", *, as_json: bool) -> None:
    if as_json:
        documents = [each.to_dict() for each in found]
        print_json(documents[0] if len(documents) == 1 else {"version": 1, "backtests": documents})
    elif len(found) == 1:
        _print_one(found[0])
    else:
        _print_many(found)


def _print_one(found: "Backtest") -> None:
    from drift.backtest import describe_rules
    from drift.monitors.window import format_instant

    say(f"{found.monitor}, {describe_rules(found.rules)}: {_span(found)}")
    rows = [
        (
            format_instant(alert.fired.start),
            "still firing" if alert.resolved is None else format_instant(alert.resolved.start),
            alert.windows,
            alert.column or WHOLE,
            alert.segment,
            alert.rule,
            alert.message,
        )
        for alert in found.alerts
    ]
    segmented = any(segment for segment, _ in found.columns)
    keys = ["fired", "resolved", "windows", "column", "segment", "rule", "message"]
    if rows:
        print_table("", keys, rows, numeric=("windows",), spare=() if segmented else ("segment",))
    say(_outcome(found))
    if found.level is not None:
        say(f"the budget asks each column for a p-value below {found.level:.2g}")
    if found.kept:
        say(f"{found.kept} column-windows were counted on other bins than the reference has now: as stored")


WHOLE = "(whole window)"


def _span(found: "Backtest") -> str:
    from drift.monitors.window import format_instant

    windows = list(found.windows)
    first, last = format_instant(windows[0].start), format_instant(windows[-1].end)
    return f"{first} to {last}, windows: {len(windows)}, columns: {len(found.columns)}"


def _outcome(found: "Backtest") -> str:
    checked = len(found.columns) * len(found.windows)
    noise = f"; {found.insufficient} more reach it within the noise" if found.insufficient else ""
    return (
        f"alerts: {len(found.alerts)} ({found.alerts_per_90d:.2g} per 90 days), messages: {found.messages}; "
        f"drift in {found.drifted} of {checked} column-windows{noise}"
    )


def _print_many(found: "list[Backtest]") -> None:
    from drift.backtest import describe_rules

    say(f"{found[0].monitor}: {_span(found[0])}")
    rows = []
    for each in found:
        firing = [t for t in each.tallies if t.alerts]
        named = ", ".join(f"{t.column or WHOLE}{f' ({t.segment})' if t.segment else ''} {t.alerts}" for t in firing[:5])
        more = f", and {len(firing) - 5} more" if len(firing) > 5 else ""
        counts = (len(each.alerts), each.alerts_per_90d, each.messages, each.drifted, each.insufficient)
        rows.append((describe_rules(each.rules), *counts, named + more))
    keys = ("rules", "alerts", "per 90 days", "messages", "drifted", "within noise", "columns and their alerts")
    print_table("", keys, rows, numeric=keys[1:6], spare=("messages", "within noise", "drifted"))


def _panel(found: "Backtest") -> "Panel":
    from drift.backtest import describe_rules
    from drift.report.backtest_chart import Mark, Panel, mark_kind

    def label(segment: str, column: str) -> str:
        return f"{column} ({segment})" if segment else column or WHOLE

    return Panel(
        title=f"{found.monitor}: {describe_rules(found.rules)}",
        subtitle=f"{_span(found)}; {_outcome(found)}",
        labels=[label(tally.segment, tally.column) for tally in found.tallies],
        windows=list(found.windows),
        marks=[Mark(label(c.segment, c.column), c.window, mark_kind(c.verdict, firing=c.firing)) for c in found.cells],
    )


def _draw(path: Path, found: "list[Backtest]") -> None:
    from drift.report.backtest_chart import backtest_png

    content = backtest_png([_panel(each) for each in found])
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another place") from error


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(backtest)
