"""From data to a starting configuration: which column is the time, which ones only number the rows."""

from datetime import datetime
from pathlib import Path
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


def start_configuration(
    data: str, target: Path, *, timestamp: str | None, timezone: str, now: datetime, force: bool = False
) -> Path:
    """Write a commented starting configuration for some files.

    Raises
    ------
    ConfigError
        Where the target is there already, or no column (or more than one) could be the time.
    SourceError
        Where the data cannot be read.
    """
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already; use --force to replace it, or --config to name another file")
    table = read_files(data)
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"no time zone is called {timezone!r}; name one such as America/New_York or UTC") from error
    timestamp = timestamp or _timestamp(table, zone)
    span = table.span(timestamp, zone)
    if span is None:
        raise SourceError(f"{data}: no row has a {timestamp}")
    kinds, excluded = _columns(table, timestamp)
    text = starter(data, kinds, timestamp, span, now=now, timezone=timezone, exclude=excluded)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _timestamp(table: Table, timezone: ZoneInfo) -> str:
    """The one column that could be the time; instants before bare dates."""
    found: dict[str, pa.DataType] = {}
    for name, column in table.columns.items():
        if isinstance(column, Uncounted):
            continue
        try:
            as_instants(column, name, timezone)
        except SourceError:
            continue
        if column.null_count < len(column):
            found[name] = column.type
    instants = [name for name, type_ in found.items() if not pa.types.is_date(type_)] or list(found)
    if len(instants) == 1:
        return instants[0]
    if not instants:
        there = "; ".join(f"{name} ({_example(column)})" for name, column in table.columns.items())
        raise ConfigError(
            "no column holds dates or times, and drift needs one that says when a row happened: write it as "
            f"timestamps, or as text in ISO 8601 (2024-02-09T10:00). There are: {there}"
        )
    raise ConfigError(f"several columns could be the time: {', '.join(instants)}; choose one with --timestamp")


def _example(column: pa.ChunkedArray | Uncounted) -> str:
    """Type and first value of a column, for a message."""
    if isinstance(column, Uncounted):
        return "not readable"
    values = column.drop_null()
    return f"{column.type}, such as {values[0].as_py()!r}" if len(values) else str(column.type)


def _columns(table: Table, timestamp: str) -> tuple[dict[str, Kind], dict[str, str]]:
    """The kinds of columns to watch, and those better left out, with the reason."""
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
            excluded[name] = "a date or time: moves on by itself"
        elif isinstance(values, CategoryCounts) and values.rows > 20 and len(values.keys) > 0.9 * values.rows:
            excluded[name] = "nearly every row has a value of its own, as an identifier has"
        elif pa.types.is_integer(column.type) and values.rows > 20 and _numbers_rows(column):
            excluded[name] = "every row has a value of its own, ever larger, as a row number has"
    return kinds, excluded


def _numbers_rows(column: pa.ChunkedArray) -> bool:
    values = column.drop_null().to_numpy()
    return len(values) > 1 and bool((values[1:] > values[:-1]).all())
