"""Shared objects are converted once, with the result of converting each cell."""

import datetime as dt
import enum
import math
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import drift
from drift.monitors.spec import Columns
from drift.sources.frames.object_cells import _first_rows, array_from_objects
from drift.sources.frames.read_frame import read_frame
from drift.sources.frames.table import Table

ROWS = 2_000


class Name(str):
    __slots__ = ()


class Plan(enum.StrEnum):
    FREE = "free"


def copy_of(text: str) -> str:
    """Return an equal text that is another object."""
    return "".join(list(text))


TEXTS = ["", "a", "free", copy_of("free"), Name("free"), Plan.FREE, "é", "e\u0301", "nan", "None", "\0", "🚲" * 30]
MISSING = [None, math.nan, float("nan"), np.float64("nan"), pd.NA, pd.NaT]
OTHERS = [
    True, False, 0, 1, 2**53 + 1, 2**63 - 1, 10**30, 1.0, -0.0, math.inf, np.int8(1), np.float32(0.1), Decimal("1.10"),
    Decimal("1e-30"), b"a", dt.date(1969, 1, 1), dt.datetime.fromisoformat("2011-01-01"),
    dt.datetime(2011, 1, 1, tzinfo=dt.UTC), dt.time(1), dt.timedelta(1), pd.Timestamp("2011-01-01", tz="UTC"),
    np.datetime64("2011-01-01", "us"), (1,), [1], {"a": 1}, "\ud800", slice(1), 1j,
]  # fmt: skip


def spread(objects: list[Any], seed: int = 0) -> Any:
    """Return an array of many cells that are few objects."""
    distinct = np.empty(len(objects), object)
    distinct[:] = objects
    return distinct[np.random.default_rng(seed).integers(len(distinct), size=ROWS)]


def outcome(convert: Any, cells: Any) -> tuple[Any, ...]:
    """Return the type and the values of converted cells, or the error."""
    try:
        array = convert(cells)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        return type(error), str(error)
    plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    return plain.type, repr(plain.to_pylist())  # in which NaN equals NaN, and 1 differs from True


def as_arrow(cells: Any) -> Any:
    return pa.array(cells, from_pandas=True)


@pytest.mark.parametrize("other", [*MISSING, *OTHERS, copy_of("free")], ids=repr)
def test_texts_among_other_objects_are_converted_as_by_arrow(other: Any) -> None:
    for seed, objects in enumerate(([*TEXTS, other], [other, None, *TEXTS], [other], [other, None])):
        cells = spread(objects, seed)
        assert outcome(array_from_objects, cells) == outcome(as_arrow, cells)


@example(objects=[], seed=0)
@given(
    objects=st.lists(st.sampled_from([*MISSING, *OTHERS]), min_size=1, max_size=4)
    | st.lists(st.sampled_from([*TEXTS, *MISSING]), min_size=1)
    | st.lists(st.none() | st.text() | st.floats() | st.integers() | st.booleans() | st.datetimes(), min_size=1),
    seed=st.integers(0, 2**32),
)
def test_any_objects_are_converted_as_by_arrow(objects: list[Any], seed: int) -> None:
    cells = spread(objects, seed) if objects else np.empty(0, object)
    assert outcome(array_from_objects, cells) == outcome(as_arrow, cells)


def test_only_shared_texts_are_returned_as_a_dictionary() -> None:
    shared = spread(TEXTS)
    assert pa.types.is_dictionary(array_from_objects(shared).type)
    own = np.array([copy_of(f"{text}{i % 7}x") for i, text in enumerate(shared)], object)
    assert array_from_objects(own).type == pa.string()


@pytest.mark.parametrize("distinct", [2, 499, 5_000, 20_000])
def test_objects_that_first_occur_late_are_converted(distinct: int) -> None:
    names = np.array([f"name {i}" for i in range(distinct)], object)
    codes = np.sort(np.random.default_rng(0).zipf(1.3, 100_000) % distinct)
    for order in (codes, codes[::-1]):
        cells = names[order]
        assert outcome(array_from_objects, cells) == outcome(as_arrow, cells)
        assert pa.types.is_dictionary(array_from_objects(cells).type)


def test_codes_in_another_order_than_of_appearance_are_rejected() -> None:
    addresses = np.array([30, 10, 30, 20, 10] * 3_000)
    encoded = pa.array(addresses).dictionary_encode()
    first = _first_rows(encoded, addresses)
    assert first is not None
    assert first.tolist() == [0, 1, 3]
    codes = pc.subtract(2, encoded.indices)
    other = pa.DictionaryArray.from_arrays(codes, encoded.dictionary.take(pa.array([2, 1, 0])))
    assert other.to_pylist() == addresses.tolist()
    assert _first_rows(other, addresses) is None


def test_partly_shared_texts_are_converted_one_by_one() -> None:
    cells = spread(["a", "b"])
    cells[::3] = [copy_of(f"fresh {i}") for i in range(len(cells[::3]))]
    assert array_from_objects(cells).type == pa.string()
    assert outcome(array_from_objects, cells) == outcome(as_arrow, cells)


def test_cells_may_be_apart_in_memory() -> None:
    both = np.stack([spread(TEXTS, 1), spread(["x", None], 2)], axis=1)
    frame = pd.DataFrame({"texts": pd.Series(both[:, 0], dtype=object), "x": pd.Series(both[::-1, 1], dtype=object)})
    table = read_frame(frame)
    for cells in (both[:, 0], both[::-1, 1], both[::2, 0]):
        assert outcome(array_from_objects, cells) == outcome(as_arrow, cells)
    assert outcome(lambda column: column.combine_chunks(), table.columns["x"]) == outcome(as_arrow, both[::-1, 1])


def test_shared_texts_are_counted_filtered_and_split_as_others() -> None:
    shared = pd.DataFrame({"plan": spread([*TEXTS, *MISSING]), "x": np.arange(ROWS) % 7})
    plain = Table.from_arrow(pa.table({"plan": as_arrow(shared["plan"].to_numpy()), "x": shared["x"].to_numpy()}))
    table = read_frame(shared)
    assert pa.types.is_dictionary(table.columns["plan"].type)  # type: ignore[union-attr]
    assert drift.profile(shared) == plain.learn(["plan", "x"], Columns())
    mask = pa.chunked_array([pa.array(np.arange(ROWS) % 3 == 0)])
    axes = drift.profile(shared).axes
    assert table.filter(mask).count(axes) == plain.filter(mask).count(axes)
    parts, expected = table.split(["plan"]), plain.split(["plan"])
    assert {name: part.count(axes) for name, part in parts.items()} == {
        name: part.count(axes) for name, part in expected.items()
    }


def test_shared_texts_may_be_timestamps() -> None:
    texts = spread(["2011-01-01T00:00", "2011-01-02T12:30"])
    table = read_frame(pd.DataFrame({"ts": texts}))
    instants = table.instants("ts", ZoneInfo("UTC"))
    assert instants.to_pylist() == [dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) for text in texts]
