"""What brings back messages that were given up."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import typer

from drift.cli.context import load_config, open_store
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, parse_time
from drift.cli.output import complain, print_json, print_table, say
from drift.errors import ConfigError

SHOWN = ("channel", "created_at", "status", "attempts", "error", "title")


def alerts_resend(
    config: ConfigFile = DEFAULT_CONFIG,
    channel: Annotated[str | None, typer.Option(help="Only of this channel.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=parse_time, metavar="TIME", help="Only messages made since; ISO 8601, UTC unless it says."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have messages that were given up sent again, oldest first: by the next run, or by `serve` within seconds.

    They keep their ids, so that a receiver which has one drops it, and have all their attempts anew. Nothing is sent
    by this command itself. A message tells of its own window: what has been resolved since may be among them.
    """
    loaded = load_config(config)
    if channel is not None and channel not in loaded.channels:
        known = ", ".join(loaded.channels) or "none"
        raise ConfigError(f"no channel {channel!r} in the configuration; there are {known}")
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    channels = list(loaded.channels) if channel is None else [channel]
    with open_store(loaded) as store:
        again = store.resend(store.now(), channels, since)
        left = store.delivery_counts().get("dead", 0)
    if as_json:
        print_json({"version": 1, "deliveries": again, "given_up": left})
        return
    if again:
        print_table("", SHOWN, ([row[key] for key in SHOWN] for row in again), numeric=("attempts",))
    each = Counter(row["channel"] for row in again)
    told = ", ".join(f"{number} to {name}" for name, number in each.items())
    say(f"{len(again)} deliveries are due again{f': {told}' if told else ''}")
    if left:
        complain(f"drift: {left} others stay given up: not asked for, or their channel is not configured")
