"""What every format of file can do: tell its columns, and hand out its rows piece by piece."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import pyarrow as pa

from drift.errors import SourceError
from drift.sources.files.discovery import File

Read = TypeVar("Read")

VALUES: Final = 2**22
"""Values read, counted and let go at a time: 32 MiB of doubles."""


def rows_at_a_time(columns: int) -> int:
    """How many rows make a piece. What is done once a piece, such as naming categories, asks for long ones."""
    return min(max(VALUES // max(columns, 1), 2**13), 2**18)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file.

    Parameters
    ----------
    table : pyarrow.Table
        The columns asked for.
    rows : int
        Also where no column was asked for.
    inside : bool
        The file's own statistics say that all of them lie in the window; the timestamp's column may then be left out.
    """

    table: pa.Table
    rows: int
    inside: bool = False


Placing: TypeAlias = Callable[[pa.ChunkedArray, pa.ChunkedArray], list[bool | None]]
"""From least and largest timestamps, pair by pair: all in the window (True), all outside (False), or some (None)."""


class FormatReader(Protocol):
    """One file of some format.

    `schema` is told when it is made: names, and the types that all its rows share. Columns of text may come as
    dictionaries.
    """

    schema: pa.Schema

    def pieces(self, columns: Sequence[str], timestamp: str | None, placing: Placing | None) -> Iterator[Piece]:
        """Its rows of columns that are there, and of the timestamp's, where it is given."""
        ...


def naming(file: File, act: Callable[[], Read]) -> Read:
    """What goes wrong with a file names it.

    Raises
    ------
    SourceError
        Where it cannot be read, or is not what was expected.
    """
    try:
        return act()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        told: Any = str(error).strip().splitlines() or [type(error).__name__]
        raise SourceError(f"cannot read {file.name}: {'it is empty' if file.size == 0 else told[0]}") from error
    except SourceError as error:
        raise error if file.name in str(error) else SourceError(f"{file.name}: {error}") from error
