"""Sketches of columns that do not fit in memory."""

from collections import Counter

import numpy as np
import pytest

from drift.histogram import Kind
from drift.histogram.binning import Bins
from drift.histogram.column_values import CategoryCounts
from drift.sources.files import sketch


def test_of_very_many_categories_the_frequent_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch, "MAX_SKETCH_CATEGORIES", 100)
    categories = sketch.Sketch(Bins(), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    total: Counter[str] = Counter()
    for i in range(50):
        batch = Counter(["often"] * 8 + [f"v{j}" for j in rng.integers(0, 10**6, 200)] + [f"w{i}"])
        total.update(batch)
        counts = np.array(list(batch.values()))
        categories.add(CategoryCounts(Kind.STRING, tuple(batch), counts, int(counts.sum())))
    values = categories.values()
    assert isinstance(values, CategoryCounts)
    assert not categories.complete
    kept = dict(zip(values.keys, values.counts.tolist(), strict=True))
    bound = values.rows / 100
    assert max(kept, key=lambda name: kept[name]) == "often"
    assert all(total[str(name)] - bound <= number <= total[str(name)] for name, number in kept.items())
    assert {name for name, number in total.items() if number > bound} <= set(kept)
