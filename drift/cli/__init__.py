"""The command `drift`: options in, messages and exit status out. No logic lives here."""

import logging
import sys
from typing import Annotated

import typer

from drift.cli import adhoc, monitors, service, stored
from drift.cli.logs import LogFormat, set_up_logs
from drift.cli.output import UNCHECKED, USAGE, complain
from drift.errors import ConfigError, DriftError, InputError

app = typer.Typer(
    name="drift",
    help="Has a feature left the distribution the model was trained on?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _main(
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Logs on stderr: text or json.")
    ] = LogFormat.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every window on stderr.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Drift detection for models in production."""
    set_up_logs(log_format, verbose=verbose)
    if version:
        from drift import __version__

        typer.echo(f"drift {__version__}")
        raise typer.Exit


adhoc.register(app)
monitors.register(app)
stored.register(app)
service.register(app)


def main() -> None:
    """Run the command; errors of drift's own become one line and an exit status."""
    try:
        app()
    except (ConfigError, InputError) as error:
        complain(f"drift: {error}")
        sys.exit(USAGE)
    except DriftError as error:
        complain(f"drift: {error}")
        sys.exit(UNCHECKED)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        sys.exit(0)
    finally:
        logging.shutdown()
