"""Segments: rows that share a value; those of one column add up to the whole."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import SourceError
from drift.monitors.spec import Columns
from drift.sources.files import Files
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
def test_parts_add_up_to_the_whole(segment: list[str | None], known: set[str] | None) -> None:
    held = table(s=(segment, pa.string()), x=list(range(len(segment))))
    whole = held.learn(["x"], Columns())
    parts = held.split(["s"], None if known is None else {"", *(f"s={value}" for value in known)})
    assert parts.pop("") is held
    profiles = [part.count(whole.axes) for part in parts.values()]
    assert sum(profiles[1:], profiles[0]) == whole


def test_each_column_splits_apart() -> None:
    held = table(a=["x", "y", "x"], b=[1, 1, None])
    assert sizes(held.split(["a", "b"])) == {"": 3, "a=x": 2, "a=y": 1, "b=1": 2, "b=(other)": 1}


def test_values_unknown_to_the_reference_are_other_ones_and_known_ones_stay_without_rows() -> None:
    held = table(s=["a", "new", None, "a"])
    assert sizes(held.split(["s"], {"", "s=a", "s=gone"})) == {"": 4, "s=a": 2, "s=gone": 0, "s=(other)": 2}


def test_of_many_values_the_most_frequent_are_segments_and_ties_go_by_value() -> None:
    rows = [f"v{i:02}" for i in range(30)] + ["v29", "v29", "v28"]
    parts = sizes(table(s=rows).split(["s"]))
    assert list(parts)[1:3] == ["s=v29", "s=v28"]
    assert list(parts)[3:-1] == [f"s=v{i:02}" for i in range(MAX_SEGMENTS - 2)]
    assert parts["s=(other)"] == len(rows) - (MAX_SEGMENTS - 2) - 3 - 2


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
def test_segments_are_named_by_the_text_of_their_value(column: tuple[Any, ...], keys: list[str]) -> None:
    assert list(table(s=column).split(["s"]))[1:] == keys


def test_a_segment_column_that_is_not_there_or_of_no_use_is_an_error() -> None:
    with pytest.raises(SourceError, match="segment column 'z': is not in the data"):
        table(x=[1]).split(["z"])
    with pytest.raises(SourceError, match="segment column 's': list"):
        table(s=[[1]]).split(["s"])


def test_a_source_counts_segments_on_the_axes_of_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pa.table({"s": ["a", "b", "a", None], "x": [1, 2, 3, 4]}), path)
    files = Files(str(path), None, ZoneInfo("UTC"))
    learned = files.learn(["x"], Columns(), None, ["s"])
    assert list(learned) == ["", "s=a", "s=b", "s=(other)"]
    assert all(profile.axes == learned[""].axes for profile in learned.values())
    assert files.count(learned[""].axes, None, ["s"], learned) == learned
