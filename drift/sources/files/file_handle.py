"""One open file: its columns, including those given by its folders, and its rows in a window."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa

from drift.errors import SourceError
from drift.histogram import Uncounted
from drift.monitors.window import Window
from drift.sources.files.discovery import File
from drift.sources.files.formats import open_reader
from drift.sources.files.reader import FormatReader, RangeFilter, RowBatch, run_on_file
from drift.sources.frames.instants import as_instants, ticks_of
from drift.sources.frames.table import Table
from drift.sources.frames.window_split import split_by_window

TableResult = TypeVar("TableResult")


@dataclass(frozen=True, slots=True)
class WindowPlacement:
    """A window, and the column that places rows in it."""

    window: Window
    timestamp: str
    timezone: ZoneInfo

    def within(self, table: Table) -> Table:
        return table.within(self.window, self.timestamp, self.timezone)

    def contains_ranges(self, minima: pa.ChunkedArray, maxima: pa.ChunkedArray) -> list[bool | None]:
        """Return for each range of timestamps whether it is in the window; None if only a part of it is.

        Wall-clock times have the order of their instants: a later one never means an earlier instant.
        """
        first, last = (as_instants(ends, self.timestamp, self.timezone) for ends in (minima, maxima))
        start, end = (ticks_of(moment, first.type.unit) for moment in (self.window.start, self.window.end))
        ranges = zip(first.cast(pa.int64()).to_pylist(), last.cast(pa.int64()).to_pylist(), strict=True)
        return [True if start <= a and b < end else False if b < start or a >= end else None for a, b in ranges]


@dataclass(frozen=True, slots=True)
class FileHandle:
    """A file, with the columns that the file or the names of its folders hold.

    `columns` holds types (of a dictionary, the type of its values), or why a column cannot be cut into bins;
    `folder_values` the Arrow scalars of columns that have one value in all rows.
    """

    file: File
    reader: FormatReader
    columns: Mapping[str, pa.DataType | Uncounted]
    folder_values: Mapping[str, Any]

    def tables(self, names: Sequence[str], placement: WindowPlacement | None) -> Iterator[Table]:
        """Yield the rows of a window, batch by batch, with those of the columns that the file has."""
        if placement is not None and placement.timestamp in self.folder_values:
            if self._place(placement, self._single_row(placement.timestamp)).rows == 0:
                return
            placement = None
        for batch in self._batches(names, placement, None if placement is None else placement.contains_ranges):
            table = self._table(batch, names)
            if placement is not None and not batch.in_window:
                table = self._place(placement, table)
            if table.rows:
                yield table

    def window_tables(
        self, names: Sequence[str], placement: WindowPlacement, windows: Sequence[Window]
    ) -> Iterator[tuple[int, Table]]:
        """Yield the rows of several windows within a placement, batch by batch, with the index of their window."""

        def split(table: Table) -> list[tuple[int, Table]]:
            return list(split_by_window(table, windows, placement.timestamp, placement.timezone))

        if placement.timestamp in self.folder_values:  # all rows have the same instant
            for index, _ in self._with_timestamps(self._single_row(placement.timestamp), split):
                yield from ((index, table) for table in self.tables(names, None))
            return

        def exclude_ranges(minima: pa.ChunkedArray, maxima: pa.ChunkedArray) -> list[bool | None]:
            # Never True, because the timestamps are needed to split the rows.
            return [False if inside is False else None for inside in placement.contains_ranges(minima, maxima)]

        for batch in self._batches(names, placement, exclude_ranges):
            yield from self._with_timestamps(self._table(batch, names), split)

    def span(self, timestamp: str, timezone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """Return the first and the last instant of all rows, or None if there is none."""

        def table_span(table: Table) -> tuple[datetime, datetime] | None:
            return table.span(timestamp, timezone)

        self._with_timestamps(Table({}, 0), table_span)  # raises if there is no such column
        tables = self.tables([timestamp], None)
        spans = [span for table in tables if (span := self._with_timestamps(table, table_span)) is not None]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def _batches(
        self, names: Sequence[str], placement: WindowPlacement | None, range_filter: RangeFilter | None
    ) -> Iterator[RowBatch]:
        stored = set(self.reader.schema.names)
        present = [n for n in names if n in stored and not isinstance(self.columns[n], Uncounted)]
        if placement is not None:
            self._place(placement, Table({}, 0))  # raises if the timestamp column is unusable
        batches = self.reader.batches(present, None if placement is None else placement.timestamp, range_filter)
        while (batch := run_on_file(self.file, lambda: next(batches, None))) is not None:
            yield batch
        if not run_on_file(self.file, self.file.unchanged):
            raise SourceError(f"{self.file.name} changed while it was read; try again", code="source-changed")

    def _place(self, placement: WindowPlacement, table: Table) -> Table:
        return self._with_timestamps(table, placement.within)

    def _with_timestamps(self, table: Table, action: Callable[[Table], TableResult]) -> TableResult:
        """Run an action that needs the timestamps; if they are unusable, the error lists all columns of the file."""
        try:
            return action(table)
        except SourceError:
            absent = {n: t if isinstance(t, Uncounted) else null_column(t, table.rows) for n, t in self.columns.items()}
            complete = Table({**absent, **table.columns}, table.rows)
            return run_on_file(self.file, lambda: action(complete))

    def _table(self, batch: RowBatch, names: Sequence[str]) -> Table:
        columns = dict(zip(batch.table.column_names, batch.table.columns, strict=True))
        uncounted = {n: t for n in names if isinstance(t := self.columns.get(n), Uncounted)}
        return Table({**columns, **self._folder_columns(names, batch.rows), **uncounted}, batch.rows)

    def _single_row(self, timestamp: str) -> Table:
        return Table(self._folder_columns([timestamp], 1), 1)

    def _folder_columns(self, names: Iterable[str], rows: int) -> dict[str, pa.ChunkedArray]:
        values = self.folder_values
        return {n: pa.chunked_array([pa.repeat(values[n], rows)]) for n in names if n in values}


def open_handles(files: Sequence[File]) -> list[FileHandle]:
    """Open files and determine their columns; raises SourceError if a file cannot be read."""
    keys = {key for file in files for key in file.partitions}
    integer_keys = {key for key in keys if _are_integers([f.partitions[key] for f in files if key in f.partitions])}
    return [_open(file, integer_keys) for file in files]


def _open(file: File, integer_keys: set[str]) -> FileHandle:
    reader = open_reader(file)
    stored = Table({field.name: pa.chunked_array([], field.type) for field in reader.schema}, 0).columns
    folder_values = {
        key: pa.scalar(None if value is None else int(value), pa.int64())
        if key in integer_keys
        else pa.scalar(value, pa.string())
        for key, value in file.partitions.items()
        if key not in stored
    }
    columns = {n: c if isinstance(c, Uncounted) else value_type(c.type) for n, c in stored.items()}
    folder_types = {key: value.type for key, value in folder_values.items()}
    return FileHandle(file, reader, {**columns, **folder_types}, folder_values)


def _are_integers(values: Sequence[str | None]) -> bool:
    """Return whether all values are integers in their usual form: 01 is text."""
    texts = [value for value in values if value is not None]
    return bool(texts) and all(
        v.isascii() and v.removeprefix("-").isdigit() and len(v) < 19 and str(int(v)) == v for v in texts
    )


def value_type(type_: pa.DataType) -> pa.DataType:
    """Return the type of the values; of a dictionary, the type that it encodes."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def null_column(type_: pa.DataType, rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(rows, type_)])
