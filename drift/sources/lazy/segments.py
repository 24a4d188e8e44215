"""Segments of a lazy frame by the values of a column, by the rules of `drift.sources.frames.table.Table.split`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from drift.errors import SourceError
from drift.histogram import Kind, Uncounted
from drift.sources.frames.table import MAX_SEGMENTS, OTHER_SEGMENT
from drift.sources.lazy.plain_columns import PlainColumn, PlainFrame

_MAX_CANDIDATES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The segments of rows by the values of one column."""

    column: str  # in the plain frame
    type: Any  # of the column
    values: Sequence[Any]  # one for each segment but the last
    labels: Sequence[str]  # keys of the segments; the last is that of all other rows

    def add_label(self, frame: Any) -> Any:
        """Return the frame with a column `label`: the number of each row's segment."""
        label = nw.lit(len(self.values), nw.Int64)
        for i, value in enumerate(self.values):
            label = nw.when(nw.col(self.column) == nw.lit(value, self.type)).then(nw.lit(i, nw.Int64)).otherwise(label)
        return frame.with_columns(label.alias("label"))


def find_segments(table: PlainFrame, name: str, known: Collection[str] | None) -> Segmentation:
    """Return the segments of a column: the known ones, or (None) its most frequent values.

    Raises SourceError if the column does not exist or cannot name segments.
    """
    column = table.columns.get(name)
    if column is None:
        raise SourceError(f"segment column {name!r} is not in the data", code="column-missing")
    if isinstance(column, Uncounted):
        raise SourceError(f"segment column {name!r}: {column.message}", code="not-comparable")
    arrow_type = _arrow_type(name, column)
    prefix = f"{name}="
    if known is None:
        values = _frequent_values(table, column, arrow_type)
    else:
        texts = [key.removeprefix(prefix) for key in known if key.startswith(prefix)]
        values = {text: _parsed(text, arrow_type) for text in texts if text != OTHER_SEGMENT}
    labels = [*(prefix + text for text in values), prefix + OTHER_SEGMENT]
    return Segmentation(column.alias, column.type, list(values.values()), labels)


def _arrow_type(name: str, column: PlainColumn) -> pa.DataType:
    if column.kind is Kind.STRING:
        return pa.string()
    if column.kind in {Kind.BOOLEAN, Kind.EMPTY}:
        return pa.bool_()
    if column.kind is Kind.NUMBER and column.limits is not None and column.type.is_integer():
        return pa.uint64() if column.limits[0] == 0 else pa.int64()
    raise SourceError(
        f"segment column {name!r} holds {column.type} values; segments are named by text, integers or booleans: "
        "convert it in a query",
        code="not-comparable",
    )


def _frequent_values(table: PlainFrame, column: PlainColumn, arrow_type: pa.DataType) -> dict[str, Any]:
    """Return the most frequent values by their text; ties by text."""
    alias = column.alias
    groups = table.frame.filter(~nw.col(alias).is_null()).group_by(alias).agg(nw.len().alias("n"))
    counts = table.fetch(groups.sort("n", alias, descending=[True, False]).head(_MAX_CANDIDATES))
    texts = pc.cast(counts[alias].cast(arrow_type), pa.string()).to_pylist()
    rows = zip(texts, counts["n"].to_pylist(), counts[alias].to_pylist(), strict=True)
    return {text: value for text, _, value in sorted(rows, key=lambda row: (-row[1], row[0]))[:MAX_SEGMENTS]}


def _parsed(text: str, arrow_type: pa.DataType) -> Any:
    """Return the value of a segment's text; null, which equals nothing, if the column's type has no such value."""
    try:
        return pa.array([text]).cast(arrow_type)[0].as_py()
    except pa.ArrowInvalid:
        return None
