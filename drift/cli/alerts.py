"""The commands `drift alerts list` and `drift alerts resend`."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import typer

from drift.cli.context import load_config, open_store, selected_monitors
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, MonitorName, parse_time
from drift.cli.output import format_count, print_json, print_note, print_table, print_text
from drift.errors import ConfigError, InputError

ALERT_KEYS = ("monitor", "column", "segment", "rule", "state", "since", "last_window", "reason")
SPARE_ALERT_KEYS = ("last_window", "segment", "rule")
DELIVERY_KEYS = ("channel", "created_at", "status", "attempts", "error", "title")


def alerts_list(
    config: ConfigFile = DEFAULT_CONFIG,
    monitor: MonitorName = None,
    state: Annotated[str | None, typer.Option(help="Only alerts that are ok, pending, firing or resolved.")] = None,
    as_json: AsJson = False,
) -> None:
    """List alerts and their states."""
    from drift.monitors.alert_state import State

    loaded = load_config(config)
    if monitor is not None:
        selected_monitors(loaded, monitor)  # refuses an unknown name
    if state is not None and state not in list(State):
        raise InputError(f"unknown alert state {state!r}; known states are {', '.join(State)}", code="unknown-state")
    with open_store(loaded) as store:
        rows = store.queries.alerts(monitor=monitor, state=state)
    if as_json:
        print_json({"version": 1, "alerts": rows})
        return
    shown = [row for row in rows if state is not None or row["state"] != "ok"]
    print_table("", ALERT_KEYS, ([row[key] for key in ALERT_KEYS] for row in shown), spare=SPARE_ALERT_KEYS)
    print_text(format_count(len(shown), "alert"))


def alerts_resend(
    config: ConfigFile = DEFAULT_CONFIG,
    channel: Annotated[str | None, typer.Option(help="Only notifications to this channel.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time,
            metavar="TIME",
            help="Only notifications created at or after this time, in ISO 8601; UTC if it has no offset.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Queue undeliverable notifications again, oldest first.

    The next `drift run` sends them, or `drift serve` within seconds. They keep their ids, so that a receiver can
    discard duplicates, and start again with no attempts used. A notification describes its own window: the alert may
    have been resolved meanwhile.
    """
    loaded = load_config(config)
    if channel is not None and channel not in loaded.channels:
        known = ", ".join(loaded.channels) or "none"
        raise ConfigError(f"the configuration has no channel {channel!r}; it has {known}", code="unknown-channel")
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    channels = list(loaded.channels) if channel is None else [channel]
    with open_store(loaded) as store:
        queued = store.outbox.resend(store.now(), channels, since)
        remaining = store.outbox.counts().get("dead", 0)
    if as_json:
        print_json({"version": 1, "deliveries": queued, "given_up": remaining})
        return
    if queued:
        print_table("", DELIVERY_KEYS, ([row[key] for key in DELIVERY_KEYS] for row in queued), numeric=("attempts",))
    by_channel = ", ".join(f"{n} to {name}" for name, n in Counter(row["channel"] for row in queued).items())
    print_text(f"{format_count(len(queued), 'notification')} queued again" + (f": {by_channel}" if by_channel else ""))
    if remaining:
        print_note(f"{format_count(remaining, 'notification')} not queued: not selected, or to an unconfigured channel")
