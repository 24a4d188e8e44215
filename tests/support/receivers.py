"""Real HTTP receivers on loopback with a given behaviour, notifications to send them, and webhooks that send."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import httpx  # noqa: F401 (slow to import: outside of a test's deadline)
import pytest

from drift.notify.channels.webhook import WebhookChannel, WebhookOptions


def webhook(url: str, name: str = "hook", now: Callable[[], datetime] | None = None, **options: Any) -> WebhookChannel:
    """Return a webhook with these options."""
    validated = WebhookOptions(url=url, **options)
    return WebhookChannel(name, validated) if now is None else WebhookChannel(name, validated, now)


@dataclass
class Request:
    """One request, as received."""

    path: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[["_Handler", threading.Event], None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver = self.server.receiver
        with receiver.lock:
            n = len(receiver.requests)
            receiver.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        behave = receiver.behaviours[min(n, len(receiver.behaviours) - 1)]
        self.close_connection = True
        with contextlib.suppress(ConnectionError):  # some tests need a sender that disconnects
            behave(self, receiver.closing)

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    receiver: "Receiver"


@dataclass
class Receiver:
    """Answers the n-th request by the n-th behaviour; the last behaviour repeats."""

    behaviours: list[Behaviour]
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Return a behaviour that sends a plain response."""

    def behave(handler: _Handler, closing: threading.Event) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def hang(handler: _Handler, closing: threading.Event) -> None:
    """Accept the request and never answer."""
    closing.wait(60)


def drip(beginning: bytes) -> Behaviour:
    """Return a behaviour that sends a beginning, then a byte every 20 ms: no timeout of single reads ends it."""

    def behave(handler: _Handler, closing: threading.Event) -> None:
        handler.wfile.write(beginning)
        while not closing.wait(0.02):
            handler.wfile.write(b"x")

    return behave


def flood(status: int, sent: list[int]) -> Behaviour:
    """Return a behaviour that sends up to 200 MB, and adds the bytes the sender read to `sent`."""

    def behave(handler: _Handler, closing: threading.Event) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(200_000_000))
        handler.end_headers()
        chunk = b"y" * 100_000
        for _ in range(2000):
            handler.wfile.write(chunk)
            sent.append(len(chunk))

    return behave


def reset(handler: _Handler, closing: threading.Event) -> None:
    """Reset the connection (RST)."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Receiver]]:
    """Start receivers: ``serve(answer(500), answer(200))``."""
    started: list[tuple[_Server, threading.Thread]] = []

    def start(*behaviours: Behaviour) -> Receiver:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.receiver = Receiver(list(behaviours), url=f"http://127.0.0.1:{server.server_address[1]}/hook")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        started.append((server, thread))
        return server.receiver

    yield start
    for server, thread in started:
        server.receiver.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def how() -> SimpleNamespace:
    """Behaviours of a receiver, by name."""
    return SimpleNamespace(answer=answer, hang=hang, drip=drip, flood=flood, reset=reset)


@pytest.fixture
def payload() -> Callable[..., dict[str, Any]]:
    """Builder of notifications in the dict form of `drift.notify.message`."""
    return make_payload


def make_payload(name: str = "n-1", status: str = "firing", events: int = 1) -> dict[str, Any]:
    """Return one notification."""
    return {
        "version": 1,
        "id": name,
        "monitor": "bikes",
        "status": status,
        "title": f"bikes: {events} columns drifted (2011-06-06T00:00Z to 2011-06-13T00:00Z)",
        "window": {"start": "2011-06-06T00:00Z", "end": "2011-06-13T00:00Z"},
        "revision": 1,
        "labels": {"severity": "page"},
        "runbook": "https://wiki/bikes",
        "events": [
            {"column": f"c{n}", "state": status, "message": f"c{n}: js_distance 0.31 over threshold 0.1"}
            for n in range(events)
        ],
    }


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect to loopback directly, whatever proxy the environment names."""
    monkeypatch.setenv("NO_PROXY", "*")
