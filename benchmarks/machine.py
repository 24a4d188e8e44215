"""The machine and date of a benchmark, for its results file; and timing."""

import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def seconds(rounds: int, function: Callable[[], object]) -> float:
    """Return the minimum of some rounds, which excludes slow periods of the machine."""
    timings = []
    for _ in range(rounds):
        started = time.perf_counter()
        function()
        timings.append(time.perf_counter() - started)
    return min(timings)


def described() -> dict[str, Any]:
    """Return processor, cores, memory in GiB, system, Python, date, and the load average at the start."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.partition("\t:")[::2] for line in info.read_text().splitlines() if "\t:" in line)
        fields = {name.strip(): value.strip(" :") for name, value in fields.items()}
        if "model name" in fields:
            codes = (fields.get("cpu family"), fields.get("model"))
            return fields["model name"] + (f" (family {codes[0]}, model {codes[1]})" if all(codes) else "")
    return platform.processor() or platform.machine()
