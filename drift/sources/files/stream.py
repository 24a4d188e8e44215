"""Rows of several files, batch by batch, in columns of one type each."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from typing import Final, TypeVar

import pyarrow as pa

from drift.histogram import Fault, Uncounted
from drift.monitors.window import Window
from drift.sources.files.file_handle import FileHandle, WindowPlacement, null_column, value_type
from drift.sources.frames.arrow import decode_dictionary, is_text
from drift.sources.frames.table import Table

Item = TypeVar("Item")
Output = TypeVar("Output")
WORKERS: Final = 2
"""Batches counted at the same time, while the next one is read. No more are in memory."""


class Stream:
    """The rows of files in a window, in columns that are the same in all files.

    A column that some files lack, or that has incompatible types, is not counted; the reason names the files. Files
    without rows in the window are ignored in this. Without a placement, all rows are streamed.

    Raises
    ------
    SourceError
        If a file cannot be read, or has changed; its methods raise it too. The message names the file.
    """

    def __init__(self, files: Sequence[FileHandle], names: Sequence[str], placement: WindowPlacement | None) -> None:
        self._names, self._placement = list(dict.fromkeys(names)), placement
        if len(files) > 1 and not all(_same_type(name, files) for name in self._names):
            files = [file for file in files if next(file.tables([], placement), None) is not None] or files
        self._files = files
        present = [name for name in self._names if any(name in file.columns for file in files)]
        self.columns: Mapping[str, pa.DataType | Uncounted] = {name: _common_type(name, files) for name in present}

    def select(self, names: Sequence[str]) -> "Stream":
        """Return a stream of the same rows with fewer columns."""
        selected = copy(self)
        selected.columns = {name: self.columns[name] for name in dict.fromkeys(names) if name in self.columns}
        return selected

    def empty_table(self) -> Table:
        return Table({n: t if isinstance(t, Uncounted) else null_column(t, 0) for n, t in self.columns.items()}, 0)

    def tables(self) -> Iterator[Table]:
        """Yield all rows, batch by batch; may be called more than once."""
        for file in self._files:
            for table in file.tables(self._counted_names(), self._placement):
                yield self._convert(table)

    def window_tables(self, windows: Sequence[Window]) -> Iterator[tuple[int, Table]]:
        """Yield the rows of several windows, batch by batch, with the index of their window."""
        assert self._placement is not None  # noqa: S101 - for the type checker; only placed rows are in windows
        for file in self._files:
            for index, table in file.window_tables(self._counted_names(), self._placement, windows):
                yield index, self._convert(table)

    def concatenate(self, tables: Sequence[Table]) -> Table:
        parts = [self.empty_table(), *tables]
        columns = {name: _concatenate_column([part.columns[name] for part in parts]) for name in self.columns}
        return Table(columns, sum(table.rows for table in tables))

    def _counted_names(self) -> list[str]:
        return [name for name, type_ in self.columns.items() if not isinstance(type_, Uncounted)]

    def _convert(self, table: Table) -> Table:
        return Table({name: self._cast(name, table) for name in self.columns}, table.rows)

    def _cast(self, name: str, table: Table) -> pa.ChunkedArray | Uncounted:
        type_ = self.columns[name]
        if isinstance(type_, Uncounted):
            return type_
        column = table.columns[name]
        if isinstance(column, Uncounted):
            return column
        stored_type = value_type(column.type)
        if stored_type == type_ or (is_text(stored_type) and is_text(type_)):
            return column
        try:
            return decode_dictionary(column).cast(type_)
        except pa.ArrowInvalid:  # integers that no double represents, times outside the range of a unit
            return _type_conflict(name, self._files)


def map_in_threads(action: Callable[[Item], Output], items: Iterator[Item], workers: int = WORKERS) -> Iterator[Output]:
    """Yield the result of an action on each item, in order. Threads run it while the next items are read."""
    pending: deque[Future[Output]] = deque()
    with ThreadPoolExecutor(workers, "drift-stream") as pool:
        for item in items:
            pending.append(pool.submit(action, item))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _same_type(name: str, files: Sequence[FileHandle]) -> bool:
    types = [file.columns.get(name) for file in files]
    return all(type_ == types[0] for type_ in types)


def _common_type(name: str, files: Sequence[FileHandle]) -> pa.DataType | Uncounted:
    with_column = [file for file in files if name in file.columns]
    if without := [file for file in files if name not in file.columns]:
        reason = f"column {name!r} is in {with_column[0].file.name} but not in {without[0].file.name}"
        return Uncounted(Fault.SCHEMA_ERROR, reason)
    types = [file.columns[name] for file in with_column]
    if uncounted := [type_ for type_ in types if isinstance(type_, Uncounted)]:
        return uncounted[0]
    schemas = [pa.schema([pa.field(name, type_)]) for type_ in dict.fromkeys(types)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return _type_conflict(name, files)


def _type_conflict(name: str, files: Sequence[FileHandle]) -> Uncounted:
    examples: dict[str, str] = {}
    for file in files:
        examples.setdefault(str(file.columns[name]), file.file.name)
    types = ", ".join(f"{type_} in {path}" for type_, path in examples.items())
    return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} has incompatible types: {types}")


def _concatenate_column(parts: Sequence[pa.ChunkedArray | Uncounted]) -> pa.ChunkedArray | Uncounted:
    """Concatenate a column, of which the first part is empty and has the stream's type."""
    for part in parts:
        if isinstance(part, Uncounted):
            return part
    first, *columns = (part for part in parts if not isinstance(part, Uncounted))
    if len({column.type for column in columns}) != 1:  # several text types, or no rows
        columns = [decode_dictionary(column).cast(first.type) for column in (first, *columns)]
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], columns[0].type)
