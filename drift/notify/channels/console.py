"""A channel that prints notifications as text, to stderr or stdout."""

import io
import os
import select
import sys
import time
from collections.abc import Mapping
from typing import Any, Final, TextIO

from drift.errors import ConfigError, DeliveryError
from drift.notify.channels.options import check_keys, text_option
from drift.notify.text import to_text

STREAMS: Final = ("stderr", "stdout")
WRITE_TIMEOUT: Final = 5.0  # seconds that whoever reads may take
CHUNK_BYTES: Final = 512  # bytes that a pipe takes whole where it takes any: POSIX's PIPE_BUF, at least


class ConsoleChannel:
    """Prints the text form.

    Parameters
    ----------
    name : str
        Its name in the configuration.
    stream : TextIO, "stderr" or "stdout"
        Where to; a name is looked up when something is sent.
    """

    def __init__(self, name: str, stream: TextIO | str = "stderr") -> None:
        if isinstance(stream, str) and stream not in STREAMS:
            raise ConfigError(f"channel {name!r}: stream is one of {', '.join(STREAMS)}; got {stream!r}")
        self.name = name
        self._stream = stream

    @classmethod
    def from_options(cls, name: str, options: Mapping[str, object]) -> "ConsoleChannel":
        """Option: `stream`, stderr (default) or stdout."""
        check_keys(name, options, ("stream",))
        return cls(name, text_option(name, options, "stream") or "stderr")

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        """Print one notification; see `drift.notify.channels.Channel`. One that nobody reads is a failed delivery."""
        stream: TextIO = getattr(sys, self._stream) if isinstance(self._stream, str) else self._stream
        encoding = stream.encoding or "utf-8"
        text = f"{to_text(payload)}\n".encode(encoding, "backslashreplace")
        try:
            if (descriptor := _descriptor(stream)) is None:
                stream.write(text.decode(encoding))
                stream.flush()
            else:
                _print(descriptor, text, time.monotonic() + min(deadline, WRITE_TIMEOUT))
        except OSError as error:
            raise DeliveryError(f"console: cannot print: {error.strerror or type(error).__name__}") from error

    def probe(self, *, deadline: float) -> str:  # noqa: ARG002 (nothing is waited for)
        """A stream is there; see `drift.notify.channels.Channel`."""
        return f"prints to {self._stream if isinstance(self._stream, str) else 'a stream'}"


def _descriptor(stream: TextIO) -> int | None:
    """Where a stream leads to, so that one can ask whether it takes anything; None where that cannot be asked."""
    try:
        return stream.fileno() if os.name == "posix" else None
    except io.UnsupportedOperation:
        return None


def _print(descriptor: int, text: bytes, until: float) -> None:
    """Past the stream's own lock: held over a pipe that nobody reads, it would keep the process from ending."""
    while text:
        _, ready, _ = select.select([], [descriptor], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise DeliveryError("console: cannot print: whoever reads it takes no more")
        text = text[os.write(descriptor, text[:CHUNK_BYTES]) :]
