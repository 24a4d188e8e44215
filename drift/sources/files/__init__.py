"""Files of any known format, by path, glob, folder or URL: counted batch by batch, never whole in memory."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from drift.errors import SourceError
from drift.histogram import Axis, Profile
from drift.monitors.spec import Columns, FileSource
from drift.monitors.window import Window, format_instant
from drift.sources.files.binning_pass import count_stream, count_stream_windows, learn_profiles
from drift.sources.files.discovery import find_files
from drift.sources.files.file_handle import FileHandle, WindowPlacement, open_handles
from drift.sources.files.formats import FILE_FORMATS
from drift.sources.files.stream import Stream
from drift.sources.frames.table import Table

MAX_LISTED_FILES: Final = 100
"""Files whose names are stored with a window's result; a digest covers all of them."""


def read_files(pattern: str, columns: Sequence[str] | None = None) -> Table:
    """Read all rows of files into memory: all columns, or those of some columns that exist; see `Stream`."""
    files = open_handles(find_files(pattern, FILE_FORMATS))
    stream = Stream(files, columns if columns is not None else _names(files), None)
    return stream.concatenate(list(stream.tables()))


@dataclass(frozen=True, slots=True)
class Files:
    """A source of files; see `drift.sources.Source`.

    `pattern` is a path, glob, folder, or the URL of one in an object store (``s3://``, ``gs://``, ``abfs://``,
    ``file://``). `seed` is that of the sample from which axes are chosen if there are more than `binning.SAMPLE` rows.
    """

    pattern: str = field(repr=False)
    timestamp: str | None  # the column that places rows in windows; None: all rows are one window
    timezone: ZoneInfo  # of timestamps without one
    seed: int = 0

    def columns(self) -> list[str]:
        """Return the names of the columns of any file, without the timestamp column."""
        return [name for name in _names(self._open()) if name != self.timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        """Return the first and the last instant, or None if no row has one."""
        if self.timestamp is None:
            return None
        spans = [span for file in self._open() if (span := file.span(self.timestamp, self.timezone)) is not None]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window and count them; see `binning_pass.learn_profiles`."""
        return learn_profiles(self._stream([*names, *segments], window), names, columns, segments, self.seed)

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on given axes, by the segments of the reference."""
        return count_stream(self._stream([*axes, *segments], window), axes, segments, known)

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        """Count each of several windows in one pass over the rows from the first start to the last end.

        A column that is not the same in all files with rows in that range is counted in no window.
        """
        if not windows:
            return []
        if self.timestamp is None:
            raise SourceError("the rows of windows need a timestamp column; name one", code="timestamp-missing")
        span = Window(windows[0].start, windows[-1].end)
        return count_stream_windows(self._stream([*axes, *segments], span), windows, axes, segments, known)

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:  # noqa: ARG002 - of the interface
        """Return None, because files would have to be read. Their sizes and times reveal late rows."""
        return None

    def provenance(self) -> dict[str, Any]:
        """Describe the current files; stored with a window's result to detect later changes.

        The first `MAX_LISTED_FILES` are listed with name, size in bytes and time of the last change. The digest covers
        all files.
        """
        files = find_files(self.pattern, FILE_FORMATS)
        text = "\n".join(f"{file.name} {file.size} {file.modified}" for file in files)
        listed = [{"name": f.name, "bytes": f.size, "modified": _iso(f.modified)} for f in files[:MAX_LISTED_FILES]]
        return {"files": len(files), "digest": hashlib.sha256(text.encode()).hexdigest()[:32], "listed": listed}

    def _open(self) -> list[FileHandle]:
        return open_handles(find_files(self.pattern, FILE_FORMATS))

    def _stream(self, names: Sequence[str], window: Window | None) -> Stream:
        placement = None
        if window is not None and self.timestamp is not None:
            placement = WindowPlacement(window, self.timestamp, self.timezone)
        return Stream(self._open(), names, placement)


def open_file_source(spec: FileSource, timestamp: str | None, timezone: ZoneInfo) -> Files:
    """Open the files of a monitor."""
    return Files(spec.path, timestamp, timezone)


class FileTable:
    """All rows of files for `drift.compare` and `drift.profile`: opened once, counted batch by batch.

    `pattern` is that of `Files`. Raises SourceError if a file cannot be read; the message names it.
    """

    def __init__(self, pattern: str) -> None:
        self._files = open_handles(find_files(pattern, FILE_FORMATS))

    @property
    def columns(self) -> list[str]:
        return _names(self._files)

    def learn(self, names: Sequence[str], columns: Columns, *, seed: int = 0) -> Profile:
        """Choose axes from the rows and count them; see `binning_pass.learn_profiles`."""
        return learn_profiles(Stream(self._files, names, None), names, columns, (), seed)[""]

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        return count_stream(Stream(self._files, list(axes), None), axes, (), ())[""]


def _names(files: Iterable[FileHandle]) -> list[str]:
    return list(dict.fromkeys(name for file in files for name in file.columns))


def _iso(nanoseconds: int) -> str:
    return format_instant(datetime.fromtimestamp(nanoseconds // 10**9, UTC))
