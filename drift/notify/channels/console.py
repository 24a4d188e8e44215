"""A channel that prints notifications as text on standard error."""

import io
import os
import select
import sys
import time
from collections.abc import Mapping
from typing import Any, Final, TextIO

from drift.config import ChannelOptions
from drift.errors import DeliveryError
from drift.notify.text import to_text

WRITE_TIMEOUT: Final = 5.0  # seconds the reader of a pipe may take
CHUNK_BYTES: Final = 512  # a pipe that is ready takes this many bytes whole: the minimum of POSIX's PIPE_BUF


class ConsoleOptions(ChannelOptions):
    """No options."""


class ConsoleChannel:
    """Prints the text form of notifications, by default on the standard error of the moment of sending."""

    def __init__(self, name: str, options: ConsoleOptions, stream: TextIO | None = None) -> None:
        del options  # it has none
        self.name = name
        self._stream = stream

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        """Print one notification; see `Channel`. It fails if the reader of a pipe does not read it."""
        stream = self._stream or sys.stderr
        encoding = stream.encoding or "utf-8"
        text = f"{to_text(payload)}\n".encode(encoding, "backslashreplace")
        try:
            if (descriptor := _descriptor(stream)) is None:
                stream.write(text.decode(encoding))
                stream.flush()
            else:
                _print(descriptor, text, time.monotonic() + min(deadline, WRITE_TIMEOUT))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DeliveryError(f"console: cannot print: {reason}", code="console-unwritable") from error

    def probe(self, *, deadline: float) -> str:  # noqa: ARG002 - it waits for nothing
        """Return where it prints; see `Channel`."""
        return "prints to a stream" if self._stream else "prints to stderr"


def _descriptor(stream: TextIO) -> int | None:
    """Return the file descriptor of a stream, to test whether it can be written; None if it has none."""
    try:
        return stream.fileno() if os.name == "posix" else None
    except io.UnsupportedOperation:
        return None


def _print(descriptor: int, text: bytes, until: float) -> None:
    """Write without the stream's lock: blocked on a pipe that is not read, it would keep the process from exiting."""
    while text:
        _, ready, _ = select.select([], [descriptor], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise DeliveryError("console: cannot print: its reader does not read", code="console-unwritable")
        text = text[os.write(descriptor, text[:CHUNK_BYTES]) :]
