"""A receiver on loopback that records every notification, and can misbehave."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Behaviour:
    """How a request is answered, and whether the receiver thereby accepts the notification."""

    reply: Callable[["_Handler"], None]
    accepted: bool = False


@dataclass
class ReceivedNotification:
    """One received notification."""

    id: str
    payload: dict[str, Any]
    accepted: bool
    received_at: float  # time.monotonic() when its body was read
    answered_at: float | None = None  # when it was answered; None if not, or the sender had disconnected

    @property
    def subject(self) -> tuple[str, datetime]:
        """Monitor and start of its window."""
        return self.payload["monitor"], datetime.fromisoformat(self.payload["window"]["start"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver, self.close_connection = self.server.receiver, True
        behaviour = receiver.behaviour
        notification = ReceivedNotification(
            self.headers["Idempotency-Key"], json.loads(body), behaviour.accepted, time.monotonic()
        )
        with receiver.lock:  # recorded before it is answered: the scenario may continue then
            receiver.notifications.append(notification)
        with contextlib.suppress(ConnectionError):  # some scenarios need a sender that disconnects
            behaviour.reply(self)
            notification.answered_at = time.monotonic()

    def do_GET(self) -> None:
        """Count a redirect that was followed."""
        self.server.receiver.followed_redirects += 1
        answer(404).reply(self)

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: "Receiver"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore failed handshakes and cut connections: the scenarios cause them."""


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Return a behaviour that sends a plain response."""

    def reply(handler: _Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return Behaviour(reply, accepted=200 <= status < 300)


def _hang(handler: _Handler) -> None:
    """Accept the request and never answer."""
    handler.server.receiver.closing.wait(20)


def _drip(handler: _Handler) -> None:
    """Send a byte at a time: no timeout of single reads ends it."""
    handler.wfile.write(b"HTTP/1.1 500 ")
    while not handler.server.receiver.closing.wait(0.05):
        handler.wfile.write(b"x")


def _flood(handler: _Handler) -> None:
    """Refuse with a body of 200 MB, as far as the sender reads it."""
    handler.send_response(500)
    handler.send_header("Content-Length", str(200_000_000))
    handler.end_headers()
    for _ in range(2000):
        handler.wfile.write(b"y" * 100_000)


def _reset(handler: _Handler) -> None:
    """Reset the connection (RST)."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


hang, drip, flood, reset = Behaviour(_hang), Behaviour(_drip), Behaviour(_flood), Behaviour(_reset)


@dataclass
class Receiver:
    """Everything received; `behaviour` may be replaced at any time."""

    url: str = ""
    behaviour: Behaviour = field(default_factory=lambda: answer(204))
    notifications: list[ReceivedNotification] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)
    followed_redirects: int = 0

    def accepted(self) -> list[ReceivedNotification]:
        """Return the accepted notifications in order of arrival."""
        with self.lock:
            return [notification for notification in self.notifications if notification.accepted]


@contextmanager
def open_receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """Run a receiver; with TLS if a certificate and its key are given in one PEM file."""
    server = _Server(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    server.receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.receiver.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
