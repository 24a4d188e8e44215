"""The command that tells what the reference's own windows teach."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drift.cli.backtest import known_baseline, unfrozen
from drift.cli.context import load_config, open_store, selected_monitors
from drift.cli.monitors import now
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, MonitorName
from drift.cli.output import OK, UNCHECKED, complain, print_json, print_table, say
from drift.errors import InputError

if TYPE_CHECKING:
    from drift.monitors.spec import Monitor
    from drift.references.calibration_report import ColumnCalibration


def calibrate(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    column: Annotated[str | None, typer.Option(help="Only this column, with the limits of all its bins.")] = None,
    as_json: AsJson = False,
) -> None:
    """What the reference's own windows teach: per column who judges, by which limits, and the least change it sees.

    Of a reference that moves, as the next window will have it. Nothing is read but the store.
    """
    from drift.references.calibration_report import calibration_rows, next_reference
    from drift.stats.null_distribution import SIGNIFICANCE

    loaded = load_config(config)
    documents: list[dict[str, Any]] = []
    names: dict[str, None] = {}
    missing = False
    with open_store(loaded) as store:
        for one in selected_monitors(loaded, monitor):
            baseline = known_baseline(store, one)
            if baseline is None:
                complain(f"drift: {unfrozen(one)}")
                missing = True
                continue
            held = next_reference(store, one, baseline, now())
            found = calibration_rows(one, baseline, held, SIGNIFICANCE)
            kept = [c for c in found if column is None or c.column == column]
            names |= dict.fromkeys(c.column for c in found)
            kind = held.note["reference"]
            documents += [{"monitor": one.name, "reference": kind, **c.to_dict(bins=column is not None)} for c in kept]
            if kept and not as_json:
                _print_calibrated(one, held.note, kept, bins=column is not None)
    if column is not None and names and column not in names:
        raise InputError(f"no reference has a column {column!r}; there are {', '.join(names)}")
    if as_json:
        print_json({"version": 1, "columns": documents})
    raise typer.Exit(UNCHECKED if missing else OK)


def _print_calibrated(
    monitor: "Monitor", note: Mapping[str, Any], found: "list[ColumnCalibration]", *, bins: bool
) -> None:
    from drift.monitors.verdict import format_frequency

    stretch = f", {note['from']} to {note['to']}" if note["from"] else ""
    say(f"{monitor.name}: {note['reference']} reference, {note['windows']} windows of {monitor.period}{stretch}")
    if any(c.level is not None for c in found):
        say(
            f"false alarms of {note['budget']} over {note['checks']} columns: drift is what an ordinary window shows "
            f"{format_frequency(note['level'], monitor.period.length)} (a p-value below {note['level']:.2g})"
        )
    keys = ("column", "segment", "judge", "windows", "rows", "mean", "largest", "detectable", "nearest limits")
    rows = [
        (
            *(c.column, c.segment, c.judge, c.windows or None, c.rows and round(c.rows), c.mean, c.largest),
            c.detectable,
            ", ".join(map(str, c.nearest)) or c.why,
        )
        for c in found
    ]
    print_table("", keys, rows, numeric=keys[3:8], spare=("segment", "rows", "mean", "largest"))
    for one in found if bins else ():
        _print_bins(one)
    _print_unlike(found)


def _print_bins(found: "ColumnCalibration") -> None:
    from drift.references.calibration_report import format_share

    say(f"{found.column}{f' ({found.segment})' if found.segment else ''}: {found.why}")
    if found.bins:
        rows = [(b.label, *(format_share(share) for share in (b.reference, b.low, b.high))) for b in found.bins]
        print_table(
            "",
            ("reference", "from", "to", "bin"),
            [(*row[1:], row[0]) for row in rows],
            numeric=("reference", "from", "to"),
        )


SHOWN = 5


def _print_unlike(found: "list[ColumnCalibration]") -> None:
    from drift.monitors.window import format_instant

    told = [(c, window) for c in found for window, _ in c.unlike]
    if not told:
        return
    by_window: dict[str, list[str]] = {}
    for one, window in told:
        label = f"{one.column} ({one.segment})" if one.segment else one.column
        by_window.setdefault(format_instant(window.start), []).append(label)
    say("reference windows unlike the others; they widen the limits:")
    ordered = sorted(by_window.items(), key=lambda item: (-len(item[1]), item[0]))
    for start, labels in ordered[:SHOWN]:
        say(f"  {start}: {', '.join(labels[:5])}" + (f" and {len(labels) - 5} more" if len(labels) > 5 else ""))
    if len(ordered) > SHOWN:
        say(f"  and {len(ordered) - SHOWN} more: --json lists them")
    say("if they were incidents, `drift baseline accept` a stretch without them")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(calibrate)
