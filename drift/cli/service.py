"""Commands for what runs on: serve, db, doctor."""

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
from drift.cli.logs import drain, keep_nobody_waiting, lines_dropped
from drift.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, WorkerName
from drift.cli.output import OK, UNCHECKED, print_json, print_table, say
from drift.cli.secret_files import SecretFiles
from drift.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from drift.server.web import Access

StoreUrl = Annotated[
    str | None, typer.Option("--store", help="The store's URL; no configuration is read.", show_default=False)
]

log = logging.getLogger(__name__)


def now() -> datetime:
    """The time, in UTC: read here, passed on from here."""
    return datetime.now(UTC)


def steady_clock() -> "Callable[[], datetime]":
    """This host's time in UTC, told on from here by its count of seconds: it never steps. For signs of life alone.

    While the host is suspended it stands still, like the ticks.
    """
    begun, zero = now(), time.monotonic()
    return lambda: begun + timedelta(seconds=time.monotonic() - zero)


def give_up() -> None:
    """End the process at once: what hangs cannot be asked to. What it held is leased."""
    drain()
    os._exit(UNCHECKED)


def serve(
    config: ConfigFile = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8756,
    tick: Annotated[float, typer.Option(help="Seconds from one look at what is due to the next.")] = 30.0,
    give_up_after: Annotated[
        float, typer.Option(min=1, help="Seconds without a sign of life of its ticks, until it ends itself.")
    ] = 300.0,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody in who can reach the address, without DRIFT_TOKEN.")
    ] = False,
    worker: WorkerName = None,
) -> None:
    """Check what is due and deliver, again and again; page, API and metrics.

    SIGTERM and Ctrl-C end it after the windows in hand; one that takes longer than 20 s is given back. A second one
    ends it at once. Without a sign of life of its ticks for 5 minutes (`--give-up-after`), or where it has not started
    by then, it ends itself with status 3, to be restarted. The configuration is read once: restart it after a change;
    without one monitor that can be used it ends with status 2. DRIFT_TOKEN is the secret that requests must show;
    DRIFT_ALLOWED_HOSTS names the hosts it answers to, parted by commas.
    """
    import numpy as np

    from drift.server import Scheduler, Watchdog
    from drift.server.web import Site, access_for, create_app, listen, serve_until_stopped

    keep_nobody_waiting()
    drift_log = logging.getLogger("drift")
    drift_log.setLevel(min(drift_log.level, logging.INFO))  # nobody sits before a service: it says what it does
    access = access_for(host, SecretFiles(os.environ), insecure=insecure)
    loaded = load_config(config)
    if not loaded.monitors:  # told one by one just now; a service that watches nothing would look well
        raise ConfigError(
            f"{config}: none of its {len(loaded.broken)} monitors can be used; `drift validate` tells why"
        )
    channels = open_channels(loaded)
    # A database that is frozen would hold up the start for ever: until the service watches itself, this does.
    starting = Watchdog("its start", give_up_after, give_up)
    with listen(host, port) as listening, starting, open_store(loaded) as store:
        service = Scheduler(
            store,
            list(loaded.monitors.values()),
            channels,
            now=store.now,
            worker=this_worker(store, worker),
            rng=np.random.default_rng(),
            seconds=tick,
            clock=steady_clock(),
            dead=give_up,
            silence=give_up_after,
        )
        app = create_app(Site(store, service, loaded.monitors, store.now, loaded.broken, lines_dropped), access)
        _announce(access, listening, len(loaded.monitors))
        starting.stop()
        serve_until_stopped(app, listening, service)
    log.info("stopped; what is due stays due")


def _announce(access: "Access", listening: socket.socket, monitors: int) -> None:
    from drift.server.web import address_of, is_everywhere, is_loopback, is_short

    url = address_of(listening)
    if is_short(access.token):
        log.warning("WEAK: DRIFT_TOKEN is short enough to be guessed; take 16 characters or more, drawn at random")
    if access.token is None and not is_loopback(listening.getsockname()[0]):
        log.warning("INSECURE: everybody who can reach %s reads everything; set DRIFT_TOKEN, drop --insecure", url)
    known = ", ".join(access.hosts)
    log.info(
        "serving %s%s (%d monitors, %s; answers to %s)",
        url,
        " and every other address of this machine" if is_everywhere(listening) else "",
        monitors,
        "no token" if access.token is None else "token needed",
        known,
        extra={"fields": {"url": url, "monitors": monitors}},
    )


def db_upgrade(config: ConfigFile = DEFAULT_CONFIG, store: StoreUrl = None) -> None:
    """Bring the store's schema to the newest; a SQLite file that is not there is made."""
    from drift.store.migrate import upgrade

    before, after = upgrade(_url(config, store))
    say(f"schema {after}, as before" if before == after else f"schema {before or 'none'} -> {after}")


def db_current(config: ConfigFile = DEFAULT_CONFIG, store: StoreUrl = None) -> None:
    """Which schema the store has."""
    from drift.store.migrate import current, head

    found = current(_url(config, store))
    say(f"{found or 'none'} (newest: {head()})")


def db_check(config: ConfigFile = DEFAULT_CONFIG, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Whether the store's schema is the one that this drift needs; exit status 3 where it is not."""
    from drift.store.migrate import check, head

    problems = check(_url(config, store))
    if as_json:
        print_json({"version": 1, "newest": head(), "problems": problems})
    else:
        for problem in problems or [f"schema {head()}: as it must be"]:
            say(problem)
    raise typer.Exit(UNCHECKED if problems else OK)


def _url(config: Path, store: str | None) -> str:
    return store if store is not None else load_config(config).store


def doctor(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What works and what does not: libraries, configuration, store, sources, channels. Sends and writes nothing."""
    from drift.cli.doctor import examine, versions

    found = examine(config, SecretFiles(os.environ), now)
    works = all(one.works for one in found)
    libraries = versions()
    if as_json:
        print_json({"version": 1, "works": works, "versions": libraries, "checks": [asdict(one) for one in found]})
    else:
        say("  ".join(f"{name} {version}" for name, version in libraries.items()))
        rows = [("ok" if f.works else "failed", f.part, f.name, f.message) for f in found]
        print_table("", ("", "part", "name", "what was found"), rows)
        bad = sum(not one.works for one in found)
        say("everything works" if works else f"{bad} of {len(found)} do not work")
    raise typer.Exit(OK if works else UNCHECKED)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(serve)
    db = typer.Typer(help="The store's schema: migrations, explicit.", no_args_is_help=True)
    for name, command in (("upgrade", db_upgrade), ("current", db_current), ("check", db_check)):
        db.command(name)(command)
    app.add_typer(db, name="db")
    app.command()(doctor)
