"""Time one tool on two files, in a process and an environment of its own; prints one line of JSON.

``ENVIRONMENT/bin/python benchmarks/tools/harness.py TOOL REFERENCE.parquet LIVE.parquet``

TOOL names a module here, ``with_TOOL.py``, with ``score(reference, live)``: pandas data frames in, a score for
each column out. Loading the files, importing the tool and a first call on a few rows (what a tool loads or
compiles late) are not timed. A module with ``PATHS = True`` gets the files' paths instead.
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
    begun, begun_cpu = time.perf_counter(), time.process_time()
    scores = module.score(*sides)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
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
    """Both files as pandas data frames, as `pandas.read_parquet` gives them; a tool may `prepare` them, untimed."""
    import pandas as pd  # noqa: PLC0415 - the limits are measured without it

    frames = [pd.read_parquet(path) for path in (reference, live)]
    prepare = getattr(module, "prepare", None)
    return frames if prepare is None else [prepare(frame) for frame in frames]


def restart_peak():
    """Let the kernel's high-water mark begin anew; MB in use now, or None where the kernel refuses."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return memory("VmRSS")


def memory(field):
    """A field of /proc/self/status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def tidy(value):
    """A plain number for JSON; None for NaN."""
    value = float(value)
    return value if math.isfinite(value) else None


if __name__ == "__main__":
    main(*sys.argv[1:])
