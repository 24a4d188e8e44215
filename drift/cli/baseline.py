"""Commands on the frozen reference: show it, or accept a stretch as the new normal."""

import getpass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drift.cli.context import instant, load_config, open_store, selected_monitors, single_monitor
from drift.cli.monitors import now
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, MonitorName, Since, Until, parse_time
from drift.cli.output import complain, print_json, print_table, say
from drift.errors import InputError

if TYPE_CHECKING:
    from drift.monitors.spec import Monitor
    from drift.monitors.window import Window
    from drift.store import StoredReference


def baseline_show(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    every: Annotated[bool, typer.Option("--all", help="Those it replaced as well, the newest first.")] = False,
    as_json: AsJson = False,
) -> None:
    """What each monitor is held against: from what it was made, when, by whom, on which bins."""
    from drift.references import current_reference
    from drift.runner.load_reference import abandoned_reference

    loaded = load_config(config)
    shown: list[tuple[str, bool, StoredReference]] = []
    with open_store(loaded) as store:
        for one in selected_monitors(loaded, monitor):
            definition = store.find(one.name)
            known = None if definition is None else current_reference(store, one, definition.monitor_id)
            if known is None:
                refused = abandoned_reference(store, one, store.now())
                told = refused or "no reference is frozen yet for this configuration; `drift run` does it"
                complain(f"drift: {one.name}: {told}")
            else:
                shown.append((one.name, True, known))
            older = store.baselines(definition.monitor_id) if every and definition is not None else []
            shown += [(one.name, False, old) for old in older if known is None or old.id != known.id]
    if as_json:
        print_json({"version": 1, "baselines": [_document(name, b, current=is_it) for name, is_it, b in shown]})
        return
    for name, current, baseline in shown:
        if current:
            _print(name, baseline)
    if every:
        _print_all(shown)


def baseline_accept(
    why: Annotated[str, typer.Option("--why", help="The reason; it is kept.")],
    since: Since = None,
    until: Until = None,
    window: Annotated[
        datetime | None,
        typer.Option(parser=parse_time, metavar="TIME", help="In place of --from and --to: the window that holds it."),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who says so; default: the login name.")] = None,
    keep_bins: Annotated[
        bool,
        typer.Option("--keep-bins", help="Sum up stored histograms on the bins there are; the data is not read."),
    ] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    as_json: AsJson = False,
) -> None:
    """Accept a stretch of live data as the new normal.

    It is read anew from the source, and new bins are chosen, unless --keep-bins. Windows are held against it from
    then on, with limits learned anew; what was judged before stays as it is, and so does the reference it replaces.
    """
    from drift.references import Acceptance, accept_windows

    loaded = load_config(config)
    one = single_monitor(loaded, monitor)
    acceptance = Acceptance(_stretch(one, since, until, window), _login(by), why, keep_bins)
    with open_store(loaded) as store:
        accepted = accept_windows(store, one, acceptance, now())
    if as_json:
        print_json({"version": 1, "baselines": [_document(one.name, accepted, current=True)]})
        return
    _print_origin(one.name, accepted)
    say("windows checked from now on are held against it; those judged before stay as they are (`drift backfill`)")
    _print_warnings(accepted)


def _stretch(monitor: "Monitor", since: datetime | None, until: datetime | None, window: datetime | None) -> "Window":
    from drift.monitors.window import Window

    start, end, inside = (instant(moment, monitor) for moment in (since, until, window))
    if inside is not None and start is None and end is None:
        return monitor.period.window_at(inside, monitor.timezone)
    if inside is not None or start is None or end is None:
        raise InputError("say what to accept: --from and --to, such as --from 2011-04-01 --to 2011-07-01, or --window")
    if not start < end:
        raise InputError(f"--from ({start.isoformat()}) does not lie before --to ({end.isoformat()}); turn them round")
    return Window(start, end)


def _login(by: str | None) -> str:
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:  # which of them depends on Python and system
        raise InputError(f"this system has no login name ({error}); say who accepts with --by") from error


def _document(name: str, known: "StoredReference", *, current: bool) -> dict[str, Any]:
    return {
        "monitor": name,
        "id": known.id,
        "current": current,
        "created_at": known.created_at.isoformat(),
        "windows": len(known.windows),
        "note": dict(known.note),
        "segments": {key: profile.to_dict() for key, profile in known.profiles.items()},
    }


def _origin(known: "StoredReference") -> str:
    return known.note.get("path") or " to ".join(known.note.get("window") or ())


def _print_origin(name: str, known: "StoredReference") -> None:
    rows, made = known.profiles[""].rows, f"{known.created_at:%Y-%m-%d %H:%M} UTC"
    say(f"{name}: {rows:,} rows of {_origin(known)}, frozen {made}; reference windows: {len(known.windows)}")
    if (accepted := known.note.get("accepted")) is not None:
        bins = "on the bins there were" if accepted["kept_bins"] else "on new bins"
        say(f"accepted as the new normal by {accepted['by']}, {bins}: {accepted['why']}")


def _print_warnings(known: "StoredReference") -> None:
    for warning in known.note.get("warnings", ()):
        say(f"note: {warning}")


def _print(name: str, known: "StoredReference") -> None:
    _print_origin(name, known)
    whole = known.profiles[""]
    rows: list[tuple[object, ...]] = [
        (column, h.axis.kind.value, h.axis.n_bins, h.missing, "  ".join(h.labels)) for column, h in whole.items()
    ]
    rows += [(column, None, None, None, lost.message) for column, lost in whole.uncounted.items()]
    print_table("", ("column", "kind", "bins", "missing", "labels"), rows, numeric=("bins", "missing"))
    _print_warnings(known)


def _print_all(shown: "list[tuple[str, bool, StoredReference]]") -> None:
    rows = []
    for name, current, known in shown:
        accepted = known.note.get("accepted") or {}
        made = f"{known.created_at:%Y-%m-%d %H:%M}"
        own = ("yes" if current else "no", made, known.profiles[""].rows, len(known.windows), _origin(known))
        rows.append((name, known.id, *own, accepted.get("by"), accepted.get("why")))
    keys = ("monitor", "id", "current", "frozen", "rows", "windows", "from", "by", "why")
    print_table("", keys, rows, numeric=("id", "rows", "windows"), spare=("windows", "rows"))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    baseline = typer.Typer(help="What windows are held against.", no_args_is_help=True)
    baseline.command("show")(baseline_show)
    baseline.command("accept")(baseline_accept)
    app.add_typer(baseline, name="baseline")
