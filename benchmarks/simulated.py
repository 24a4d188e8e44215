"""False alarms on simulated windows, in multiples of the budget: ``python -m benchmarks.simulated [--write]``.

Two tables (budget: 1 per 30 days; 10 columns by day; 100 monitors with 100 live windows each). `--write` puts them into
docs/simulations.md, which explains them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.support.streams import (
    DAILY,
    Monitor,
    alarms,
    counts_of,
    group_of,
    p_values,
    shares_of,
    simulated_alarms,
    wandering,
)

PAGE = Path(__file__).parents[1] / "docs" / "simulations.md"
RHOS = (0.0, 0.3, 0.6, 0.9, 0.97)
REFERENCES = (12, 20, 60, 120)
IN_A_ROW = (1, 2, 3)
MONITORS, LIVE = 100, 100
CONCENTRATIONS = (None, 3000.0, 300.0, 50.0)
ROWS: dict[str, tuple[Sequence[int], Sequence[int] | None]] = {
    "1,000": ((1000,), None),
    "1,000,000": ((1_000_000,), None),
    "100 and 10,000 by turns": ((100, 10_000), None),
    "100, then live ones of 10,000": ((100,), (10_000,)),
    "10,000, then live ones of 100": ((10_000,), (100,)),
}


def main() -> None:
    """Print the tables, and write them to the page on request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables to docs/simulations.md")
    options = parser.parse_args()
    tables = {
        "clusters": clusters(),
        "autocorrelated": as_markdown({(windows, rho): times(windows, rho) for windows in REFERENCES for rho in RHOS}),
    }
    for name, table in tables.items():
        print(table)
        if options.write:
            begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
            before, rest = PAGE.read_text(encoding="utf-8").split(begin)
            PAGE.write_text(f"{before}{begin}\n\n{table}\n{end}{rest.split(end)[1]}", encoding="utf-8")


def clusters() -> str:
    """Return a table by size of windows, length of the reference and number of bins; a column per concentration."""
    header = " | ".join("independent" if c is None else f"concentration {c:g}" for c in CONCENTRATIONS)
    lines = [
        f"| rows of a window | reference windows | bins | {header} |",
        "|---|---|---|" + "---|" * len(CONCENTRATIONS),
    ]
    for name, (rows, live) in ROWS.items():
        for windows in (12, 60):
            for bins in (5, 10, 20, 50):
                cells = []
                for concentration in CONCENTRATIONS:
                    n_alarms, chances = simulated_alarms(DAILY, bins, concentration, windows, rows, live)
                    cells.append(f"{n_alarms / (DAILY.allowed_rate * chances):.2f}")
                lines.append(f"| {name} | {windows} | {bins} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def times(windows: int, rho: float) -> list[float]:
    """Return alarms divided by the budget, for each number of unusual windows in a row.

    Log-odds of ten bins follow a stationary Gaussian AR(1) of deviation 0.1, which changes shares by 10 %, in windows
    of 10,000 rows; live windows continue the series of the reference.
    """
    rng = np.random.default_rng(1)
    shares = shares_of(rng, 10 * MONITORS, 10)
    wandering_shares = wandering(rng, shares, windows + LIVE, rho, 0.1)
    counts = counts_of(rng, wandering_shares, [10_000] * (windows + LIVE))
    reference = counts[:, :windows]
    p = p_values(group_of(reference), counts[:, windows:])
    ratios = []
    for for_windows in IN_A_ROW:
        monitor = Monitor(10, budget=DAILY.budget, for_windows=for_windows)
        ratios.append(alarms(p < monitor.levels(reference), for_windows) / (monitor.allowed_rate * p.size))
    return ratios


def as_markdown(ratios: dict[tuple[int, float], list[float]]) -> str:
    """Return a table by length of the reference and `for`; a column per correlation."""
    header = " | ".join(f"rho {rho:g}" for rho in RHOS)
    lines = [f"| reference windows | `for` | {header} |", "|---|---|" + "---|" * len(RHOS)]
    for windows in REFERENCES:
        for at, for_windows in enumerate(IN_A_ROW):
            cells = " | ".join(f"{ratios[windows, rho][at]:.2f}" for rho in RHOS)
            lines.append(f"| {windows} | {for_windows} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
