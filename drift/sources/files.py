"""Files: Parquet and CSV, by path or glob. Read plainly; only the columns and rows that are needed are kept."""

import glob
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet

from drift.errors import SourceError
from drift.histogram import Axis, Fault, Profile, Uncounted
from drift.monitor import Columns
from drift.sources.arrow import decoded
from drift.sources.csv import csv_names, read_csv
from drift.sources.table import Table, distinct
from drift.window import Window

Read = TypeVar("Read")


def _read_parquet(path: Path, columns: Sequence[str] | None) -> pa.Table:
    wanted = None if columns is None else list(columns)
    return pyarrow.parquet.read_table(path, columns=wanted, page_checksum_verification=True, partitioning=None)


def _parquet_names(path: Path) -> list[str]:
    return list(pyarrow.parquet.read_schema(path).names)


@dataclass(frozen=True, slots=True)
class Format:
    """How files of one kind are read: some columns or all of them, and only the columns' names."""

    read: Callable[[Path, Sequence[str] | None], pa.Table]
    names: Callable[[Path], list[str]]


FORMATS: Final[Mapping[str, Format]] = {
    ".parquet": Format(_read_parquet, _parquet_names),
    ".pq": Format(_read_parquet, _parquet_names),
    ".csv": Format(read_csv, csv_names),
}


def expand(pattern: str) -> list[Path]:
    """The files a path or glob names, sorted.

    Raises
    ------
    SourceError
        Where there are none, or one is of an unknown format.
    """
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns
    if not found and Path(pattern).exists():  # a name that only looks like a glob
        found = [Path(pattern)]
    if not found:
        raise SourceError(f"no file matches {pattern!r}; check the path (relative ones start from {Path.cwd()})")
    for path in found:
        if path.is_dir():
            raise SourceError(f"{path} is a folder; name its files, such as {path}/*.parquet")
        if path.suffix.lower() not in FORMATS:
            raise SourceError(f"{path}: unknown format {path.suffix!r}; known are {', '.join(FORMATS)}")
    return found


def read_files(pattern: str, columns: Sequence[str] | None = None) -> Table:
    """All rows of some files, whole or of some columns (those that are there).

    A column that is not of one type in all of them, or not in all of them, is named with the files that
    disagree; the other columns are read all the same. Files without rows have no say in this.

    Raises
    ------
    SourceError
        Where a file cannot be read; the message names it.
    """
    return _joined([(path, _read(path, columns)) for path in expand(pattern)])


def _joined(parts: list[tuple[Path, Table]]) -> Table:
    parts = [part for part in parts if part[1].rows] or parts
    names = dict.fromkeys(name for _, table in parts for name in table.columns)
    return Table({name: _column(name, parts) for name in names}, sum(table.rows for _, table in parts))


def _column(name: str, parts: list[tuple[Path, Table]]) -> pa.ChunkedArray | Uncounted:
    there = {path: column for path, table in parts if (column := table.columns.get(name)) is not None}
    if lacking := [path for path, _ in parts if path not in there]:
        return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is in {next(iter(there))} but not in {lacking[0]}")
    if lost := [column for column in there.values() if isinstance(column, Uncounted)]:
        return lost[0]
    chunks = {path: pa.table({name: decoded(column)}) for path, column in there.items()}
    try:
        return pa.concat_tables(list(chunks.values()), promote_options="permissive").column(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        types: dict[str, Path] = {}
        for path, chunk in chunks.items():
            types.setdefault(str(chunk.schema.field(0).type), path)
        told = ", ".join(f"{type_} in {path}" for type_, path in types.items())
        return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is of different types: {told}")


def _names(path: Path) -> list[str]:
    return _reading(path, lambda path: distinct(FORMATS[path.suffix.lower()].names(path)))


def _read(path: Path, columns: Sequence[str] | None) -> Table:
    form = FORMATS[path.suffix.lower()]
    present = _names(path)
    if columns is not None:
        columns = [name for name in dict.fromkeys(columns) if name in present]
    return _reading(path, lambda path: Table.from_arrow(form.read(path, columns)))


def _reading(path: Path, act: Callable[[Path], Read]) -> Read:
    """What goes wrong with a file names it."""
    try:
        return act(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        hint = "it is empty" if path.exists() and path.stat().st_size == 0 else str(error).strip().splitlines()[0]
        raise SourceError(f"cannot read {path}: {hint}") from error
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error


@dataclass(frozen=True, slots=True)
class Files:
    """A source of files; see `drift.sources.Source`.

    Parameters
    ----------
    pattern : str
        Path or glob.
    timestamp : str or None
        The column that places rows in windows; None where all rows are one window.
    timezone : ZoneInfo
        Of times without one.
    """

    pattern: str
    timestamp: str | None
    timezone: ZoneInfo

    def columns(self) -> list[str]:
        """Names of the columns of any of the files, the timestamp's excepted."""
        names = dict.fromkeys(name for path in expand(self.pattern) for name in _names(path))
        return [name for name in names if name != self.timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last instant; None where no row has one."""
        if (timestamp := self.timestamp) is None:
            return None
        spans = [
            self._placed(path, _read(path, [timestamp]), lambda table: table.span(timestamp, self.timezone))
            for path in expand(self.pattern)
        ]
        found = [span for span in spans if span is not None]
        return (min(first for first, _ in found), max(last for _, last in found)) if found else None

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window, and count them; by segment, "" is all rows."""
        parts = self._rows([*names, *segments], window).split(segments)
        whole = parts.pop("").learn(names, columns)
        return {"": whole, **{key: part.count(whole.axes) for key, part in parts.items()}}

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on axes chosen before, by the segments known to the reference."""
        parts = self._rows([*axes, *segments], window).split(segments, known)
        return {key: part.count(axes) for key, part in parts.items()}

    def provenance(self) -> dict[str, Any]:
        """The files as they are now: kept with a window's result, to see later that they changed."""
        stats = [(str(path), _reading(path, Path.stat)) for path in expand(self.pattern)]
        listed = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
        return {"files": len(stats), "digest": hashlib.sha256(listed.encode()).hexdigest()[:32]}

    def _rows(self, names: Sequence[str], window: Window | None) -> Table:
        if window is None or (timestamp := self.timestamp) is None:
            return read_files(self.pattern, names)
        # File by file: those without rows in the window need not have its columns, and are let go at once.
        return _joined(
            [
                (
                    path,
                    self._placed(
                        path,
                        _read(path, [timestamp, *names]),
                        lambda table: table.within(window, timestamp, self.timezone),
                    ),
                )
                for path in expand(self.pattern)
            ]
        )

    def _placed(self, path: Path, table: Table, act: Callable[[Table], Read]) -> Read:
        """What needs the timestamps of a file; where they are amiss, the message lists all that is in it."""
        try:
            return act(table)
        except SourceError:
            whole = _read(path, None)
            return _reading(path, lambda _: act(whole))
