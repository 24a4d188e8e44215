"""Logs, to standard error: text for a person, JSON lines for a machine."""

import io
import json
import logging
import math
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from drift.cli.nonblocking_stderr import NonBlockingStream

FLUSH_SECONDS: Final = 2.0  # seconds that the last lines are given at the end: who reads them may hang

log = logging.getLogger("drift")


class LogFormat(StrEnum):
    """How logs are written."""

    TEXT = "text"
    JSON = "json"


class _JsonFormatter(logging.Formatter):
    """One line of strict JSON a record; what `extra={"fields": {...}}` holds stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", None)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if isinstance(fields, dict):
            line |= {name: _strict(value) for name, value in fields.items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, allow_nan=False, default=str)


class _TextFormatter(logging.Formatter):
    """One line a record, and its traceback: a name from data cannot forge another line, nor steer a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging names it
        told = super().formatMessage(record)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in told)


def _strict(value: object) -> object:
    """JSON has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_json() -> bool:
    """Whether logs are JSON lines."""
    return any(isinstance(handler.formatter, _JsonFormatter) for handler in logging.getLogger().handlers)


def set_up_logs(form: LogFormat, *, verbose: bool) -> None:
    """Send the logs of drift, and warnings of the libraries it uses, to standard error.

    JSON is read by machines: it always tells each window, and Python's own warnings are lines of it, too.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = _TextFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    machine = form is LogFormat.JSON
    handler.setFormatter(_JsonFormatter() if machine else text)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(machine)
    logging.getLogger("drift").setLevel(logging.INFO if verbose or machine else logging.WARNING)


def keep_nobody_waiting() -> None:
    """From now on nothing that goes to standard error keeps its writer waiting, be it that nobody reads it.

    For a service, which has other things to do. Threads that log wait for each other: one line would stop them all.
    """
    before = sys.stderr
    try:
        outlet = NonBlockingStream(before, _tell_dropped)
    except (AttributeError, io.UnsupportedOperation):  # none at all, or none of the system's: a test's
        return
    sys.stderr = outlet
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(outlet)


def _tell_dropped(lines: int) -> None:
    log.warning("%d lines are missing before this one: whoever reads this log did not take them", lines)


def lines_dropped() -> int:
    """How many lines were lost, since nobody took them."""
    return sys.stderr.dropped if isinstance(sys.stderr, NonBlockingStream) else 0


def drain() -> None:
    """Give the last lines their time. Needs no lock that something which hangs may have."""
    if isinstance(sys.stderr, NonBlockingStream):
        sys.stderr.drain(FLUSH_SECONDS)


def finish_logs() -> None:
    """Have all out that was logged, as far as anybody takes it; then standard error is as it was before."""
    logging.shutdown()
    if isinstance(sys.stderr, NonBlockingStream) and sys.stderr.drain(FLUSH_SECONDS):
        sys.stderr = sys.stderr.instead
