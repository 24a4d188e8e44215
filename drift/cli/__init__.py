"""The command line `drift`: parses options, prints messages and sets the exit status. No domain logic."""

import logging
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from drift.cli import alerts, backtest, baseline, calibrate, compare, demo, init, monitors, service, show
from drift.cli.logs import LogFormat, as_json, finish_logs, set_up_logs
from drift.cli.output import UNCHECKED, USAGE, print_error, print_exception
from drift.errors import ConfigError, DriftError, InputError
from drift.runner.worker import exit_handler

app = typer.Typer(
    name="drift",
    help="Has a feature left the distribution that the model was trained on?",
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
        LogFormat, typer.Option("--log-format", help="Format of the logs on stderr: text or json.")
    ] = LogFormat.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every window on stderr.")] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Drift detection for models in production."""
    set_up_logs(log_format, verbose=verbose)


def _add_group(name: str, text: str, **commands: Callable[..., None]) -> None:
    group = typer.Typer(help=text, no_args_is_help=True)
    for command, function in commands.items():
        group.command(command)(function)
    app.add_typer(group, name=name)


_COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    "demo": demo.demo_command,
    "compare": compare.compare_command,
    "init": init.init_command,
    "validate": monitors.validate_command,
    "plan": monitors.plan_command,
    "run": monitors.run_command,
    "backfill": monitors.backfill_command,
    "scores": show.scores_command,
    "windows": show.windows_command,
    "report": show.report_command,
    "backtest": backtest.backtest_command,
    "calibrate": calibrate.calibrate_command,
    "serve": service.serve_command,
    "doctor": service.doctor_command,
}
for _name, _function in _COMMANDS.items():
    app.command(_name)(_function)
_add_group("alerts", "List alerts; resend notifications.", list=alerts.alerts_list, resend=alerts.alerts_resend)
_add_group("baseline", "Show or replace the reference.", show=baseline.baseline_show, accept=baseline.baseline_accept)
_add_group(
    "db", "Migrate the schema of the store.",
    upgrade=service.db_upgrade, current=service.db_current, check=service.db_check,
)  # fmt: skip


class _Terminated(SystemExit):
    """SIGTERM arrived."""


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    """End as after Ctrl-C: leases are released and no partial file stays. A second signal ends the process at once."""
    signal.signal(number, exit_handler())
    raise _Terminated(128 + number)


def main() -> None:
    """Run the command. An error of drift becomes one line and an exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except _Terminated:  # end by the signal itself, even if a thread hangs
        print_error("stopped by SIGTERM; unfinished windows were released, the next run continues", code="terminated")
        finish_logs()
        signal.signal(signal.SIGTERM, exit_handler())
        signal.raise_signal(signal.SIGTERM)
    except (ConfigError, InputError) as error:
        print_exception(error)
        sys.exit(USAGE)
    except DriftError as error:
        print_exception(error)
        sys.exit(UNCHECKED)
    except Exception:  # a defect means neither "no drift" nor "drift"
        if as_json():
            logging.getLogger("drift").critical("internal error", exc_info=True, extra={"code": "internal-error"})
        else:
            traceback.print_exc()
        print_error("internal error in drift; please report it with the lines above", code="internal-error")
        sys.exit(UNCHECKED)
    finally:
        finish_logs()
