"""Time of counting one column, compared with only summing it: ``python benchmarks/kernel.py``.

Nanoseconds of processor time per value, and the ratio to `numpy.sum` of the same array in the same round, by number of
edges and type of the values. Two threads are measured in wall time, which is meaningful on two idle cores only:
the same number for work of NumPy alone, which holds no lock, is printed beside it.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from drift.histogram import NumericAxis
from drift.histogram.column_values import OrderedValues
from drift.histogram.counting import histogram_of_values
from drift.histogram.kernels import BLOCK_SIZE, Chunk, count_at_least
from drift.sources.frames.arrow import values_of

Floats = npt.NDArray[np.float64]
ROUNDS = 9
THREAD_ROUNDS = 40


def main() -> None:
    """Run all cases in turn, round after round, so that a slow period of the machine affects all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    rng = np.random.default_rng(0)
    values = rng.normal(size=rows)
    with_nulls = pa.array(values, mask=rng.random(rows) < 0.05)
    columns = {
        "float64": pa.array(values),
        "float64, 5 % NaN": pa.array(np.where(rng.random(rows) < 0.05, np.nan, values)),
        "float64, 5 % null": with_nulls,
        "float32": pa.array(values.astype(np.float32)),
        "int64 below 2**24": pa.array((values * 1e6).astype(np.int64)),
        "int64 below 2**53": pa.array((values * 1e12).astype(np.int64)),
        "int64 beyond": pa.array((values * 1e17).astype(np.int64)),
    }
    cases: dict[str, Callable[[], object]] = {"numpy.sum": values.sum}
    for bins in (5, 10, 20, 50, 100, 200, 1000):
        cases[f"float64, {bins} bins"] = _counting(columns["float64"], bins)
    cases |= {f"{name}, 10 bins": _counting(column, 10) for name, column in columns.items() if name != "float64"}
    _print_ratios(cases, rows)
    _print_lock(values[: 200 * BLOCK_SIZE])
    _print_threads(values[:1_000_000])


def _counting(array: pa.Array, bins: int) -> Callable[[], object]:
    values = values_of(pa.chunked_array([array]))
    if not isinstance(values, OrderedValues):
        raise TypeError(values)
    edges = np.quantile(values.finite(), np.linspace(0, 1, bins + 1)).tolist()
    axis = NumericAxis(tuple(edges))
    return lambda: histogram_of_values(values, axis)


def _print_ratios(cases: dict[str, Callable[[], object]], rows: int) -> None:
    timings: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, function in cases.items():
            timings[name].append(_processor(function) / rows * 1e9)
    summed = timings["numpy.sum"]
    print(f"{rows:,} values; processor time, best and median of {ROUNDS} rounds")
    for name, runs in timings.items():
        ratio = statistics.median(run / base for run, base in zip(runs, summed, strict=True))
        print(f"{name:28} {min(runs):6.2f} {statistics.median(runs):6.2f} ns per value {ratio:6.1f} x numpy.sum")


def _print_lock(values: Floats) -> None:
    """Print an upper bound of the time that holds the interpreter's lock: the cost of blocks of one row."""
    limits = np.quantile(values[:100_000], np.linspace(0, 1, 12))
    short = [Chunk(values[i : i + 1]) for i in range(len(values) // BLOCK_SIZE)]
    long = [Chunk(values[i * BLOCK_SIZE : (i + 1) * BLOCK_SIZE]) for i in range(len(short))]
    one, full = (
        min(_processor(lambda c=chunks: count_at_least(c, limits)) for _ in range(ROUNDS)) for chunks in (short, long)
    )
    print(
        f"the interpreter's lock is held at most {one / full:.0%} of the time ({one / len(short) * 1e6:.1f} us a block)"
    )


def _processor(function: Callable[[], object]) -> float:
    started = time.thread_time()
    function()
    return time.thread_time() - started


def _print_threads(values: Floats) -> None:
    """Print the speed-up of two halves in parallel."""
    halves = np.array_split(values, 2)
    limits = np.quantile(values[:100_000], np.linspace(0, 1, 11))
    cases: dict[str, Callable[[Floats], object]] = {
        "counting": lambda half: count_at_least([Chunk(half)], limits),
        "NumPy alone (exp)": np.exp,
    }
    for name, function in cases.items():
        one, two = [], []
        for _ in range(THREAD_ROUNDS):
            one.append(_seconds(lambda: [function(half) for half in halves]))  # noqa: B023 - called at once
            two.append(_seconds(lambda: _in_parallel(function, halves)))  # noqa: B023
        best, median = min(one) / min(two), statistics.median(one) / statistics.median(two)
        print(f"two threads, {name:18} {best:.2f} x one (best rounds), {median:.2f} x (medians)")


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _in_parallel(function: Callable[[Floats], object], parts: list[Floats]) -> None:
    threads = [threading.Thread(target=function, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
