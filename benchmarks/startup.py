"""Start-up time, as ratios within one run: ``python benchmarks/startup.py``.

Goals: `drift --help` takes well under 0.4 s; importing drift takes not much longer than importing pandas.
"""

import statistics
import subprocess
import sys
import time

CASES = {
    "python (nothing)": "pass",
    "import pandas": "import pandas",
    "import drift": "import drift",
    "import drift; drift.compare": "import drift; drift.compare",
    "drift --help": "import sys; sys.argv = ['drift', '--help']; from drift.cli import main; main()",
}
ROUNDS = 9


def seconds(code: str) -> float:
    """Return the seconds of one run in a new interpreter."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> None:
    """Run all cases in turn, round after round, so that a slow period of the machine affects all of them."""
    timings: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, code in CASES.items():
            timings[name].append(seconds(code))
    pandas = statistics.median(timings["import pandas"])
    for name, runs in timings.items():
        median = statistics.median(runs)
        print(f"{name:30} {median:6.3f} s   {median / pandas:5.2f} x import pandas")


if __name__ == "__main__":
    main()
