"""The commands `drift serve`, `drift db` and `drift doctor`."""

import logging
import os
import socket
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drift.cli.context import load_config, open_channels, open_store, this_worker
from drift.cli.logs import flush_stderr, lines_dropped, make_stderr_nonblocking
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, WorkerName
from drift.cli.output import OK, UNCHECKED, format_count, print_json, print_table, print_text, with_code
from drift.cli.secret_files import SecretFiles
from drift.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from drift.server.web import Access

StoreUrl = Annotated[
    str | None,
    typer.Option("--store", help="URL of the store; the configuration is not read.", show_default=False),
]

log = logging.getLogger(__name__)


def steady_clock() -> "Callable[[], datetime]":
    """Return a clock that starts at this host's time in UTC and never jumps; for signs of life only.

    It stands still while the host is suspended, as the ticks do.
    """
    start, zero = datetime.now(UTC), time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - zero)


def exit_now() -> None:
    """End the process at once: a hanging thread cannot be stopped. Its leases expire."""
    flush_stderr()
    os._exit(UNCHECKED)


def serve_command(
    config: ConfigFile = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8756,
    tick: Annotated[float, typer.Option(help="Seconds between checks for due windows.")] = 30.0,
    max_silence: Annotated[
        float,
        typer.Option("--give-up-after", min=1, help="Seconds without a sign of life after which the process exits."),
    ] = 300.0,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve every client that reaches the address, without DRIFT_TOKEN.")
    ] = False,
    worker: WorkerName = None,
) -> None:
    """Check due windows and send notifications continuously; serve page, API and metrics.

    SIGTERM and Ctrl-C stop it after the windows in progress; a window that takes longer than 20 s is released. A
    second signal stops it at once. If it hangs, or does not start, for 5 minutes (`--give-up-after`), it exits with
    status 3, to be restarted. The configuration is read once: restart after a change. If no monitor is valid, it
    exits with status 2. Requests need the secret in DRIFT_TOKEN. DRIFT_ALLOWED_HOSTS lists the host names it answers
    to, separated by commas.
    """
    import numpy as np

    from drift.server import Scheduler, Watchdog
    from drift.server.web import Site, access_for, create_app, listen, serve_until_stopped

    make_stderr_nonblocking()
    drift_log = logging.getLogger("drift")
    drift_log.setLevel(min(drift_log.level, logging.INFO))  # a service logs what it does
    access = access_for(host, SecretFiles(os.environ), insecure=insecure)
    loaded = load_config(config)
    if not loaded.monitors:  # each was reported; a service that watches nothing would look healthy
        message = (
            f"{config}: none of {format_count(len(loaded.broken), 'monitor')} is valid; `drift validate` shows why"
        )
        raise ConfigError(message, code="no-valid-monitor")
    channels = open_channels(loaded)
    # A frozen database would block the start for ever: until the service watches itself, this watchdog does.
    starting = Watchdog("its start", max_silence, exit_now)
    with listen(host, port) as listening, starting, open_store(loaded) as store:
        service = Scheduler(
            store,
            list(loaded.monitors.values()),
            channels,
            now=store.now,
            worker=this_worker(store, worker),
            rng=np.random.default_rng(),
            interval=tick,
            clock=steady_clock(),
            on_silence=exit_now,
            max_silence=max_silence,
        )
        app = create_app(Site(store, service, loaded.monitors, store.now, loaded.broken, lines_dropped), access)
        _announce(access, listening, len(loaded.monitors))
        starting.stop()
        serve_until_stopped(app, listening, service)
    log.info("stopped; due windows stay due")


def _announce(access: "Access", listening: socket.socket, monitors: int) -> None:
    from drift.server.web import is_loopback, is_short_token, listens_everywhere, url_of

    url = url_of(listening)
    if is_short_token(access.token):
        log.warning(
            "WEAK: DRIFT_TOKEN is short enough to be guessed; use at least 16 random characters",
            extra={"code": "weak-token"},
        )
    if access.token is None and not is_loopback(listening.getsockname()[0]):
        log.warning(
            "INSECURE: every client that reaches %s can read everything; set DRIFT_TOKEN and drop --insecure",
            url,
            extra={"code": "insecure"},
        )
    log.info(
        "serving %s%s (%d monitors, %s; answers to %s)",
        url,
        " and every other address of this machine" if listens_everywhere(listening) else "",
        monitors,
        "no token" if access.token is None else "token needed",
        ", ".join(access.hosts),
        extra={"fields": {"url": url, "monitors": monitors}},
    )


def db_upgrade(config: ConfigFile = DEFAULT_CONFIG, store: StoreUrl = None) -> None:
    """Upgrade the schema of the store to the newest; create the SQLite file if there is none."""
    from drift.store.migrate import upgrade

    before, after = upgrade(_store_url(config, store))
    print_text(f"schema {after}, unchanged" if before == after else f"schema {before or 'none'} -> {after}")


def db_current(config: ConfigFile = DEFAULT_CONFIG, store: StoreUrl = None) -> None:
    """Print the schema of the store, and the newest."""
    from drift.store.migrate import head, stored_revision

    print_text(f"{stored_revision(_store_url(config, store)) or 'none'} (newest: {head()})")


def db_check(config: ConfigFile = DEFAULT_CONFIG, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Check that the store has the schema that this version needs; exit status 3 if not."""
    from drift.store.migrate import check, head

    problems = check(_store_url(config, store))
    if as_json:
        print_json({"version": 1, "newest": head(), "problems": problems})
    else:
        print_text("\n".join(problems) if problems else f"schema {head()}: ok")
    raise typer.Exit(UNCHECKED if problems else OK)


def _store_url(config: Path, store: str | None) -> str:
    return store if store is not None else load_config(config).store


def doctor_command(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check libraries, configuration, store, sources and channels. Sends and writes nothing."""
    from drift.cli.doctor import examine, versions

    checks = examine(config, SecretFiles(os.environ), lambda: datetime.now(UTC))
    failed = sum(not check.works for check in checks)
    libraries = versions()
    if as_json:
        rows = [asdict(check) for check in checks]
        print_json({"version": 1, "works": not failed, "versions": libraries, "checks": rows})
    else:
        print_text("  ".join(f"{name} {version}" for name, version in libraries.items()))
        table = [
            ("failed", check.part, check.name, with_code(check.message, check.code))
            if check.code
            else ("ok", check.part, check.name, check.message)
            for check in checks
        ]
        print_table("", ("", "part", "name", "result"), table)
        print_text(f"{failed} of {len(checks)} checks failed" if failed else f"all {len(checks)} checks passed")
    raise typer.Exit(UNCHECKED if failed else OK)
