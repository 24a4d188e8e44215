"""Files of any known format, by path, glob, folder or URL: counted piece by piece, never held whole."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa

from drift.errors import SourceError
from drift.histogram import Axis, Profile, Uncounted
from drift.histogram.binning import SAMPLE
from drift.monitors.spec import Columns, FileSource
from drift.monitors.window import Window, format_instant
from drift.sources.files.binning_pass import count_stream, count_windows, learn_stream
from drift.sources.files.discovery import locate
from drift.sources.files.file_handle import FileHandle, WindowPlacement, open_all
from drift.sources.files.formats import FORMATS
from drift.sources.files.stream import Stream
from drift.sources.frames.arrow import decoded
from drift.sources.frames.table import Table

LISTED: Final = 100
"""Files whose names are kept with a window's result; a digest covers them all."""


def read_files(pattern: str, columns: Sequence[str] | None = None) -> Table:
    """All rows of some files, whole or of some columns (those that are there), held in memory.

    A column that is not of one type in all of them, or not in all of them, is named with the files that
    disagree; the other columns are read all the same. Files without rows have no say in this.

    Raises
    ------
    SourceError
        Where a file cannot be read; the message names it.
    """
    files = open_all(locate(pattern, FORMATS))
    stream = Stream(files, columns if columns is not None else _names(files), None)
    return _together(stream, list(stream.tables()))


@dataclass(frozen=True, slots=True)
class Files:
    """A source of files; see `drift.sources.Source`.

    Parameters
    ----------
    pattern : str
        Path, glob, folder, or the URL of one in an object store (``s3://``, ``gs://``, ``abfs://``, ``file://``).
    timestamp : str or None
        The column that places rows in windows; None where all rows are one window.
    timezone : ZoneInfo
        Of times without one.
    seed : int
        Of the sample that axes are chosen from where there are more rows than `drift.histogram.binning.SAMPLE`.
    """

    pattern: str = field(repr=False)
    timestamp: str | None
    timezone: ZoneInfo
    seed: int = 0

    def columns(self) -> list[str]:
        """Names of the columns of any of the files, the timestamp's excepted."""
        return [name for name in _names(self._opened()) if name != self.timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last instant; None where no row has one."""
        if self.timestamp is None:
            return None
        spans = [file.span(self.timestamp, self.timezone) for file in self._opened()]
        found = [span for span in spans if span is not None]
        return (min(first for first, _ in found), max(last for _, last in found)) if found else None

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window, and count them; by segment, "" is all rows.

        Up to `binning.SAMPLE` rows are held, and the axes chosen from all of them. Of more, axes are chosen
        from a seeded sample of each column's, the least and the largest value of all rows, and the counts of all
        names; the rows are then read once more, to be counted.
        """
        return _learned(self._stream([*names, *segments], window), names, columns, segments, self.seed)

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on axes chosen before, by the segments known to the reference."""
        return count_stream(self._stream([*axes, *segments], window), axes, segments, known)

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        """Count each of several windows, in one pass over the rows from the first one's start to the last one's end.

        A column must be alike in all files that have rows there; else it is counted in none of the windows.
        """
        if not windows:
            return []
        if self.timestamp is None:
            raise SourceError("rows lie in windows by a timestamp column, and none is named")
        stretch = Window(windows[0].start, windows[-1].end)
        return count_windows(self._stream([*axes, *segments], stretch), windows, axes, segments, known)

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:  # noqa: ARG002 - of the interface
        """None: files would have to be read. Size and time of each tell whether rows came."""
        return None

    def provenance(self) -> dict[str, Any]:
        """The files as they are now: kept with a window's result, to see later that they changed.

        The first hundred are listed, by name, size in bytes, and time of the last change; the digest is of all.
        """
        found = locate(self.pattern, FORMATS)
        told = "\n".join(f"{file.name} {file.size} {file.modified}" for file in found)
        listed = [{"name": f.name, "bytes": f.size, "modified": _when(f.modified)} for f in found[:LISTED]]
        return {"files": len(found), "digest": hashlib.sha256(told.encode()).hexdigest()[:32], "listed": listed}

    def _opened(self) -> list[FileHandle]:
        return open_all(locate(self.pattern, FORMATS))

    def _stream(self, names: Sequence[str], window: Window | None) -> Stream:
        place = (
            None if window is None or self.timestamp is None else WindowPlacement(window, self.timestamp, self.timezone)
        )
        return Stream(self._opened(), names, place)


def open_files(spec: FileSource, timestamp: str | None, timezone: ZoneInfo) -> Files:
    """Open the files of a monitor."""
    return Files(spec.path, timestamp, timezone)


class FileTable:
    """All rows of some files, as `drift.compare` and `drift.profile` use them: opened once, counted piece by piece.

    Parameters
    ----------
    pattern : str
        As for `Files`.

    Raises
    ------
    SourceError
        Where a file cannot be read; the message names it.
    """

    def __init__(self, pattern: str) -> None:
        self._files = open_all(locate(pattern, FORMATS))

    @property
    def columns(self) -> list[str]:
        """Names, in order."""
        return _names(self._files)

    def learn(self, names: Sequence[str], columns: Columns, *, seed: int = 0) -> Profile:
        """Choose axes from the rows, and count them; see `Files.learn`."""
        return _learned(Stream(self._files, names, None), names, columns, (), seed)[""]

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        """Count on axes chosen before."""
        return count_stream(Stream(self._files, list(axes), None), axes, (), ())[""]


def _names(files: Iterable[FileHandle]) -> list[str]:
    return list(dict.fromkeys(name for file in files for name in file.columns))


def _learned(
    stream: Stream, names: Sequence[str], columns: Columns, segments: Sequence[str], seed: int
) -> dict[str, Profile]:
    tables, held, rows = stream.tables(), list[Table](), 0
    for table in tables:
        held.append(table)
        if (rows := rows + table.rows) > SAMPLE:
            return learn_stream(stream, _first(held, tables), names, columns, segments, seed)
    parts = _together(stream, held).split(segments)
    whole = parts.pop("").learn(names, columns, seed)
    return {"": whole, **{key: part.count(whole.axes) for key, part in parts.items()}}


def _first(held: list[Table], others: Iterator[Table]) -> Iterator[Table]:
    """The tables held, each let go at once, and those that come after them."""
    while held:
        yield held.pop(0)
    yield from others


def _together(stream: Stream, tables: list[Table]) -> Table:
    """All rows in one table."""
    parts = [stream.empty(), *tables]
    columns = {name: _column([part.columns[name] for part in parts]) for name in stream.columns}
    return Table(columns, sum(table.rows for table in tables))


def _column(parts: list[pa.ChunkedArray | Uncounted]) -> pa.ChunkedArray | Uncounted:
    for part in parts:
        if isinstance(part, Uncounted):
            return part
    whole = [part for part in parts if not isinstance(part, Uncounted)]
    if len({part.type for part in whole[1:]}) != 1:  # texts of several forms, or no rows at all
        whole = [decoded(part).cast(whole[0].type) for part in whole]
    else:
        whole = whole[1:]
    return pa.chunked_array([chunk for part in whole for chunk in part.chunks], whole[0].type)


def _when(nanoseconds: int) -> str:
    return format_instant(datetime.fromtimestamp(nanoseconds // 10**9, UTC))
