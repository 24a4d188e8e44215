"""The file formats, by suffix. To add one, write a `FormatReader` and list it in `FILE_FORMATS`."""

from collections.abc import Callable, Mapping
from typing import Final

from drift.sources.files.csv import Csv
from drift.sources.files.discovery import File
from drift.sources.files.ipc import Ipc
from drift.sources.files.jsonlines import JsonLines
from drift.sources.files.parquet import Parquet
from drift.sources.files.reader import FormatReader, run_on_file
from drift.sources.frames.table import require_unique

FILE_FORMATS: Final[Mapping[str, Callable[[File], FormatReader]]] = {
    ".parquet": Parquet,
    ".pq": Parquet,
    ".csv": Csv,
    ".feather": Ipc,
    ".arrow": Ipc,
    ".ipc": Ipc,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
}


def open_reader(file: File) -> FormatReader:
    """Return the reader of a file; an error names the file if it cannot be read, or has two columns of one name."""
    reader = run_on_file(file, lambda: FILE_FORMATS[file.suffix](file))
    run_on_file(file, lambda: require_unique(list(reader.schema.names)))
    return reader
