"""Rows in memory split among several windows are those of each window alone."""

import pyarrow as pa
import pytest

from drift.monitors.spec import Columns
from drift.sources.frames.table import Table
from drift.sources.frames.window_split import split_by_window
from tests.support.windowed_rows import NAMES, WINDOWS, ZONE, windowed_rows


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_each_window_gets_the_rows_it_has_alone(shuffled: bool) -> None:
    chunks = [windowed_rows(shuffled=shuffled).slice(0, 1_000), windowed_rows(shuffled=shuffled).slice(1_000)]
    table = Table.from_arrow(pa.concat_tables([chunk.unify_dictionaries() for chunk in chunks]))
    axes = table.learn(NAMES, Columns()).axes
    counts = {index: part.count(axes) for index, part in split_by_window(table, WINDOWS, "t", ZONE)}
    assert counts == {i: table.within(WINDOWS[i], "t", ZONE).count(axes) for i in range(6)}
