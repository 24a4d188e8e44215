"""Listening, and ending well: told to stop, the process finishes the window in hand and exits with 0."""

import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Protocol

import uvicorn
from starlette.types import ASGIApp

from drift.errors import ConfigError
from drift.runner.worker import exit_handler

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
CLOSE_GRACE_SECONDS: Final = 5  # seconds that requests under way are given


class Stoppable(Protocol):
    """What runs beside the server; `drift.server.Scheduler` is one."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop_soon(self) -> None:
        """Begin nothing more; called from a signal handler, perhaps twice."""
        ...

    def stop(self) -> None:
        """Return when what is in hand is done."""
        ...


class _Server(uvicorn.Server):
    """Tells the service at the first signal, not when the last request is answered."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not here: uvicorn would take a second SIGTERM, and end no sooner."""
        yield

    def end_soon(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal; the next one ends the process at once."""
        for number in SIGNALS:
            signal.signal(number, exit_handler())
        self._on_exit()
        self.should_exit = True


def serve_until_stopped(app: ASGIApp, listening: socket.socket, service: Stoppable) -> None:
    """Serve and tick until SIGTERM or SIGINT; then finish the window in hand.

    A second signal ends the process at once. What was in hand then is taken over when its lease runs out.

    Parameters
    ----------
    app : ASGIApp
        What answers.
    listening : socket.socket
        Where; see `listen`.
    service : Ticking
        What ticks. It is started and stopped here.
    """
    server = make_server(app, service.stop_soon)
    with _handling(server.end_soon):
        service.start()
        try:
            server.run(sockets=[listening])
        finally:
            for number in SIGNALS:
                signal.signal(number, exit_handler())
            service.stop()


def make_server(app: ASGIApp, on_exit: Callable[[], None]) -> _Server:
    """The server; `on_exit` is called at the first signal."""
    # The access log would hold tokens. Other logs of uvicorn go where those of drift go.
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=CLOSE_GRACE_SECONDS,
    )
    return _Server(config, on_exit)


@contextmanager
def _handling(handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens already.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        0 takes a free one.

    Raises
    ------
    ConfigError
        Where it cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot listen on {host}, port {port}: {reason}; choose with --host and --port") from error


def is_everywhere(listening: socket.socket) -> bool:
    """Whether a socket listens on every address of this machine."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_unspecified


def address_of(listening: socket.socket) -> str:
    """The URL that leads to a listening socket, from this machine."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if listening.family == socket.AF_INET6 else "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
