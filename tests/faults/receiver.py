"""A receiver on loopback that writes down every message, and may misbehave as it is told."""

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
    """How a request is answered, and whether the message is taken by that."""

    reply: Callable[["_Handler"], None]
    taken: bool = False


@dataclass
class Message:
    """One message as it came."""

    id: str
    payload: dict[str, Any]
    taken: bool
    came: float  # by time.monotonic(), its body read
    answered: float | None = None  # when its answer was written; None where none was, or its sender had hung up

    @property
    def place(self) -> tuple[str, datetime]:
        """Monitor and start of the window it is about."""
        return self.payload["monitor"], datetime.fromisoformat(self.payload["window"]["start"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver, self.close_connection = self.server.receiver, True
        behave = receiver.behave
        message = Message(self.headers["Idempotency-Key"], json.loads(body), behave.taken, time.monotonic())
        with receiver.lock:  # written down before it is answered: the sender may look next
            receiver.messages.append(message)
        with contextlib.suppress(ConnectionError):  # a sender that hangs up is what some scenarios are about
            behave.reply(self)
            message.answered = time.monotonic()

    def do_GET(self) -> None:
        """A redirect that was followed would come here."""
        self.server.receiver.strays += 1
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
        """Handshakes that fail and connections that are cut are wanted here."""


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """A plain answer."""

    def reply(handler: _Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return Behaviour(reply, taken=200 <= status < 300)


def _hang(handler: _Handler) -> None:
    """Takes the request and never answers."""
    handler.server.receiver.closing.wait(20)


def _drip(handler: _Handler) -> None:
    """Answers a byte at a time, always in time for a timeout that counts single reads."""
    handler.wfile.write(b"HTTP/1.1 500 ")
    while not handler.server.receiver.closing.wait(0.05):
        handler.wfile.write(b"x")


def _flood(handler: _Handler) -> None:
    """Refuses with 200 MB, as far as the sender reads them."""
    handler.send_response(500)
    handler.send_header("Content-Length", str(200_000_000))
    handler.end_headers()
    for _ in range(2000):
        handler.wfile.write(b"y" * 100_000)


def _reset(handler: _Handler) -> None:
    """Cuts the connection with RST."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


hang, drip, flood, reset = Behaviour(_hang), Behaviour(_drip), Behaviour(_flood), Behaviour(_reset)


@dataclass
class Receiver:
    """What came; `behave` may be replaced at any time."""

    url: str = ""
    behave: Behaviour = field(default_factory=lambda: answer(204))
    messages: list[Message] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)
    strays: int = 0

    def taken(self) -> list[Message]:
        """Messages that their sender was told are taken, in the order of their coming."""
        with self.lock:
            return [message for message in self.messages if message.taken]


@contextmanager
def receiving(certificate: Path | None = None) -> Iterator[Receiver]:
    """A receiver at work; over TLS with a certificate and its key in one PEM file."""
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
