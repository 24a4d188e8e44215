"""Logs on standard error: text for people, JSON lines for programs."""

import io
import json
import logging
import math
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from drift.cli.nonblocking_stderr import NonBlockingStream

FLUSH_SECONDS: Final = 2.0  # the reader of the last lines may hang


class LogFormat(StrEnum):
    """Format of the logs."""

    TEXT = "text"
    JSON = "json"


class _JsonFormatter(logging.Formatter):
    """Formats a record as one line of strict JSON, with its `code` and its `fields` beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if (code := getattr(record, "code", None)) is not None:
            line["code"] = code
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= {name: _finite(value) for name, value in fields.items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, allow_nan=False, default=str)


class _TextFormatter(logging.Formatter):
    """Formats a record as one line, then its traceback. Names from data cannot add lines or steer a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging names it
        text = super().formatMessage(record)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _finite(value: object) -> object:
    """Replace NaN and infinity, which JSON does not have, by None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_json() -> bool:
    """Return whether logs are JSON lines."""
    return any(isinstance(handler.formatter, _JsonFormatter) for handler in logging.getLogger().handlers)


def set_up_logs(log_format: LogFormat, *, verbose: bool) -> None:
    """Send the logs of drift, and warnings of its libraries, to standard error.

    JSON logs always have a line for each window, and lines for Python's own warnings.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = _TextFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    json_lines = log_format is LogFormat.JSON
    handler.setFormatter(_JsonFormatter() if json_lines else text)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(json_lines)
    logging.getLogger("drift").setLevel(logging.INFO if verbose or json_lines else logging.WARNING)


def make_stderr_nonblocking() -> None:
    """Make writes to standard error return at once, even if no process reads it.

    For a service: threads that log wait for each other, so one blocked line would stop all of them.
    """
    before = sys.stderr
    try:
        stream = NonBlockingStream(before, _log_dropped)
    except (AttributeError, io.UnsupportedOperation):  # no standard error, or one without a descriptor (tests)
        return
    sys.stderr = stream
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(stream)


def _log_dropped(lines: int) -> None:
    logging.getLogger("drift").warning(
        "%d log lines before this one were dropped: the reader of this log was too slow",
        lines,
        extra={"code": "log-lines-dropped"},
    )


def lines_dropped() -> int:
    """Return the number of log lines dropped because the reader was too slow."""
    return sys.stderr.dropped if isinstance(sys.stderr, NonBlockingStream) else 0


def flush_stderr() -> None:
    """Wait a moment for the last lines. Takes no lock that a hanging thread may have."""
    if isinstance(sys.stderr, NonBlockingStream):
        sys.stderr.drain(FLUSH_SECONDS)


def finish_logs() -> None:
    """Write out what was logged, as far as the reader takes it, and restore standard error."""
    logging.shutdown()
    if isinstance(sys.stderr, NonBlockingStream) and sys.stderr.drain(FLUSH_SECONDS):
        sys.stderr = sys.stderr.wrapped
