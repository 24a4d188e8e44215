"""The command `drift`: options in, messages and exit status out. No logic lives here."""

import logging
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, NoReturn

import typer

from drift.cli import backtest, baseline, calibrate, compare, demo, init, monitors, service, show
from drift.cli.logs import LogFormat, as_json, finish_logs, set_up_logs
from drift.cli.output import UNCHECKED, USAGE, complain
from drift.errors import ConfigError, DriftError, InputError
from drift.runner.worker import exit_handler

app = typer.Typer(
    name="drift",
    help="Has a feature left the distribution the model was trained on?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's signature
    if wanted:
        from drift import __version__

        typer.echo(f"drift {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Logs on stderr: text or json.")
    ] = LogFormat.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every window on stderr.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback has the say
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Drift detection for models in production."""
    set_up_logs(log_format, verbose=verbose)


demo.register(app)
compare.register(app)
init.register(app)
monitors.register(app)
show.register(app)
baseline.register(app)
backtest.register(app)
calibrate.register(app)
service.register(app)


class _Terminated(SystemExit):
    """SIGTERM came."""


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    """End as by Ctrl-C: what is held is given back, no half file stays. A second signal ends the process at once."""
    signal.signal(number, exit_handler())
    raise _Terminated(128 + number)


def main() -> None:
    """Run the command; errors of drift's own become one line and an exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except _Terminated:  # now by the signal itself, whatever thread still hangs
        complain("drift: ended by SIGTERM; what was in hand is given back, the next run goes on")
        finish_logs()
        signal.signal(signal.SIGTERM, exit_handler())
        signal.raise_signal(signal.SIGTERM)
    except (ConfigError, InputError) as error:
        complain(f"drift: {error}")
        sys.exit(USAGE)
    except DriftError as error:
        complain(f"drift: {error}")
        sys.exit(UNCHECKED)
    except Exception:  # a defect is neither "no drift" nor "drift"
        if as_json():
            logging.getLogger("drift").critical("a defect", exc_info=True)
        else:
            traceback.print_exc()
        complain("drift: this is a defect of drift; please report it with the lines above")
        sys.exit(UNCHECKED)
    finally:
        finish_logs()
