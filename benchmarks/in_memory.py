"""Time of `drift.compare` of two pandas frames, by step: ``python benchmarks/in_memory.py [--rows 1M]``.

Milliseconds for 15 float64 columns and 5 of strings, both sides, JS of every column. Steps are measured in processor
time of one thread, the whole in wall time as well; `DataFrame.sum` of both sides' numbers in the same rounds is the
lower limit. Strings are Arrow's ("str"), one object for equal texts ("shared", as pandas 2 reads them), one object
per cell ("object"), or codes ("category").
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from data import blocks, number

import drift
from drift.histogram import Profile
from drift.monitors.comparison import compare_profiles
from drift.monitors.spec import ColumnRule, Columns
from drift.sources.frames.read_frame import read_frame
from drift.stats.scoring import Method

NUMERIC: Final = 15
TEXT: Final = 5
ROUNDS: Final = 7
RULES: Final = Columns(ColumnRule(method=Method("js")))


def main() -> None:
    """Run all steps in turn, round after round, so that a slow period of the machine affects all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=number, default=1_000_000)
    parser.add_argument("--strings", choices=["str", "shared", "object", "category"], default="str")
    options = parser.parse_args()
    reference, live = (_frame(options.rows, side, options.strings) for side in (0, 1))
    steps = _steps(reference, live)
    whole = {"drift.compare": lambda: drift.compare(reference, live, metric="js")}
    timings: dict[str, list[tuple[float, float]]] = {name: [] for name in (*steps, *whole)}
    for _ in range(ROUNDS):
        for name, function in {**steps, **whole}.items():
            processor, clock = time.process_time(), time.perf_counter()
            function()
            timings[name].append((time.process_time() - processor, time.perf_counter() - clock))
    print(
        f"{options.rows:,} rows x {NUMERIC + TEXT} columns, strings as {options.strings}; best of {ROUNDS} rounds, ms"
    )
    for name, runs in timings.items():
        processor, clock = (min(values) * 1e3 for values in zip(*runs, strict=True))
        median = statistics.median(clock for _, clock in runs) * 1e3
        print(f"{name:32} processor {processor:8.1f}   clock {clock:8.1f} (median {median:.1f})")


def _frame(rows: int, side: int, strings: str) -> pd.DataFrame:
    frame: pd.DataFrame = pa.concat_tables(list(blocks(rows, NUMERIC, TEXT, side))).to_pandas()
    names = [name for name in frame.columns if name.startswith("words")]
    if strings == "shared":  # as pandas 2 reads files: equal texts are one object
        return frame.assign(**{name: _shared(frame[name]) for name in names})
    return frame.astype(dict.fromkeys(names, strings))


def _shared(texts: "pd.Series[str]") -> "pd.Series[str]":
    codes, distinct = texts.factorize()
    return pd.Series(np.asarray(distinct, object)[codes], texts.index, object)


def _steps(reference: pd.DataFrame, live: pd.DataFrame) -> dict[str, Callable[[], object]]:
    numbers = [name for name in reference.columns if not name.startswith("words")]
    words = [name for name in reference.columns if name.startswith("words")]
    reference_table, live_table = read_frame(reference), read_frame(live)
    learned: Profile = reference_table.learn([*numbers, *words], RULES)
    axes, live_counts = learned.axes, live_table.count(learned.axes)
    return {
        "limit: sum both sides' numbers": lambda: [
            side[name].to_numpy().sum() for side in (reference, live) for name in numbers
        ],
        "frames to columns, both sides": lambda: (read_frame(reference), read_frame(live)),
        "reference: axes and counts": lambda: reference_table.learn(numbers, RULES, threads=1),
        "reference: names and counts": lambda: reference_table.learn(words, RULES, threads=1),
        "live: counts of numbers": lambda: live_table.count({name: axes[name] for name in numbers}, threads=1),
        "live: counts of names": lambda: live_table.count({name: axes[name] for name in words}, threads=1),
        "scores of all columns": lambda: compare_profiles(live_counts, learned, RULES, np.random.default_rng(0)),
    }


if __name__ == "__main__":
    main()
