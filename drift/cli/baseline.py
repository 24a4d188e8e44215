"""The commands `drift baseline show` and `drift baseline accept`."""

import getpass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drift.cli.context import (
    NO_REFERENCE,
    load_config,
    localize,
    open_store,
    require_order,
    selected_monitors,
    single_monitor,
    stored_reference,
    utc_now,
)
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, MonitorName, Since, Until, parse_time
from drift.cli.output import print_error, print_json, print_table, print_text
from drift.errors import InputError

if TYPE_CHECKING:
    from drift.monitors.spec import Monitor
    from drift.monitors.window import Window
    from drift.store import StoredReference


def baseline_show(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    include_old: Annotated[bool, typer.Option("--all", help="Include replaced references, newest first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the reference of each monitor: its data, its age, who accepted it, and its bins."""
    from drift.runner.load_reference import abandoned_reference

    loaded = load_config(config)
    references: list[tuple[str, bool, StoredReference]] = []
    with open_store(loaded) as store:
        for selected in selected_monitors(loaded, monitor):
            current = stored_reference(store, selected)
            if current is not None:
                references.append((selected.name, True, current))
            elif abandoned := abandoned_reference(store, selected, store.now()):
                print_error(f"{selected.name}: {abandoned}", code="reference-abandoned")
            else:
                print_error(f"{selected.name}: {NO_REFERENCE}", code="no-reference")
            if include_old and (definition := store.monitors.find(selected.name)) is not None:
                older = [
                    r for r in store.references.all(definition.monitor_id) if current is None or r.id != current.id
                ]
                references += [(selected.name, False, reference) for reference in older]
    if as_json:
        documents = [_document(name, reference, current=current) for name, current, reference in references]
        print_json({"version": 1, "baselines": documents})
        return
    for name, is_current, reference in references:
        if is_current:
            _print_reference(name, reference)
    if include_old:
        _print_overview(references)


def baseline_accept(
    why: Annotated[str, typer.Option("--why", help="Reason; stored with the reference.")],
    since: Since = None,
    until: Until = None,
    window: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time, metavar="TIME", help="Accept the window that contains this time, instead of a range."
        ),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who accepts it; default: the login name.")] = None,
    keep_bins: Annotated[
        bool,
        typer.Option("--keep-bins", help="Sum stored histograms on the current bins, without reading the data."),
    ] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    as_json: AsJson = False,
) -> None:
    """Accept a range of live data as the new reference.

    Its rows are read again from the source and get new bins, unless --keep-bins is given. Windows checked from now on
    are compared with it, with limits learned from it. Earlier verdicts and the replaced reference are kept.
    """
    from drift.references import Acceptance, accept_windows

    loaded = load_config(config)
    selected = single_monitor(loaded, monitor)
    acceptance = Acceptance(_accepted_range(selected, since, until, window), _login(by), why, keep_bins)
    with open_store(loaded) as store:
        accepted = accept_windows(store, selected, acceptance, utc_now())
    if as_json:
        print_json({"version": 1, "baselines": [_document(selected.name, accepted, current=True)]})
        return
    _print_origin(selected.name, accepted)
    print_text("windows checked from now on are compared with it; `drift backfill` checks earlier windows again")
    _print_warnings(accepted)


def _accepted_range(
    monitor: "Monitor", since: datetime | None, until: datetime | None, window: datetime | None
) -> "Window":
    from drift.monitors.window import Window

    start, end, inside = (moment and localize(moment, monitor) for moment in (since, until, window))
    if inside is not None and start is None and end is None:
        return monitor.period.window_at(inside, monitor.timezone)
    if inside is not None or start is None or end is None:
        raise InputError(
            "choose what to accept: either --from and --to, such as --from 2011-04-01 --to 2011-07-01, or --window",
            code="missing-option",
        )
    require_order(start, end)
    return Window(start, end)


def _login(by: str | None) -> str:
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:  # depends on Python version and system
        raise InputError(
            f"this system has no login name ({error}); name who accepts with --by", code="missing-option"
        ) from error


def _document(name: str, reference: "StoredReference", *, current: bool) -> dict[str, Any]:
    return {
        "monitor": name,
        "id": reference.id,
        "current": current,
        "created_at": reference.created_at.isoformat(),
        "windows": len(reference.windows),
        "note": dict(reference.note),
        "segments": {key: profile.to_dict() for key, profile in reference.profiles.items()},
    }


def _origin(reference: "StoredReference") -> str:
    return reference.note.get("path") or " to ".join(reference.note.get("window") or ())


def _print_origin(name: str, reference: "StoredReference") -> None:
    rows, created = reference.profiles[""].rows, f"{reference.created_at:%Y-%m-%d %H:%M} UTC"
    windows = len(reference.windows)
    print_text(f"{name}: {rows:,} rows of {_origin(reference)}, frozen {created}; reference windows: {windows}")
    if (accepted := reference.note.get("accepted")) is not None:
        bins = "with the previous bins" if accepted["kept_bins"] else "with new bins"
        print_text(f"accepted as the new reference by {accepted['by']}, {bins}: {accepted['why']}")


def _print_warnings(reference: "StoredReference") -> None:
    for warning in reference.note.get("warnings", ()):
        print_text(f"note: {warning}")


def _print_reference(name: str, reference: "StoredReference") -> None:
    _print_origin(name, reference)
    whole = reference.profiles[""]
    rows: list[tuple[object, ...]] = [
        (column, h.axis.kind.value, h.axis.n_bins, h.missing, "  ".join(h.labels)) for column, h in whole.items()
    ]
    rows += [(column, None, None, None, uncounted.message) for column, uncounted in whole.uncounted.items()]
    print_table("", ("column", "kind", "bins", "missing", "labels"), rows, numeric=("bins", "missing"))
    _print_warnings(reference)


def _print_overview(references: "list[tuple[str, bool, StoredReference]]") -> None:
    rows = []
    for name, current, reference in references:
        accepted = reference.note.get("accepted") or {}
        created = f"{reference.created_at:%Y-%m-%d %H:%M}"
        size = (reference.profiles[""].rows, len(reference.windows), _origin(reference))
        row = (name, reference.id, "yes" if current else "no", created, *size, accepted.get("by"), accepted.get("why"))
        rows.append(row)
    keys = ("monitor", "id", "current", "frozen", "rows", "windows", "from", "by", "why")
    print_table("", keys, rows, numeric=("id", "rows", "windows"), spare=("windows", "rows"))
