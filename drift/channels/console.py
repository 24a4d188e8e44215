"""A channel that prints notifications as text, to stderr or stdout."""

import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

from drift.channels.options import check_keys, text_option
from drift.channels.text import to_text
from drift.errors import ConfigError, DeliveryError

STREAMS: Final = ("stderr", "stdout")


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

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:  # noqa: ARG002 (printing is not timed)
        """Print one notification; see `drift.channels.Channel`."""
        stream: TextIO = getattr(sys, self._stream) if isinstance(self._stream, str) else self._stream
        encoding = stream.encoding or "utf-8"
        text = to_text(payload).encode(encoding, "backslashreplace").decode(encoding)
        try:
            stream.write(f"{text}\n")
            stream.flush()
        except OSError as error:
            raise DeliveryError(f"console: cannot print: {error.strerror or type(error).__name__}") from error

    def probe(self, *, deadline: float) -> str:  # noqa: ARG002 (nothing is waited for)
        """A stream is there; see `drift.channels.Channel`."""
        return f"prints to {self._stream if isinstance(self._stream, str) else 'a stream'}"
