"""One file that was opened: its columns, those that its folders name among them, and its rows in a window."""

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
from drift.sources.files.formats import open_file
from drift.sources.files.reader import FormatReader, Piece, Placing, naming
from drift.sources.frames.instants import as_instants, ticks_of
from drift.sources.frames.table import Table
from drift.sources.frames.window_split import by_window

ColumnParts = TypeVar("ColumnParts")


@dataclass(frozen=True, slots=True)
class WindowPlacement:
    """Which rows are wanted: those of a window, placed by a column."""

    window: Window
    timestamp: str
    timezone: ZoneInfo

    def within(self, table: Table) -> Table:
        """The rows of the window."""
        return table.within(self.window, self.timestamp, self.timezone)

    def holds(self, least: pa.ChunkedArray, largest: pa.ChunkedArray) -> list[bool | None]:
        """Whether all instants from a least to a largest one lie in the window, for each pair; None for some of them.

        Wall-clock times are in the order of their instants: never does a later one mean an earlier instant.
        """
        first, last = (as_instants(ends, self.timestamp, self.timezone) for ends in (least, largest))
        start, end = (ticks_of(moment, first.type.unit) for moment in (self.window.start, self.window.end))
        pairs = zip(first.cast(pa.int64()).to_pylist(), last.cast(pa.int64()).to_pylist(), strict=True)
        return [True if start <= a and b < end else False if b < start or a >= end else None for a, b in pairs]


@dataclass(frozen=True, slots=True)
class FileHandle:
    """A file, and the columns that it or the names of its folders hold.

    Parameters
    ----------
    file : File
        Where it is.
    reader : Reader
        What can be read from it.
    columns : mapping of str to pyarrow.DataType or Uncounted
        Plain types (of dictionaries, their values'), or why a column cannot be cut.
    folders : mapping of str to pyarrow.Scalar
        Columns that have one value in all its rows.
    """

    file: File
    reader: FormatReader
    columns: Mapping[str, pa.DataType | Uncounted]
    folders: Mapping[str, Any]

    def tables(self, names: Sequence[str], place: WindowPlacement | None) -> Iterator[Table]:
        """Its rows in a window, piece by piece; of columns that it has."""
        if place is not None and place.timestamp in self.folders:
            if self._placed(place, Table(self._of_folders([place.timestamp], 1), 1)).rows == 0:
                return
            place = None
        for piece in self._pieces(names, place, None if place is None else place.holds):
            table = self._table(piece, names)
            if place is not None and not piece.inside:
                table = self._placed(place, table)
            if table.rows:
                yield table

    def parts(
        self, names: Sequence[str], place: WindowPlacement, windows: Sequence[Window]
    ) -> Iterator[tuple[int, Table]]:
        """Its rows in each of several windows within a place, apart, piece by piece, each with its window's number."""

        def split(table: Table) -> list[tuple[int, Table]]:
            return list(by_window(table, windows, place.timestamp, place.timezone))

        if place.timestamp in self.folders:  # all rows have the same instant
            for number, _ in self._told(Table(self._of_folders([place.timestamp], 1), 1), split):
                yield from ((number, table) for table in self.tables(names, None))
            return

        def some(least: pa.ChunkedArray, largest: pa.ChunkedArray) -> list[bool | None]:
            # The timestamps are always wanted: never "all inside".
            return [False if inside is False else None for inside in place.holds(least, largest)]

        for piece in self._pieces(names, place, some):
            yield from self._told(self._table(piece, names), split)

    def _pieces(self, names: Sequence[str], place: WindowPlacement | None, placing: Placing | None) -> Iterator[Piece]:
        own = set(self.reader.schema.names)
        here = [n for n in names if n in own and not isinstance(self.columns[n], Uncounted)]
        if place is not None:
            self._placed(place, Table({}, 0))  # says what is amiss with the timestamp
        pieces = self.reader.pieces(here, None if place is None else place.timestamp, placing)
        while (piece := naming(self.file, lambda: next(pieces, None))) is not None:
            yield piece
        if not naming(self.file, self.file.unchanged):
            raise SourceError(f"{self.file.name} changed while it was read; it is read anew at the next try")

    def span(self, timestamp: str, timezone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """The first and last instant of all rows; None without any."""
        self._told(Table({}, 0), lambda table: table.span(timestamp, timezone))  # says what is amiss with it
        spans = [
            found
            for table in self.tables([timestamp], None)
            if (found := self._told(table, lambda table: table.span(timestamp, timezone))) is not None
        ]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def _placed(self, place: WindowPlacement, table: Table) -> Table:
        return self._told(table, place.within)

    def _told(self, table: Table, act: Callable[[Table], ColumnParts]) -> ColumnParts:
        """What needs the timestamps; where they are amiss, the message lists all columns that are in the file."""
        try:
            return act(table)
        except SourceError:
            others = {n: t if isinstance(t, Uncounted) else nulls(t, table.rows) for n, t in self.columns.items()}
            whole = Table({**others, **table.columns}, table.rows)
            return naming(self.file, lambda: act(whole))

    def _table(self, piece: Piece, names: Sequence[str]) -> Table:
        read = dict(zip(piece.table.column_names, piece.table.columns, strict=True))
        lost = {n: t for n in names if isinstance(t := self.columns.get(n), Uncounted)}
        return Table({**read, **self._of_folders(names, piece.rows), **lost}, piece.rows)

    def _of_folders(self, names: Iterable[str], rows: int) -> dict[str, pa.ChunkedArray]:
        return {n: pa.chunked_array([pa.repeat(self.folders[n], rows)]) for n in names if n in self.folders}


def open_all(files: Sequence[File]) -> list[FileHandle]:
    """All files, with their columns.

    Raises
    ------
    SourceError
        Where one cannot be read.
    """
    keys = {key for file in files for key in file.partitions}
    whole = {key: _are_integers([f.partitions[key] for f in files if key in f.partitions]) for key in keys}
    return [_opened(file, whole) for file in files]


def _opened(file: File, whole: Mapping[str, bool]) -> FileHandle:
    reader = open_file(file)
    own = Table({field.name: pa.chunked_array([], field.type) for field in reader.schema}, 0).columns
    folders = {
        key: pa.scalar(None if value is None else int(value), pa.int64())
        if whole[key]
        else pa.scalar(value, pa.string())
        for key, value in file.partitions.items()
        if key not in own
    }
    columns = {n: c if isinstance(c, Uncounted) else plain_type(c.type) for n, c in own.items()}
    return FileHandle(file, reader, {**columns, **{key: value.type for key, value in folders.items()}}, folders)


def _are_integers(values: Sequence[str | None]) -> bool:
    """Whether all are whole numbers as one writes them: 01 is a text."""
    found = [value for value in values if value is not None]
    return bool(found) and all(
        v.isascii() and v.removeprefix("-").isdigit() and len(v) < 19 and str(int(v)) == v for v in found
    )


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type of the values: of a dictionary, those that it holds."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def nulls(type_: pa.DataType, rows: int) -> pa.ChunkedArray:
    """A column without a value."""
    return pa.chunked_array([pa.nulls(rows, type_)])
