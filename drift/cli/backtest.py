"""The command `drift backtest`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.context import NO_REFERENCE, load_config, localize, open_store, single_monitor, stored_reference
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, MonitorName, Since, Until
from drift.cli.output import format_names, print_json, print_note, print_status, print_table, print_text
from drift.errors import InputError, StoreError

if TYPE_CHECKING:
    from drift.backtest import Backtest
    from drift.backtest.rules import ReplayRules
    from drift.monitors.spec import Monitor
    from drift.report.backtest_chart import Panel
    from drift.store import Store

WHOLE_WINDOW = "(whole window)"


def backtest_command(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    since: Since = None,
    until: Until = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help="auto, or a number for every column. Repeatable: one replay each.")
    ] = None,
    warn: Annotated[float | None, typer.Option(help="Warning threshold; needs --threshold NUMBER.")] = None,
    false_alarms: Annotated[
        list[str] | None,
        typer.Option(
            "--false-alarms",
            help='False-alarm budget for --threshold auto, such as "1 per 90d". Repeatable: one replay each.',
        ),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Divergence for every column.")] = None,
    smoothing: Annotated[
        str | None, typer.Option(help="Smoothing for every column: none, jeffreys, laplace, perks, or a pseudo-count.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="fixed (as frozen), rolling:28d, seasonal:1w or seasonal:1w:3.")
    ] = None,
    for_windows: Annotated[
        int | None, typer.Option("--for", min=1, help="Consecutive bad windows before an alert fires.")
    ] = None,
    keep_firing_for: Annotated[
        int | None, typer.Option("--keep-firing-for", min=0, help="Good windows before an alert resolves.")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Write a chart of columns by windows to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay stored windows: which alerts would other rules have raised?

    Reads stored histograms only, no raw data, and writes nothing to the store. Without options the monitor's own
    rules are replayed. The exit status is 0 whatever the result.
    """
    from drift.backtest import rule_variants

    loaded = load_config(config)
    selected = single_monitor(loaded, monitor)
    shared = _shared_rules(selected, metric, smoothing, reference, for_windows, keep_firing_for)
    rule_sets = rule_variants(shared, threshold or [], false_alarms or [], warn)
    if false_alarms and not any(rules.uses_budget(selected) for rules in rule_sets):
        print_note("every column has a fixed threshold, so --false-alarms has no effect; add --threshold auto")
    with open_store(loaded) as store:
        start, end = (moment and localize(moment, selected) for moment in (since, until))
        backtests = _replay(store, selected, rule_sets, start, end)
    if png is not None:
        _draw(png, backtests)
    _print(backtests, as_json=as_json)
    if png is not None:
        print_status(f"wrote {png}")


def _shared_rules(
    monitor: "Monitor",
    metric: str | None,
    smoothing: str | None,
    reference: str | None,
    for_windows: int | None,
    keep_firing_for: int | None,
) -> "ReplayRules":
    """Return the rules that all replays share."""
    from drift.backtest import ReplayRules, parse_reference
    from drift.config import values

    parsed, notes = (None, ()) if reference is None else parse_reference(reference, monitor)
    for note in notes:
        print_note(note)
    return ReplayRules(
        metric=None if metric is None else values.metric(metric),
        smoothing=None if smoothing is None else values.smoothing(smoothing),
        reference=parsed,
        for_windows=for_windows,
        keep_firing_for=keep_firing_for,
    )


def _replay(
    store: "Store", monitor: "Monitor", rule_sets: "list[ReplayRules]", since: datetime | None, until: datetime | None
) -> "list[Backtest]":
    from drift.backtest import load_stored_windows, replay_windows
    from drift.runner.evaluate import window_rng

    monitors = [rules.apply_to(monitor) for rules in rule_sets]  # refuses impossible rules before anything is read
    if (reference := stored_reference(store, monitor)) is None:
        raise StoreError(f"{monitor.name}: {NO_REFERENCE}", code="no-reference")
    windows = load_stored_windows(store, monitor, since, until)
    return [
        replay_windows(m, reference, windows, lambda window, part: window_rng(monitor.name, window, part))
        for m in monitors
    ]


def _print(backtests: "list[Backtest]", *, as_json: bool) -> None:
    if as_json:
        documents = [b.to_dict() for b in backtests]
        print_json(documents[0] if len(documents) == 1 else {"version": 1, "backtests": documents})
    elif len(backtests) == 1:
        _print_one(backtests[0])
    else:
        _print_several(backtests)


def _print_one(backtest: "Backtest") -> None:
    from drift.backtest import describe_rules
    from drift.monitors.window import format_instant

    print_text(f"{backtest.monitor}, {describe_rules(backtest.rules)}: {_scope(backtest)}")
    rows = [
        (
            format_instant(alert.fired.start),
            "still firing" if alert.resolved is None else format_instant(alert.resolved.start),
            alert.windows,
            alert.column or WHOLE_WINDOW,
            alert.segment,
            alert.rule,
            alert.message,
        )
        for alert in backtest.alerts
    ]
    segmented = any(segment for segment, _ in backtest.columns)
    keys = ["fired", "resolved", "windows", "column", "segment", "rule", "message"]
    if rows:
        print_table("", keys, rows, numeric=("windows",), spare=() if segmented else ("segment",))
    print_text(_outcome(backtest))
    if backtest.level is not None:
        print_text(f"to keep the false-alarm budget, a column drifts only at a p-value below {backtest.level:.2g}")
    if backtest.kept:
        print_text(f"{backtest.kept} column-windows have other bins than the reference; their stored verdicts are used")


def _scope(backtest: "Backtest") -> str:
    from drift.monitors.window import format_instant

    windows = list(backtest.windows)
    first, last = format_instant(windows[0].start), format_instant(windows[-1].end)
    return f"{first} to {last}, windows: {len(windows)}, columns: {len(backtest.columns)}"


def _outcome(backtest: "Backtest") -> str:
    evaluated = len(backtest.columns) * len(backtest.windows)
    within_variation = (
        f"; {backtest.insufficient} more reach the threshold but are within normal variation"
        if backtest.insufficient
        else ""
    )
    return (
        f"alerts: {len(backtest.alerts)} ({backtest.alerts_per_90d:.2g} per 90 days), notifications: "
        f"{backtest.messages}; drift in {backtest.drifted} of {evaluated} column-windows{within_variation}"
    )


def _print_several(backtests: "list[Backtest]") -> None:
    from drift.backtest import describe_rules

    print_text(f"{backtests[0].monitor}: {_scope(backtests[0])}")
    rows = []
    for backtest in backtests:
        names = format_names([f"{_label(t.segment, t.column)} {t.alerts}" for t in backtest.tallies if t.alerts])
        counts = (
            len(backtest.alerts), backtest.alerts_per_90d, backtest.messages, backtest.drifted, backtest.insufficient,
        )  # fmt: skip
        rows.append((describe_rules(backtest.rules), *counts, names))
    keys = ("rules", "alerts", "per 90 days", "notifications", "drifted", "normal variation", "alerts by column")
    print_table("", keys, rows, numeric=keys[1:6], spare=("notifications", "normal variation", "drifted"))


def _label(segment: str, column: str) -> str:
    name = column or WHOLE_WINDOW
    return f"{name} ({segment})" if segment else name


def _panel(backtest: "Backtest") -> "Panel":
    from drift.backtest import describe_rules
    from drift.report.backtest_chart import Mark, Panel, mark_kind

    return Panel(
        title=f"{backtest.monitor}: {describe_rules(backtest.rules)}",
        subtitle=f"{_scope(backtest)}; {_outcome(backtest)}",
        labels=[_label(tally.segment, tally.column) for tally in backtest.tallies],
        windows=list(backtest.windows),
        marks=[
            Mark(_label(c.segment, c.column), c.window, mark_kind(c.verdict, firing=c.firing)) for c in backtest.cells
        ],
    )


def _draw(path: Path, backtests: "list[Backtest]") -> None:
    from drift.report.backtest_chart import backtest_png

    content = backtest_png([_panel(b) for b in backtests])
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; choose another path", code="file-unwritable"
        ) from error
