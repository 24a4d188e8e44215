"""The interface of file formats: report the columns, and read the rows in batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

import pyarrow as pa

from drift.errors import SourceError
from drift.sources.files.discovery import File

ReadResult = TypeVar("ReadResult")

VALUES_PER_BATCH: Final = 2**22
"""Values that are read, counted and released at a time: 32 MiB of doubles."""


def rows_per_batch(columns: int) -> int:
    """Return the number of rows of a batch. Long batches are better: names of categories are looked up once a batch."""
    return min(max(VALUES_PER_BATCH // max(columns, 1), 2**13), 2**18)


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Some rows of a file."""

    table: pa.Table  # the requested columns
    rows: int  # also if no column was requested
    in_window: bool = False  # the statistics prove that all rows are; the timestamp column may then be absent


RangeFilter: TypeAlias = Callable[[pa.ChunkedArray, pa.ChunkedArray], list[bool | None]]
"""Takes the smallest and the largest timestamps of several row ranges. Returns for each range whether all of its
timestamps are in the window (True), none is (False), or neither is certain (None)."""


class FormatReader(Protocol):
    """A file of one format.

    `schema` is known from the start: names and types, the same for all rows. Text columns may be read as dictionaries.
    """

    schema: pa.Schema

    def batches(
        self, columns: Sequence[str], timestamp: str | None, range_filter: RangeFilter | None, /
    ) -> Iterator[RowBatch]:
        """Read the rows of existing columns, and of the timestamp column if one is given.

        Ranges of rows for which `range_filter` returns False may be skipped.
        """
        ...


def requested_columns(columns: Sequence[str], timestamp: str | None) -> list[str]:
    """Return the names of the columns to read, the timestamp column first."""
    return list(dict.fromkeys([*([timestamp] if timestamp is not None else []), *columns]))


def run_on_file(file: File, action: Callable[[], ReadResult]) -> ReadResult:
    """Run an action on a file; any error of it is raised as a SourceError that names the file."""
    try:
        return action()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = "it is empty" if file.size == 0 else lines[0]
        raise SourceError(f"cannot read {file.name}: {reason}", code="source-unreadable") from error
    except SourceError as error:
        raise error if file.name in str(error) else SourceError(f"{file.name}: {error}", code=error.code) from error
