"""A million rows by a thousand columns, streamed: ``python benchmarks/wide.py [--rows 1000000] [--columns 1000]``.

Prints seconds and the peak memory of a process that chooses axes and counts, and of one that only counts.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drift.histogram import NumericAxis

CHUNK = 50_000
CASES = {
    "learn": "profile = drift.profile(path)",
    "count": "profile = drift.profile(path, axes=axes)",
}
CHILD = """
import json, resource, sys, time
import drift
from drift.histogram import axis_from_dict
path = sys.argv[1]
axes = {{name: axis_from_dict(axis) for name, axis in json.load(open(sys.argv[2])).items()}}
begun = time.perf_counter()
{case}
taken = time.perf_counter() - begun
print(taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, profile.rows, len(profile))
"""


def generate(path: Path, rows: int, columns: int) -> None:
    """Normal numbers, one row group for each chunk."""
    rng = np.random.default_rng(1)
    schema = pa.schema([(f"x{i}", pa.float64()) for i in range(columns)])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for _ in range(rows // CHUNK):
            writer.write_table(pa.table([pa.array(rng.normal(size=CHUNK)) for _ in range(columns)], schema=schema))


def main() -> None:
    """Generate, and run both cases in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, axes = Path(folder) / "wide.parquet", Path(folder) / "axes.json"
        begun = time.perf_counter()
        generate(path, given.rows, given.columns)
        print(f"{given.rows:,} rows x {given.columns:,} columns, {path.stat().st_size / 2**30:.1f} GiB, "
              f"written in {time.perf_counter() - begun:.0f} s")  # fmt: skip
        edges = {f"x{i}": np.linspace(-4, 4, 11) for i in range(given.columns)}
        write_axes(axes, edges)
        for name, case in CASES.items():
            done = subprocess.run(
                [sys.executable, "-c", CHILD.format(case=case), str(path), str(axes)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            seconds, peak, rows, columns = done.stdout.split()
            print(f"{name:6} {float(seconds):7.1f} s   peak {float(peak):7.0f} MiB   {rows} rows, {columns} columns")
    print(f"this process, for scale: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def write_axes(path: Path, edges: dict[str, "np.typing.NDArray[np.float64]"]) -> None:
    """The axes, for the process that only counts."""
    path.write_text(json.dumps({name: NumericAxis(tuple(e.tolist())).to_dict() for name, e in edges.items()}))


if __name__ == "__main__":
    main()
