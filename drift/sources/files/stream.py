"""Rows of files, some at a time: in one window, each column of one type in all files. Nothing is held."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa

from drift.errors import SourceError
from drift.histogram import Fault, Uncounted
from drift.sources.files.formats import open_file
from drift.sources.files.places import File
from drift.sources.files.reading import Piece, Placing, Reader, naming
from drift.sources.memory.arrow import TEXT, decoded
from drift.sources.memory.parts import by_window
from drift.sources.memory.table import Table, as_instants, ticks_of
from drift.window import Window

Item = TypeVar("Item")
Made = TypeVar("Made")
WORKERS: Final = 2
"""Pieces counted at once, while another is read: all that is ever held."""


@dataclass(frozen=True, slots=True)
class Place:
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
class Opened:
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
    reader: Reader
    columns: Mapping[str, pa.DataType | Uncounted]
    folders: Mapping[str, Any]

    def tables(self, names: Sequence[str], place: Place | None) -> Iterator[Table]:
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

    def parts(self, names: Sequence[str], place: Place, windows: Sequence[Window]) -> Iterator[tuple[int, Table]]:
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

    def _pieces(self, names: Sequence[str], place: Place | None, placing: Placing | None) -> Iterator[Piece]:
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

    def _placed(self, place: Place, table: Table) -> Table:
        return self._told(table, place.within)

    def _told(self, table: Table, act: Callable[[Table], Made]) -> Made:
        """What needs the timestamps; where they are amiss, the message lists all columns that are in the file."""
        try:
            return act(table)
        except SourceError:
            others = {n: t if isinstance(t, Uncounted) else _nulls(t, table.rows) for n, t in self.columns.items()}
            whole = Table({**others, **table.columns}, table.rows)
            return naming(self.file, lambda: act(whole))

    def _table(self, piece: Piece, names: Sequence[str]) -> Table:
        read = dict(zip(piece.table.column_names, piece.table.columns, strict=True))
        lost = {n: t for n in names if isinstance(t := self.columns.get(n), Uncounted)}
        return Table({**read, **self._of_folders(names, piece.rows), **lost}, piece.rows)

    def _of_folders(self, names: Iterable[str], rows: int) -> dict[str, pa.ChunkedArray]:
        return {n: pa.chunked_array([pa.repeat(self.folders[n], rows)]) for n in names if n in self.folders}


def open_all(files: Sequence[File]) -> list[Opened]:
    """All files, with their columns.

    Raises
    ------
    SourceError
        Where one cannot be read.
    """
    keys = {key for file in files for key in file.partitions}
    whole = {key: _are_integers([f.partitions[key] for f in files if key in f.partitions]) for key in keys}
    return [_opened(file, whole) for file in files]


def _opened(file: File, whole: Mapping[str, bool]) -> Opened:
    reader = open_file(file)
    own = Table({field.name: pa.chunked_array([], field.type) for field in reader.schema}, 0).columns
    folders = {
        key: pa.scalar(None if value is None else int(value), pa.int64())
        if whole[key]
        else pa.scalar(value, pa.string())
        for key, value in file.partitions.items()
        if key not in own
    }
    columns = {n: c if isinstance(c, Uncounted) else _plain(c.type) for n, c in own.items()}
    return Opened(file, reader, {**columns, **{key: value.type for key, value in folders.items()}}, folders)


def _are_integers(values: Sequence[str | None]) -> bool:
    """Whether all are whole numbers as one writes them: 01 is a text."""
    found = [value for value in values if value is not None]
    return bool(found) and all(
        v.isascii() and v.removeprefix("-").isdigit() and len(v) < 19 and str(int(v)) == v for v in found
    )


class Stream:
    """The rows of files in a window, in columns that are the same in all of them.

    A column that some files lack, or that is of different types, is named with the files that disagree; files
    without rows in the window have no say in this.

    Parameters
    ----------
    files : sequence of Opened
        At least one.
    names : sequence of str
        The columns wanted.
    place : Place or None
        None is all rows.

    Raises
    ------
    SourceError
        Where a file cannot be read.
    """

    def __init__(self, files: Sequence[Opened], names: Sequence[str], place: Place | None) -> None:
        self._names, self._place = list(dict.fromkeys(names)), place
        if len(files) > 1 and not all(_agree(name, files) for name in self._names):
            files = [file for file in files if next(file.tables([], place), None) is not None] or files
        self._files = files
        there = [name for name in self._names if any(name in file.columns for file in files)]
        self.columns: Mapping[str, pa.DataType | Uncounted] = {name: _joined(name, files) for name in there}

    def only(self, names: Sequence[str]) -> "Stream":
        """The same rows in fewer columns."""
        fewer = copy(self)
        fewer.columns = {name: self.columns[name] for name in dict.fromkeys(names) if name in self.columns}
        return fewer

    def empty(self) -> Table:
        """No row of each column."""
        held = {n: t if isinstance(t, Uncounted) else _nulls(t, 0) for n, t in self.columns.items()}
        return Table(held, 0)

    def tables(self) -> Iterator[Table]:
        """All rows, some at a time; may be gone through more than once.

        Raises
        ------
        SourceError
            Where a file cannot be read, or is no longer as it was.
        """
        for file in self._files:
            for table in file.tables(self._wanted(), self._place):
                yield self._joined(table)

    def parts(self, windows: Sequence[Window]) -> Iterator[tuple[int, Table]]:
        """All rows that lie in one of several windows, some at a time, each part with its window's number.

        Raises
        ------
        SourceError
            As `tables`.
        """
        assert self._place is not None  # noqa: S101 - for the type checker; only rows with instants lie in windows
        for file in self._files:
            for number, table in file.parts(self._wanted(), self._place, windows):
                yield number, self._joined(table)

    def _wanted(self) -> list[str]:
        return [name for name, type_ in self.columns.items() if not isinstance(type_, Uncounted)]

    def _joined(self, table: Table) -> Table:
        return Table({name: self._cast(name, table) for name in self.columns}, table.rows)

    def _cast(self, name: str, table: Table) -> pa.ChunkedArray | Uncounted:
        type_ = self.columns[name]
        if isinstance(type_, Uncounted):
            return type_
        column = table.columns[name]
        if isinstance(column, Uncounted) or _plain(column.type) == type_ or _both_text(column.type, type_):
            return column
        try:
            return decoded(column).cast(type_)
        except pa.ArrowInvalid:  # integers that no double holds, times out of a unit's reach
            return _of_different_types(name, self._files)


def mapped(act: Callable[[Item], Made], items: Iterator[Item], workers: int = WORKERS) -> Iterator[Made]:
    """What becomes of each, in order; done in threads while the next ones are read."""
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers, "drift-stream") as pool:
        for item in items:
            waiting.append(pool.submit(act, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _agree(name: str, files: Sequence[Opened]) -> bool:
    found = [file.columns.get(name) for file in files]
    return all(type_ == found[0] for type_ in found)


def _joined(name: str, files: Sequence[Opened]) -> pa.DataType | Uncounted:
    there = [file for file in files if name in file.columns]
    if lacking := [file for file in files if name not in file.columns]:
        told = f"column {name!r} is in {there[0].file.name} but not in {lacking[0].file.name}"
        return Uncounted(Fault.SCHEMA_ERROR, told)
    types = [file.columns[name] for file in there]
    if lost := [type_ for type_ in types if isinstance(type_, Uncounted)]:
        return lost[0]
    try:
        return (
            pa.unify_schemas(
                [pa.schema([pa.field(name, type_)]) for type_ in dict.fromkeys(types)], promote_options="permissive"
            )
            .field(0)
            .type
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return _of_different_types(name, files)


def _of_different_types(name: str, files: Sequence[Opened]) -> Uncounted:
    types: dict[str, str] = {}
    for file in files:
        types.setdefault(str(file.columns[name]), file.file.name)
    told = ", ".join(f"{type_} in {path}" for type_, path in types.items())
    return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is of different types: {told}")


def _plain(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _both_text(one: pa.DataType, other: pa.DataType) -> bool:
    return all(any(fits(_plain(type_)) for fits in TEXT) for type_ in (one, other))


def _nulls(type_: pa.DataType, rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(rows, type_)])
