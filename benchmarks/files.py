"""Time of counting files, compared with only reading them: ``python benchmarks/files.py --rows 1M 10M``.

The same Parquet file (15 columns of doubles, 5 of strings) is read by PyArrow in batches, strings as dictionaries;
counted; and its axes are chosen: in turn, round after round. Each measurement is a process of its own: wall time,
processor time, and peak memory above that of the interpreter with everything imported.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import data
import pyarrow as pa
import pyarrow.parquet as pq

import drift
from drift.histogram import Profile
from drift.monitors.spec import Columns
from drift.sources.files import Files

BATCH: Final = 131_072
CASES: Final = ("read", "count", "learn")


def main() -> None:
    """Print a table for each number of rows; as a child process, measure one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", default=["1M"], help="such as 1M 10M")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--axes", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(options.case, Path(options.rows[0]), options.axes)))
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for rows in options.rows:
        _, live = data.files(int(rows.replace("M", "000000").replace("k", "000")))
        _print(rows, measure_all(live, options.rounds))


def measure_all(path: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Return the measurements of each case, one per round."""
    results: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        axes = Path(folder) / "axes.json"
        first = next(pq.ParquetFile(path).iter_batches(50_000))
        axes.write_text(json.dumps(drift.profile(pa.Table.from_batches([first])).to_dict()))
        for _ in range(rounds):
            for case in CASES:
                command = [sys.executable, __file__, "--rows", str(path), "--case", case, "--axes", str(axes)]
                line = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                results[case].append(json.loads(line))
    return results


def measure(case: str, path: Path, axes: Path) -> dict[str, float]:
    """Return seconds and MiB of one case, measured in this process."""
    known = Profile.from_dict(json.loads(axes.read_text())).axes
    source = Files(str(path), None, ZoneInfo("UTC"))
    before, wall, processor = _peak(), time.perf_counter(), time.process_time()
    if case == "read":
        rows = _read(path, list(known))
    elif case == "count":
        rows = source.count(known, None, (), ())[""].rows
    else:
        rows = source.learn(list(known), Columns(), None)[""].rows
    seconds, processor_seconds = time.perf_counter() - wall, time.process_time() - processor
    if rows != pq.read_metadata(path).num_rows:
        raise RuntimeError(f"{case} read {rows} rows instead of {pq.read_metadata(path).num_rows}")
    return {"seconds": seconds, "processor": processor_seconds, "mib": _peak() - before}


def _read(path: Path, columns: list[str]) -> int:
    texts = [field.name for field in pq.read_schema(path) if str(field.type) == "string"]
    # Pre-buffering, the default, keeps the whole file in memory, and is much slower here.
    file = pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False)
    return sum(batch.num_rows for batch in file.iter_batches(BATCH, columns=columns))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _print(rows: str, results: dict[str, list[dict[str, Any]]]) -> None:
    """Print medians; ratios compare two cases of the same round."""
    print(f"\n{rows} rows x 20 columns\n{'case':<8}{'s':>8}{'x read':>8}{'cpu s':>8}{'x read':>8}{'peak MiB':>10}")
    for case, rounds in results.items():
        line = [f"{case:<8}"]
        for key in ("seconds", "processor"):
            pairs = zip(rounds, results["read"], strict=True)
            line.append(f"{statistics.median(r[key] for r in rounds):8.2f}")
            line.append(f"{statistics.median(r[key] / read[key] for r, read in pairs):8.2f}")
        print("".join(line) + f"{max(r['mib'] for r in rounds):10.0f}")


if __name__ == "__main__":
    main()
