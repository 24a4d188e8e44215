"""Files: Parquet and CSV, by path or glob. Read plainly; only the columns and rows that are needed are kept."""

import glob
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from drift.errors import SourceError
from drift.histogram import Axis, Fault, Profile, Uncounted
from drift.monitor import Columns
from drift.sources.table import Table
from drift.window import Window


def _read_parquet(path: Path, columns: Sequence[str] | None) -> pa.Table:
    wanted = None if columns is None else list(columns)
    return pyarrow.parquet.read_table(path, columns=wanted, page_checksum_verification=True, partitioning=None)


def _parquet_schema(path: Path) -> pa.Schema:
    return pyarrow.parquet.read_schema(path)


def _read_csv(path: Path, columns: Sequence[str] | None) -> pa.Table:
    # Empty text is missing in every column: CSV has no other way to write it.
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=False)
    table = pyarrow.csv.read_csv(path, convert_options=options)
    return table if columns is None else table.select(list(columns))


def _csv_schema(path: Path) -> pa.Schema:
    return _read_csv(path, None).schema


@dataclass(frozen=True, slots=True)
class Format:
    """How files of one kind are read."""

    read: Callable[[Path, Sequence[str] | None], pa.Table]
    schema: Callable[[Path], pa.Schema]


FORMATS: Final[Mapping[str, Format]] = {
    ".parquet": Format(_read_parquet, _parquet_schema),
    ".pq": Format(_read_parquet, _parquet_schema),
    ".csv": Format(_read_csv, _csv_schema),
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
    disagree; the other columns are read all the same.

    Raises
    ------
    SourceError
        Where a file cannot be read; the message names it.
    """
    paths = expand(pattern)
    tables = [Table.from_arrow(_read(path, columns)) for path in paths]
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    return Table({name: _joined(name, paths, tables) for name in names}, sum(table.rows for table in tables))


def _joined(name: str, paths: list[Path], tables: list[Table]) -> pa.ChunkedArray | Uncounted:
    chunks = []
    for path, table in zip(paths, tables, strict=True):
        column = table.columns.get(name)
        if column is None or isinstance(column, Uncounted):
            return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is in {paths[0]} but not in {path}")
        chunks.append(pa.table({name: column}))
    try:
        return pa.concat_tables(chunks, promote_options="permissive").column(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        types = {str(chunk.schema.field(0).type): path for path, chunk in zip(paths, chunks, strict=True)}
        told = ", ".join(f"{type_} in {path}" for type_, path in types.items())
        return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is of different types: {told}")


def _read(path: Path, columns: Sequence[str] | None) -> pa.Table:
    form = FORMATS[path.suffix.lower()]
    try:
        if columns is not None:
            present = form.schema(path).names
            columns = [name for name in columns if name in present]
        return form.read(path, columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        hint = "it is empty" if path.exists() and path.stat().st_size == 0 else str(error).strip().splitlines()[0]
        raise SourceError(f"cannot read {path}: {hint}") from error


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
        """Names of the columns, the timestamp's excepted."""
        names = self._open(lambda path: FORMATS[path.suffix.lower()].schema(path).names, expand(self.pattern)[0])
        return [name for name in names if name != self.timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last instant; None where no row has one."""
        if self.timestamp is None:
            return None
        return read_files(self.pattern, [self.timestamp]).span(self.timestamp, self.timezone)

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
        stats = [(str(path), path.stat()) for path in expand(self.pattern)]
        listed = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
        return {"files": len(stats), "digest": hashlib.sha256(listed.encode()).hexdigest()[:32]}

    def _rows(self, names: Sequence[str], window: Window | None) -> Table:
        if window is None or self.timestamp is None:
            return read_files(self.pattern, list(dict.fromkeys(names)))
        return read_files(self.pattern, list(dict.fromkeys([self.timestamp, *names]))).within(
            window, self.timestamp, self.timezone
        )

    def _open(self, act: Callable[[Path], list[str]], path: Path) -> list[str]:
        try:
            return act(path)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"cannot read {path}: {str(error).splitlines()[0]}") from error
