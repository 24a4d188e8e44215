"""Generated data with known results: rows, and the expected windows, scores and alerts, in plain NumPy.

Nothing here calls drift. The generator draws rows hour by hour, unchanged or shifted; counts, divergences and alert
transitions are a second implementation of the definitions in docs/statistics.md.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

FROM: Final = datetime(2024, 3, 4, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
REFERENCE: Final = 6  # hours: too few windows for a calibration, so that the threshold alone decides
EDGES: Final = (-2.0, -1.0, 0.0, 1.0, 2.0)
LIMIT: Final = 0.3
CHANNEL: Final = "pager"

Transition = tuple[str, datetime, str, str]
"""Monitor, start of the window, column, state."""


@dataclass(frozen=True)
class Truth:
    """The expected results.

    Parameters
    ----------
    windows : set of (monitor, start, end)
        Each must be checked once.
    scores : mapping of (monitor, start, column) to (score, drifted)
        JS distances.
    transitions : tuple of Transition
        Transitions of alerts to firing and to resolved, each to be sent once.
    """

    windows: frozenset[tuple[str, datetime, datetime]]
    scores: dict[tuple[str, datetime, str], tuple[float, bool]]
    transitions: tuple[Transition, ...]

    @property
    def notifications(self) -> set[tuple[str, datetime]]:
        """Windows with transitions: one notification each."""
        return {(monitor, start) for monitor, start, _, _ in self.transitions}


class AmbiguousScoreError(ValueError):
    """A score so near the limit that rounding could decide its verdict."""


@dataclass
class World:
    """Rows in a Parquet file, and the expected results.

    Parameters
    ----------
    folder : Path
        Folder of the file.
    windows : int
        Hours to check.
    seed : int
        Seed of the rows and of the shifted hours.
    columns, monitors : int
        Their numbers; all monitors watch the same rows.
    rows : int
        Rows in an hour.
    change_rate : float
        Probability that a column changes between unchanged and shifted from one hour to the next.
    """

    folder: Path
    windows: int
    seed: int
    columns: int = 2
    monitors: int = 1
    rows: int = 200
    change_rate: float = 0.5
    truth: Truth = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        while True:
            values = self._draw(rng)
            try:
                self.truth = self._truth(values)
            except AmbiguousScoreError:  # one in about ten thousand scores: draw other rows
                continue
            self._write(values)
            return

    def _draw(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        hours = REFERENCE + self.windows
        shifted = np.cumsum(rng.random((hours, self.columns)) < self.change_rate, axis=0) % 2 == 1
        shifted[:REFERENCE] = False
        shifted[REFERENCE] |= ~shifted.any(axis=0)  # every column shifts at least once
        values = rng.normal(0, 1, (hours, self.rows, self.columns)) + 3.0 * shifted[:, None, :]
        values[rng.random(values.shape) < 0.02] = np.nan
        return values

    @property
    def names(self) -> list[str]:
        """Names of the monitors."""
        return [f"m{number}" for number in range(self.monitors)]

    @property
    def path(self) -> Path:
        """The file of rows."""
        return self.folder / "rows.parquet"

    def _write(self, values: npt.NDArray[np.float64]) -> None:
        hours, rows, columns = values.shape
        step = HOUR / rows
        moments = [FROM + hour * HOUR + row * step for hour in range(hours) for row in range(rows)]
        data: dict[str, Any] = {"ts": pa.array(moments, pa.timestamp("us", "UTC"))}
        data |= {f"c{number}": values[:, :, number].ravel() for number in range(columns)}
        self.folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(data), self.path, row_group_size=rows)

    def _truth(self, values: npt.NDArray[np.float64]) -> Truth:
        starts = [FROM + (REFERENCE + n) * HOUR for n in range(self.windows)]
        scores, transitions = {}, []
        for column in range(self.columns):
            reference = histogram(values[:REFERENCE, :, column])
            firing = False
            for number, start in enumerate(starts):
                score = js_distance(histogram(values[REFERENCE + number, :, column]), reference)
                if abs(score - LIMIT) <= 0.05:
                    raise AmbiguousScoreError(f"a score of {score:.3f} at a limit of {LIMIT}")
                drifted = score >= LIMIT
                for name in self.names:
                    scores[name, start, f"c{column}"] = (score, drifted)
                    if drifted != firing:
                        transitions.append((name, start, f"c{column}", "firing" if drifted else "resolved"))
                firing = drifted
        windows = frozenset((name, start, start + HOUR) for name in self.names for start in starts)
        return Truth(windows, scores, tuple(transitions))

    def configure(self, store: str, receiver: str) -> Path:
        """Write drift.yaml; return its path."""
        monitor = {
            "source": {"path": str(self.path)},
            "timestamp": "ts",
            "window": "1h",
            "reference": {"from": _text(FROM), "to": _text(FROM + REFERENCE * HOUR)},
            "end": _text(FROM + (REFERENCE + self.windows) * HOUR),
            "metric": "js_distance",
            "bins": list(EDGES),
            "threshold": LIMIT,
            "alert": {"notify": [CHANNEL]},
        }
        document = {
            "version": 1,
            "store": store,
            "monitors": dict.fromkeys(self.names, monitor),
            "channels": {CHANNEL: {"type": "webhook", "url": receiver, "timeout": 2}},
        }
        path = self.folder / "drift.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def histogram(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Count rows below, in each right-open bin of EDGES, above, and missing."""
    flat = values.ravel()
    edges = [-np.inf, *EDGES, np.inf]
    present = flat[~np.isnan(flat)]
    counts = [np.count_nonzero((low <= present) & (present < high)) for low, high in pairwise(edges)]
    return np.array([*counts, flat.size - present.size], dtype=np.int64)


def js_distance(live: npt.NDArray[np.int64], reference: npt.NDArray[np.int64]) -> float:
    """Return sqrt((KL(p || m) + KL(q || m)) / 2) in bits, m = (p + q) / 2 (Lin 1991), without smoothing."""
    p, q = live / live.sum(), reference / reference.sum()
    mean = (p + q) / 2
    total = 0.0
    for side in (p, q):
        positive = side > 0
        total += float(np.sum(side[positive] * np.log2(side[positive] / mean[positive]))) / 2
    return float(np.sqrt(total))
