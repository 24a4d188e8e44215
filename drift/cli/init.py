"""The command `drift init`: a starting configuration written from the data."""

from typing import Annotated

import typer

from drift.cli.options import DEFAULT_CONFIG, ConfigFile
from drift.cli.output import say


def init(
    data: Annotated[str, typer.Argument(help="Parquet or CSV: a path, or a glob in quotes.")],
    timestamp: Annotated[str | None, typer.Option(help="The column that places a row in a window.")] = None,
    timezone: Annotated[str, typer.Option(help="Of calendar days.")] = "UTC",
    config: ConfigFile = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace a configuration that is there.")] = False,
) -> None:
    """Write a commented starting configuration, from the data."""
    from datetime import UTC, datetime

    from drift.cli.start_configuration import start_configuration

    written = start_configuration(
        data, config, timestamp=timestamp, timezone=timezone, now=datetime.now(UTC), force=force
    )
    say(f"wrote {written}")
    say(f"next:  drift validate -c {written}\n       drift plan -c {written}\n       drift run -c {written}")


def register(app: typer.Typer) -> None:
    """Add the command `drift init`."""
    app.command()(init)
