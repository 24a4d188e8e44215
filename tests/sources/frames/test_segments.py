"""Segments: rows that share a value; the segments of one column add up to all rows."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import SourceError
from drift.monitors.spec import Columns
from drift.sources.frames.table import MAX_SEGMENTS, OTHER_SEGMENT, Table

few = settings(max_examples=60, deadline=None)
values = st.lists(
    st.one_of(st.none(), st.text(max_size=2), st.just(OTHER_SEGMENT), st.integers(0, 40).map(str)), min_size=1
)


def table(**columns: Any) -> Table:
    return Table.from_arrow(
        pa.table({name: pa.array(*column) if isinstance(column, tuple) else column for name, column in columns.items()})
    )


def sizes(parts: dict[str, Table]) -> dict[str, int]:
    return {key: part.rows for key, part in parts.items()}


@few
@given(segment=values, known=st.one_of(st.none(), st.sets(st.text(max_size=2))))
def test_segments_add_up_to_all_rows(segment: list[str | None], known: set[str] | None) -> None:
    rows = table(s=(segment, pa.string()), x=list(range(len(segment))))
    whole = rows.learn(["x"], Columns())
    parts = rows.split(["s"], None if known is None else {"", *(f"s={value}" for value in known)})
    assert parts.pop("") is rows
    profiles = [part.count(whole.axes) for part in parts.values()]
    assert sum(profiles[1:], profiles[0]) == whole


def test_each_segment_column_splits_all_rows() -> None:
    rows = table(a=["x", "y", "x"], b=[1, 1, None])
    assert sizes(rows.split(["a", "b"])) == {"": 3, "a=x": 2, "a=y": 1, "b=1": 2, "b=(other)": 1}


def test_unknown_values_are_other_and_known_ones_may_be_empty() -> None:
    rows = table(s=["a", "new", None, "a"])
    assert sizes(rows.split(["s"], {"", "s=a", "s=gone"})) == {"": 4, "s=a": 2, "s=gone": 0, "s=(other)": 2}


def test_the_most_frequent_values_are_segments_ties_by_value() -> None:
    values_ = [f"v{i:02}" for i in range(30)] + ["v29", "v29", "v28"]
    parts = sizes(table(s=values_).split(["s"]))
    assert list(parts)[1:3] == ["s=v29", "s=v28"]
    assert list(parts)[3:-1] == [f"s=v{i:02}" for i in range(MAX_SEGMENTS - 2)]
    assert parts["s=(other)"] == len(values_) - (MAX_SEGMENTS - 2) - 3 - 2


@pytest.mark.parametrize(
    ("column", "keys"),
    [
        (([True, False, None],), ["s=false", "s=true", "s=(other)"]),
        (([1, 2, None],), ["s=1", "s=2", "s=(other)"]),
        (([1.0, 2.5, float("nan")],), ["s=1", "s=2.5", "s=(other)"]),
        (([None, None],), ["s=(other)"]),
        ((["a", None], pa.string_view()), ["s=a", "s=(other)"]),
        ((["a", None], pa.dictionary(pa.int8(), pa.string())), ["s=a", "s=(other)"]),
        (([""],), ["s="]),
    ],
    ids=str,
)
def test_a_segment_is_named_after_the_text_of_its_value(column: tuple[Any, ...], keys: list[str]) -> None:
    assert list(table(s=column).split(["s"]))[1:] == keys


def test_a_missing_or_unusable_segment_column_is_an_error() -> None:
    with pytest.raises(SourceError, match="'z'") as missing:
        table(x=[1]).split(["z"])
    assert missing.value.code == "column-missing"
    with pytest.raises(SourceError, match="'s': list") as unusable:
        table(s=[[1]]).split(["s"])
    assert unusable.value.code == "not-comparable"
