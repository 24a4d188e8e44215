"""The data that the harness passes to tools."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "benchmarks" / "tools"


@pytest.fixture
def with_objects(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))
    yield import_module("with_drift_object")
    for name in ("with_drift_object", "with_drift"):
        sys.modules.pop(name, None)


def test_strings_are_one_object_per_category(with_objects: Any) -> None:
    """As pandas 2.3 reads a Parquet file."""
    words = [f"category {code}" for code in np.random.default_rng(0).integers(20, size=1_000)]
    frame = with_objects.prepare(pd.DataFrame({"words": words, "x": np.arange(1_000.0)}))
    assert frame.dtypes.tolist() == [np.dtype(object), np.dtype(float)]
    assert frame["words"].tolist() == words
    assert len({id(word) for word in frame["words"].to_numpy()}) == 20
