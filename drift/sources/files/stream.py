"""Rows of files, some at a time: in one window, each column of one type in all files. Nothing is held."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from typing import Final, TypeVar

import pyarrow as pa

from drift.histogram import Fault, Uncounted
from drift.monitors.window import Window
from drift.sources.files.file_handle import FileHandle, WindowPlacement, nulls, plain_type
from drift.sources.frames.arrow import TEXT, decoded
from drift.sources.frames.table import Table

Item = TypeVar("Item")
Made = TypeVar("Made")
WORKERS: Final = 2
"""Pieces counted at once, while another is read: all that is ever held."""


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

    def __init__(self, files: Sequence[FileHandle], names: Sequence[str], place: WindowPlacement | None) -> None:
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
        held = {n: t if isinstance(t, Uncounted) else nulls(t, 0) for n, t in self.columns.items()}
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
        if isinstance(column, Uncounted) or plain_type(column.type) == type_ or _both_text(column.type, type_):
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


def _agree(name: str, files: Sequence[FileHandle]) -> bool:
    found = [file.columns.get(name) for file in files]
    return all(type_ == found[0] for type_ in found)


def _joined(name: str, files: Sequence[FileHandle]) -> pa.DataType | Uncounted:
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


def _of_different_types(name: str, files: Sequence[FileHandle]) -> Uncounted:
    types: dict[str, str] = {}
    for file in files:
        types.setdefault(str(file.columns[name]), file.file.name)
    told = ", ".join(f"{type_} in {path}" for type_, path in types.items())
    return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is of different types: {told}")


def _both_text(one: pa.DataType, other: pa.DataType) -> bool:
    return all(any(fits(plain_type(type_)) for fits in TEXT) for type_ in (one, other))
