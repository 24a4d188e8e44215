"""Every engine gives equal histograms for the same rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drift
from tests.support.counting_oracle import expected
from tests.support.engines import ENGINES, Engine, every_engine
from tests.support.hostile_columns import EPOCH, HOSTILE_AXES, HOSTILE_COLUMNS, hostile_table, instants


@pytest.fixture
def location(engine: Engine, request: pytest.FixtureRequest) -> Any:
    """The place in which an engine stores its rows."""
    return request.getfixturevalue(engine.location)


@every_engine
def test_hostile_columns_are_counted_by_the_definition(engine: Engine, location: Any) -> None:
    assert set(engine.unsupported) <= set(HOSTILE_COLUMNS)
    columns = {name: column for name, column in HOSTILE_COLUMNS.items() if name not in engine.unsupported}
    profile = engine.count(hostile_table(columns), {name: HOSTILE_AXES[name] for name in columns}, location)
    assert dict(profile.uncounted) == {}
    counts = {name: histogram.counts.tolist() for name, histogram in profile.items()}
    # Python values as the type holds them: 0.1 in 32 bits is another number.
    truth = {name: expected(pa.array(c.rows, c.type).to_pylist(), c.axis) for name, c in columns.items()}
    assert counts == truth
    assert profile.rows == 8


@every_engine
def test_a_table_without_rows_has_empty_histograms(engine: Engine, location: Any) -> None:
    columns = {name: column for name, column in HOSTILE_COLUMNS.items() if name not in engine.unsupported}
    axes = {name: HOSTILE_AXES[name] for name in columns}
    profile = engine.count(hostile_table(columns).slice(0, 0), axes, location)
    assert dict(profile.uncounted) == {}
    assert set(profile) == set(columns)
    assert sum(histogram.rows for histogram in profile.values()) == profile.rows == 0


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, engine in ENGINES.items()
        if not engine.unsupported and "parquet" not in name and engine.location == "tmp_path"
    ],
)
@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats()),
            st.integers(-(2**63), 2**63 - 1),
            st.one_of(st.none(), st.text(max_size=2)),
        ),
        min_size=1,
    )
)
def test_random_rows_are_counted_by_the_definition(name: str, rows: list[tuple[Any, ...]]) -> None:
    reference = drift.profile(
        pa.table({"x": [0.0, 0.5, 1.0, 7.0], "n": [-5, 0, 5, 2**60], "text": ["a", "b", "", "0"]})
    )
    x, n, text = (list(column) for column in zip(*rows, strict=True))
    table = pa.table(
        {"x": pa.array(x, pa.float64()), "n": pa.array(n, pa.int64()), "text": pa.array(text, pa.string())}
    )
    profile = ENGINES[name].count(table, reference.axes, Path())
    for column, values in (("x", x), ("n", n), ("text", text)):
        assert profile[column].counts.tolist() == expected(values, reference[column].axis)


def test_numpy_columns_of_every_time_unit() -> None:
    ticks = np.array(["2011-03-13T07", "NaT", "1969-12-31"], dtype="datetime64[s]")
    axis = {"t": instants(EPOCH)}
    for unit in ("s", "ms", "us", "ns"):
        frame = pd.DataFrame({"t": ticks.astype(f"datetime64[{unit}]")})
        assert drift.profile(frame, axes=axis)["t"].counts.tolist() == [1, 1, 1]
