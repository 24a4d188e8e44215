"""How long things take to start, as ratios in one run: ``python benchmarks/startup.py``.

`drift --help` should take well under 0.4 s, and importing drift (and comparing two small frames) not much
more than importing pandas.
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
    """One run in a fresh interpreter."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> None:
    """All cases in turn, again and again, so that a slow moment of the machine meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, code in CASES.items():
            taken[name].append(seconds(code))
    pandas = statistics.median(taken["import pandas"])
    for name, runs in taken.items():
        median = statistics.median(runs)
        print(f"{name:30} {median:6.3f} s   {median / pandas:5.2f} x import pandas")


if __name__ == "__main__":
    main()
