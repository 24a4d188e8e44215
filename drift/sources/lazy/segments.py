"""Segments of a lazy frame: which value of a column is which segment. The rules are those of `Table.split`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from drift.errors import SourceError
from drift.histogram import Kind, Uncounted
from drift.sources.frames.table import MAX_SEGMENTS, OTHER_SEGMENT
from drift.sources.lazy.plain_columns import ColumnForm, PlainFrame

_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Split:
    """Rows told apart by the values of one column.

    Parameters
    ----------
    column : str
        In the plain frame.
    type : narwhals data type
        Of it.
    values : sequence
        One for each segment but the last.
    labels : sequence of str
        The segments; the last is that of all other rows.
    """

    column: str
    type: Any
    values: Sequence[Any]
    labels: Sequence[str]

    def place(self, frame: Any) -> Any:
        """The frame with a column `label`: the number of each row's segment."""
        placed = nw.lit(len(self.values), nw.Int64)
        for i, value in enumerate(self.values):
            placed = (
                nw.when(nw.col(self.column) == nw.lit(value, self.type)).then(nw.lit(i, nw.Int64)).otherwise(placed)
            )
        return frame.with_columns(placed.alias("label"))


def split(table: PlainFrame, name: str, known: Collection[str] | None) -> Split:
    """How a column splits the rows: by the segments known, or (None) by its most frequent values.

    Raises
    ------
    SourceError
        Where the column is not there, or cannot name segments.
    """
    form = table.forms.get(name)
    if form is None or isinstance(form, Uncounted):
        why = "is not in the data" if form is None else form.message
        raise SourceError(f"segment column {name!r}: {why}")
    type_ = _arrow_type(name, form)
    prefix = f"{name}="
    if known is None:
        listed = _frequent(table, form, type_)
    else:
        names = [key.removeprefix(prefix) for key in known if key.startswith(prefix)]
        listed = {text: _parsed(text, type_) for text in names if text != OTHER_SEGMENT}
    labels = [*(prefix + text for text in listed), prefix + OTHER_SEGMENT]
    return Split(form.alias, form.type, list(listed.values()), labels)


def _arrow_type(name: str, form: ColumnForm) -> pa.DataType:
    if form.kind is Kind.STRING:
        return pa.string()
    if form.kind is Kind.BOOLEAN:
        return pa.bool_()
    if form.kind is Kind.NUMBER and form.reach is not None and form.type.is_integer():
        return pa.uint64() if form.reach[0] == 0 else pa.int64()
    if form.kind is Kind.EMPTY:
        return pa.bool_()
    raise SourceError(
        f"segment column {name!r} holds {form.type} values; "
        "segments are named by text, integers or truth values: cast it in a query"
    )


def _frequent(table: PlainFrame, form: ColumnForm, type_: pa.DataType) -> dict[str, Any]:
    column = nw.col(form.alias)
    groups = table.frame.filter(~column.is_null()).group_by(form.alias).agg(nw.len().alias("n"))
    found = table.fetch(groups.sort("n", form.alias, descending=[True, False]).head(_MOST))
    texts = pc.cast(found[form.alias].cast(type_), pa.string()).to_pylist()
    rows = zip(texts, found["n"].to_pylist(), found[form.alias].to_pylist(), strict=True)
    return {text: value for text, _, value in sorted(rows, key=lambda row: (-row[1], row[0]))[:MAX_SEGMENTS]}


def _parsed(text: str, type_: pa.DataType) -> Any:
    """The value that has this name; null, which equals nothing, where the column's type has none."""
    try:
        return pa.array([text]).cast(type_)[0].as_py()
    except pa.ArrowInvalid:
        return None
