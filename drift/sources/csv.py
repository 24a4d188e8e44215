"""CSV files: which texts are missing values, and which are text.

An empty field is missing in every column. In a column of numbers, times or truth values "NaN", "NA", "null" and
their like are missing as well, quoted or not; in a column of text they are text (NA is Namibia), and so is an
empty text in quotes: writers that know the difference write a missing one without. A column that in one file holds
nothing but these is text where one of them stands in quotes, else missing throughout.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

# Line breaks inside quotes would otherwise break a row where two blocks meet.
_PARSE: Final = pyarrow.csv.ParseOptions(newlines_in_values=True)


def csv_names(path: Path) -> list[str]:
    """The columns' names; only the head of the file is read."""
    with pyarrow.csv.open_csv(path, parse_options=_PARSE) as reader:
        return list(reader.schema.names)


def read_csv(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A file's rows, of some columns or all; types are told from the texts.

    Parameters
    ----------
    path : Path
        UTF-8, separated by commas, names in the first line.
    columns : sequence of str or None
        Columns that are there; None is all.
    """
    if columns is not None and not columns:
        return _read(path).select([])  # Arrow takes "no column" for all of them, and rows must be counted
    table = _read(path, include_columns=list(columns or ()))
    texts = [name for name in table.column_names if _has_empty_text(table.column(name))]
    texts += _quoted(path, [name for name in table.column_names if pa.types.is_null(table.column(name).type)])
    if not texts:
        return table
    # Only Arrow's parser sees whether an empty text stood in quotes: those columns are read once more, as text.
    again = _read_texts(path, texts, missing=[""])
    for name in texts:
        table = table.set_column(table.column_names.index(name), name, again.column(name))
    return table


def _quoted(path: Path, names: list[str]) -> list[str]:
    """Of columns without a value, those that hold a word in quotes: "NA" is text, NA need not be."""
    if not names:
        return []
    held = _read_texts(path, names, missing=pyarrow.csv.ConvertOptions().null_values)
    return [name for name in names if pc.any(pc.not_equal(held.column(name), "")).as_py()]


def _read_texts(path: Path, names: list[str], missing: list[str]) -> pa.Table:
    return _read(
        path,
        include_columns=names,
        column_types=dict.fromkeys(names, pa.string()),
        null_values=missing,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def _read(path: Path, **how: Any) -> pa.Table:
    return pyarrow.csv.read_csv(path, parse_options=_PARSE, convert_options=pyarrow.csv.ConvertOptions(**how))


def _has_empty_text(column: pa.ChunkedArray) -> bool:
    return pa.types.is_string(column.type) and bool(pc.any(pc.equal(column, "")).as_py())
