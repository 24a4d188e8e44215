"""The command `drift init`."""

from typing import Annotated

import typer

from drift.cli.options import DEFAULT_CONFIG, ConfigFile
from drift.cli.output import print_text


def init_command(
    data: Annotated[str, typer.Argument(help="Parquet or CSV: a path, or a quoted glob.")],
    timestamp: Annotated[str | None, typer.Option(help="Timestamp column, which places a row in a window.")] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of calendar days.")] = "UTC",
    config: ConfigFile = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing configuration.")] = False,
) -> None:
    """Write a commented starting configuration for some data."""
    from datetime import UTC, datetime

    from drift.cli.start_configuration import start_configuration

    written = start_configuration(
        data, config, timestamp=timestamp, timezone=timezone, now=datetime.now(UTC), force=force
    )
    print_text(f"wrote {written}")
    print_text(f"next:  drift validate -c {written}\n       drift plan -c {written}\n       drift run -c {written}")
