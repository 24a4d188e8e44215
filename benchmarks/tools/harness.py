"""Time one tool on two files, in a process and an environment of its own; prints one line of JSON.

``ENVIRONMENT/bin/python benchmarks/tools/harness.py TOOL REFERENCE.parquet LIVE.parquet``

TOOL names a module here, ``with_TOOL.py``, with ``score(reference, live)``: from pandas data frames to a score for
each column. Loading the files, importing the tool and a first call on a few rows (some tools load or
compile late) are not timed. A module with ``PATHS = True`` receives the paths of the files instead.
"""

import importlib
import json
import math
import resource
import sys
import time
import warnings
from pathlib import Path

WARM_ROWS = 2_000


def main(tool, reference, live):
    """Load, warm up, measure once."""
    warnings.simplefilter("ignore")
    module = importlib.import_module(f"with_{tool}")
    sides = (reference, live) if getattr(module, "PATHS", False) else loaded(module, reference, live)
    cold = time.perf_counter()
    module.score(*(side if isinstance(side, str) else side.head(WARM_ROWS) for side in sides))
    cold = time.perf_counter() - cold
    before = restart_peak()
    started, started_cpu = time.perf_counter(), time.process_time()
    scores = module.score(*sides)
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    peak = memory("VmHWM")
    result = {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "warm_up_seconds": cold,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "added_mb": max(0.0, peak - before) if before is not None else None,
        "scores": {str(name): tidy(value) for name, value in scores.items()},
    }
    print(json.dumps(result))


def loaded(module, reference, live):
    """Return both files as data frames of `pandas.read_parquet`; a tool may `prepare` them, which is not timed."""
    import pandas as pd  # noqa: PLC0415 - the limits are measured without it

    frames = [pd.read_parquet(path) for path in (reference, live)]
    prepare = getattr(module, "prepare", None)
    return frames if prepare is None else [prepare(frame) for frame in frames]


def restart_peak():
    """Reset the kernel's memory high-water mark; return the MB in use, or None if the kernel refuses."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return memory("VmRSS")


def memory(field):
    """Return a field of /proc/self/status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def tidy(value):
    """Return a number for JSON; None for NaN and infinities."""
    value = float(value)
    return value if math.isfinite(value) else None


if __name__ == "__main__":
    main(*sys.argv[1:])
