"""Which formats of files there are: by suffix. To add one, write a `FormatReader` and list it here."""

from collections.abc import Callable, Mapping
from typing import Final

from drift.sources.files.csv import Csv
from drift.sources.files.discovery import File
from drift.sources.files.ipc import Ipc
from drift.sources.files.jsonlines import JsonLines
from drift.sources.files.parquet import Parquet
from drift.sources.files.reader import FormatReader, naming
from drift.sources.frames.table import distinct

FORMATS: Final[Mapping[str, Callable[[File], FormatReader]]] = {
    ".parquet": Parquet,
    ".pq": Parquet,
    ".csv": Csv,
    ".feather": Ipc,
    ".arrow": Ipc,
    ".ipc": Ipc,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
}


def open_file(file: File) -> FormatReader:
    """What can be read from a file.

    Raises
    ------
    SourceError
        Where it cannot be read, or names a column twice; the message names it.
    """
    reader = naming(file, lambda: FORMATS[file.suffix](file))
    naming(file, lambda: distinct(list(reader.schema.names)))
    return reader
