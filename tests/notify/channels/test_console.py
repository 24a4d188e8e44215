"""The console: text on standard error, and a failure if it is not read."""

import io
import os
from collections.abc import Callable
from typing import Any

import pytest

from drift.errors import DeliveryError
from drift.notify.channels.console import ConsoleChannel, ConsoleOptions
from drift.notify.text import to_text

Payload = Callable[..., dict[str, Any]]


def console(stream: Any = None) -> ConsoleChannel:
    return ConsoleChannel("c", ConsoleOptions(), stream)


def test_it_prints_to_the_standard_error_of_the_moment(payload: Payload, capsys: pytest.CaptureFixture[str]) -> None:
    console().send(payload(), deadline=1)
    out, err = capsys.readouterr()
    assert (out, err) == ("", to_text(payload()) + "\n")


def test_it_escapes_characters_that_the_encoding_lacks(payload: Payload) -> None:
    notification = payload()
    notification["title"] = "fahrräder: drifted"
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console(stream).send(notification, deadline=1)
    assert raw.getvalue().startswith(rb"[FIRING] fahrr\xe4der: drifted")


def test_a_full_device_is_a_failed_delivery(payload: Payload) -> None:
    full = io.TextIOWrapper(io.FileIO("/dev/full", "w"), encoding="utf-8", write_through=True)
    with pytest.raises(DeliveryError, match="No space left") as error:
        console(full).send(payload(), deadline=1)
    assert (error.value.code, error.value.retryable) == ("console-unwritable", True)
    full.detach().close()


def test_a_pipe_that_is_not_read_fails_until_it_is(payload: Payload) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as reader, os.fdopen(writing, "w") as stream:
        channel, sent = console(stream), 0
        size = len(f"{to_text(payload())}\n".encode())
        with pytest.raises(DeliveryError) as error:  # noqa: PT012 - the capacity of a pipe depends on the system
            while True:
                channel.send(payload(), deadline=0.2)
                sent += 1
        assert error.value.code == "console-unwritable"
        text = reader.read(1 << 20)
        assert sent * size <= len(text) < (sent + 1) * size, "at most the last one is cut; it is sent again"
        channel.send(payload(), deadline=0.2)
        assert reader.read(1 << 20).decode() == to_text(payload()) + "\n"
