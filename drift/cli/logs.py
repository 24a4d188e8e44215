"""Logs, to standard error: text for a person, JSON lines for a machine."""

import json
import logging
import math
import sys
from datetime import UTC, datetime
from enum import StrEnum


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
