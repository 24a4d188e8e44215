"""A new channel is one class with its options, and one row of the table."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import PlainValidator

from drift.config import ChannelOptions, Secret, values
from drift.errors import ConfigError, DeliveryError
from drift.notify.channels import CHANNELS, ChannelType, open_channel
from tests.support.configurations import read_config

Payload = Callable[..., dict[str, Any]]

TEXT = """\
version: 1
monitors:
  m:
    source: {path: d.csv}
    timestamp: ts
    reference: {path: r.csv}
    alert: {notify: [lamp]}
channels:
"""


class SocketOptions(ChannelOptions):
    """Options of the toy channel."""

    files = ("token",)

    port: Annotated[int, PlainValidator(values.whole_number)]
    token: Secret | None = None


class SocketChannel:
    """The toy channel: sends one line of JSON to a port of this host."""

    def __init__(self, name: str, options: SocketOptions) -> None:
        self.name = name
        self._options = options

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        token = self._options.token.get_secret_value() if self._options.token else ""
        try:
            with socket.create_connection(("127.0.0.1", self._options.port), timeout=deadline) as connection:
                connection.sendall(json.dumps({"token": token, **payload}).encode() + b"\n")
        except OSError as error:
            raise DeliveryError(f"port {self._options.port}: {error}", code="receiver-unreachable") from error

    def probe(self, *, deadline: float) -> str:
        socket.create_connection(("127.0.0.1", self._options.port), timeout=deadline).close()
        return f"port {self._options.port} answers"


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row that makes the channel known."""
    monkeypatch.setitem(CHANNELS, "socket", ChannelType(SocketOptions, SocketChannel))


def test_a_toy_channel_is_configured_opened_probed_and_sends(payload: Payload, tmp_path: Path) -> None:
    lines: list[bytes] = []

    def receive(server: socket.socket) -> None:
        for _ in range(2):  # the probe, and one notification
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as file:
                lines.append(file.read())

    (tmp_path / "token").write_text("t0k3n\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config = tmp_path / "drift.yaml"
        config.write_text(f"{TEXT}  lamp: {{type: socket, port: '${{PORT}}', token_file: token}}\n")
        receiver = threading.Thread(target=receive, args=(server,))
        receiver.start()
        spec = read_config(config, {"PORT": str(port)}).channels["lamp"]
        channel = open_channel(spec)
        assert (channel.name, channel.probe(deadline=5)) == ("lamp", f"port {port} answers")
        channel.send(payload("n-7"), deadline=5)
        receiver.join()
    assert lines[0] == b""
    assert json.loads(lines[1]) == {"token": "t0k3n", **payload("n-7")}
    assert "t0k3n" not in repr(spec)
    with pytest.raises(DeliveryError) as error:
        channel.send(payload(), deadline=1)
    assert error.value.code == "receiver-unreachable"


@pytest.mark.parametrize(
    ("options", "place", "code"),
    [
        ("{type: socket}", "9: channels.lamp.port: ", "missing-key"),
        ("{type: socket, port: far}", "9: channels.lamp.port: ", "invalid-value"),
        ("{type: socket, port: 1, prot: 2}", "9: channels.lamp.prot: ", "unknown-key"),
        ("{type: sockets}", "9: channels.lamp.type: ", "unknown-channel-type"),
    ],
)
def test_problems_of_a_toy_channel_are_reported_like_any(tmp_path: Path, options: str, place: str, code: str) -> None:
    config = tmp_path / "drift.yaml"
    config.write_text(f"{TEXT}  lamp: {options}\n")
    with pytest.raises(ConfigError) as error:
        read_config(config)
    assert error.value.code == code
    assert str(error.value).startswith(f"{config}:{place}")
