"""The command `drift calibrate`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drift.cli.context import NO_REFERENCE, load_config, open_store, selected_monitors, stored_reference, utc_now
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, MonitorName
from drift.cli.output import OK, UNCHECKED, format_names, print_error, print_json, print_table, print_text
from drift.errors import InputError

if TYPE_CHECKING:
    from drift.monitors.spec import Monitor
    from drift.references.calibration_report import ColumnCalibration

MAX_UNUSUAL_WINDOWS = 5


def calibrate_command(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    column: Annotated[str | None, typer.Option(help="Only this column, with the limits of all its bins.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the limits learned from the reference windows: for each column, what is drift and what would be detected.

    For a moving reference these are the limits of the next window. Reads the store only.
    """
    from drift.references.calibration_report import calibration_rows, next_reference
    from drift.stats.null_distribution import SIGNIFICANCE

    loaded = load_config(config)
    documents: list[dict[str, Any]] = []
    known: dict[str, None] = {}
    incomplete = False
    with open_store(loaded) as store:
        for selected in selected_monitors(loaded, monitor):
            stored = stored_reference(store, selected)
            if stored is None:
                print_error(f"{selected.name}: {NO_REFERENCE}", code="no-reference")
                incomplete = True
                continue
            resolved = next_reference(store, selected, stored, utc_now())
            calibrations = calibration_rows(selected, stored, resolved, SIGNIFICANCE)
            known |= dict.fromkeys(c.column for c in calibrations)
            shown = [c for c in calibrations if column is None or c.column == column]
            kind = resolved.note["reference"]
            documents += [
                {"monitor": selected.name, "reference": kind, **c.to_dict(bins=column is not None)} for c in shown
            ]
            if shown and not as_json:
                _print_monitor(selected, resolved.note, shown, bins=column is not None)
    if column is not None and known and column not in known:
        raise InputError(f"no reference has a column {column!r}; it has {', '.join(known)}", code="column-missing")
    if as_json:
        print_json({"version": 1, "columns": documents})
    raise typer.Exit(UNCHECKED if incomplete else OK)


def _print_monitor(
    monitor: "Monitor", note: Mapping[str, Any], calibrations: "list[ColumnCalibration]", *, bins: bool
) -> None:
    from drift.monitors.verdict import format_frequency

    span = f", {note['from']} to {note['to']}" if note["from"] else ""
    print_text(f"{monitor.name}: {note['reference']} reference, {note['windows']} windows of {monitor.period}{span}")
    if any(c.level is not None for c in calibrations):
        print_text(
            f"false-alarm budget: {note['budget']} over {note['checks']} columns; limit for each column: "
            f"{format_frequency(note['level'], monitor.period.length)} (a p-value below {note['level']:.2g})"
        )
    keys = ("column", "segment", "judge", "windows", "rows", "mean", "largest", "detectable", "nearest limits")
    rows = [
        (
            *(c.column, c.segment, c.decided_by, c.windows or None, c.rows and round(c.rows), c.mean, c.largest),
            c.detectable,
            ", ".join(map(str, c.nearest)) or c.explanation,
        )
        for c in calibrations
    ]
    print_table("", keys, rows, numeric=keys[3:8], spare=("segment", "rows", "mean", "largest"))
    for calibration in calibrations if bins else ():
        _print_bins(calibration)
    _print_unusual_windows(calibrations)


def _print_bins(calibration: "ColumnCalibration") -> None:
    from drift.references.calibration_report import format_share

    print_text(f"{_label(calibration)}: {calibration.explanation}")
    if calibration.bins:
        rows = [(*map(format_share, (b.reference, b.low, b.high)), b.label) for b in calibration.bins]
        print_table("", ("reference", "from", "to", "bin"), rows, numeric=("reference", "from", "to"))


def _label(calibration: "ColumnCalibration") -> str:
    segment = calibration.segment
    return f"{calibration.column} ({segment})" if segment else calibration.column


def _print_unusual_windows(calibrations: "list[ColumnCalibration]") -> None:
    from drift.monitors.window import format_instant

    by_window: dict[str, list[str]] = {}
    for calibration in calibrations:
        for window, _ in calibration.outliers:
            by_window.setdefault(format_instant(window.start), []).append(_label(calibration))
    if not by_window:
        return
    print_text("unusual reference windows, which widen the limits:")
    ordered = sorted(by_window.items(), key=lambda item: (-len(item[1]), item[0]))
    for start, labels in ordered[:MAX_UNUSUAL_WINDOWS]:
        print_text(f"  {start}: {format_names(labels)}")
    if len(ordered) > MAX_UNUSUAL_WINDOWS:
        print_text(f"  and {len(ordered) - MAX_UNUSUAL_WINDOWS} more: see --json")
    print_text("if these were incidents, run `drift baseline accept` on a range without them")
