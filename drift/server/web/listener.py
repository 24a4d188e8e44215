"""Listen and serve; after SIGTERM or SIGINT, finish the running windows and exit with status 0."""

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
CLOSE_GRACE_SECONDS: Final = 5  # for running requests


class Stoppable(Protocol):
    """A service that runs beside the web server; `drift.server.Scheduler` is one."""

    def start(self) -> None: ...

    def stop_soon(self) -> None:
        """Start no further work; called from a signal handler, perhaps twice."""

    def stop(self) -> None:
        """Return when the running work has ended."""


class _Server(uvicorn.Server):
    """Stops the service at the first signal, not after the last response."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: uvicorn would ignore a second SIGTERM."""
        yield

    def stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        """Handle the first signal; the next one ends the process at once."""
        for number in SIGNALS:
            signal.signal(number, exit_handler())
        self._on_exit()
        self.should_exit = True


def serve_until_stopped(app: ASGIApp, listening: socket.socket, service: Stoppable) -> None:
    """Serve and tick until SIGTERM or SIGINT, then finish the running windows.

    A second signal ends the process at once; its windows are due again when their leases expire. The service beside the
    server is started and stopped here.
    """
    server = make_server(app, service.stop_soon)
    with _handling(server.stop_soon):
        service.start()
        try:
            server.run(sockets=[listening])
        finally:
            for number in SIGNALS:
                signal.signal(number, exit_handler())
            service.stop()


def make_server(app: ASGIApp, on_exit: Callable[[], None]) -> _Server:
    """Return the server; `on_exit` is called at the first signal."""
    # The access log would contain tokens. Other logs of uvicorn go where those of drift go.
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
    previous = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler_before in previous.items():
            signal.signal(number, handler_before)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 chooses a free one.

    Raises
    ------
    ConfigError
        If the address or port cannot be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot listen on {host}, port {port}: {reason}; choose another with --host and --port"
        raise ConfigError(message, code="address-unavailable") from error


def listens_everywhere(listening: socket.socket) -> bool:
    """Return whether a socket listens on every address of this machine."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_unspecified


def url_of(listening: socket.socket) -> str:
    """Return the URL of a listening socket, as seen from this machine."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if listening.family == socket.AF_INET6 else "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
