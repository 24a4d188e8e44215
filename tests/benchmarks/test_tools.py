"""What the harness hands to a tool is what it says it is."""

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


def test_strings_as_objects_are_one_object_a_category(with_objects: Any) -> None:
    """As pandas 2.3 reads a Parquet file."""
    words = [f"category {code}" for code in np.random.default_rng(0).integers(20, size=1_000)]
    held = with_objects.prepare(pd.DataFrame({"words": words, "x": np.arange(1_000.0)}))
    assert held.dtypes.tolist() == [np.dtype(object), np.dtype(float)]
    assert held["words"].tolist() == words
    assert len({id(word) for word in held["words"].to_numpy()}) == 20
