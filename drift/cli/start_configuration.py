"""Starting configuration from data: find the timestamp column, and exclude columns that cannot be monitored well."""

from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from drift.config import starter
from drift.errors import ConfigError, SourceError
from drift.histogram import Kind, Uncounted
from drift.histogram.column_values import CategoryCounts
from drift.sources.files import read_files
from drift.sources.frames.arrow import UnbinnableError, values_of
from drift.sources.frames.instants import as_instants
from drift.sources.frames.table import Table

MIN_ROWS: Final = 20
"""With fewer rows, distinct or increasing values prove nothing."""


def start_configuration(
    data: str, target: Path, *, timestamp: str | None, timezone: str, now: datetime, force: bool = False
) -> Path:
    """Write a commented starting configuration for some files.

    Parameters
    ----------
    data : str
        Path or glob of the files.
    target : Path
        The configuration to write.
    timestamp : str or None
        Timestamp column; None finds it.
    timezone : str
        IANA name.
    now : datetime
        The time, for the dates in it.
    force : bool
        Whether to replace an existing file.

    Raises
    ------
    ConfigError
        If the target exists, or no column (or several) could be the timestamp.
    SourceError
        If the data cannot be read.
    """
    if target.exists() and not force:
        raise ConfigError(f"{target} already exists; replace it with --force, or choose a --config", code="file-exists")
    table = read_files(data)
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"unknown time zone {timezone!r}; use a name such as America/New_York or UTC"
        raise ConfigError(message, code="invalid-value") from error
    timestamp = timestamp or _timestamp_column(table, zone)
    span = table.span(timestamp, zone)
    if span is None:
        raise SourceError(f"{data}: no row has a {timestamp}", code="no-rows")
    kinds, excluded = _columns(table, timestamp)
    text = starter(data, kinds, timestamp, span, now=now, timezone=timezone, exclude=excluded)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror or error}", code="file-unwritable") from error
    return target


def _timestamp_column(table: Table, timezone: ZoneInfo) -> str:
    """Find the only column that could be the timestamp; prefer instants to dates."""
    candidates: dict[str, pa.DataType] = {}
    for name, column in table.columns.items():
        if isinstance(column, Uncounted):
            continue
        try:
            as_instants(column, name, timezone)
        except SourceError:
            continue
        if column.null_count < len(column):
            candidates[name] = column.type
    names = [name for name, type_ in candidates.items() if not pa.types.is_date(type_)] or list(candidates)
    if len(names) == 1:
        return names[0]
    if not names:
        columns = "; ".join(f"{name} ({_example(column)})" for name, column in table.columns.items())
        raise ConfigError(
            "no column holds dates or times, and drift needs the time of each row: write it as a timestamp, or as "
            f"text in ISO 8601 (2024-02-09T10:00). Columns: {columns}",
            code="timestamp-missing",
        )
    message = f"several columns could be the timestamp: {', '.join(names)}; choose one with --timestamp"
    raise ConfigError(message, code="timestamp-ambiguous")


def _example(column: pa.ChunkedArray | Uncounted) -> str:
    """Return type and first value of a column."""
    if isinstance(column, Uncounted):
        return "not readable"
    values = column.drop_null()
    return f"{column.type}, such as {values[0].as_py()!r}" if len(values) else str(column.type)


def _columns(table: Table, timestamp: str) -> tuple[dict[str, Kind], dict[str, str]]:
    """Return the kind of each column, and the reason for each one to exclude."""
    kinds: dict[str, Kind] = {}
    excluded: dict[str, str] = {}
    for name, column in table.columns.items():
        if name == timestamp:
            continue
        if isinstance(column, Uncounted):
            excluded[name] = column.message
            continue
        try:
            values = values_of(column)
        except UnbinnableError as error:
            excluded[name] = str(error)
            continue
        kinds[name] = values.kind
        if values.kind is Kind.DATETIME:
            excluded[name] = "a date or time, which always changes"
        elif isinstance(values, CategoryCounts) and values.rows > MIN_ROWS and len(values.keys) > 0.9 * values.rows:
            excluded[name] = "looks like an identifier: nearly every row has a different value"
        elif pa.types.is_integer(column.type) and values.rows > MIN_ROWS and _is_increasing(column):
            excluded[name] = "looks like a row number: every value is larger than the one before"
    return kinds, excluded


def _is_increasing(column: pa.ChunkedArray) -> bool:
    values = column.drop_null().to_numpy()
    return len(values) > 1 and bool((values[1:] > values[:-1]).all())
