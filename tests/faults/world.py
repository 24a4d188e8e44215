"""A world whose truth is known: rows, and the windows, scores and alerts that must come of them, in plain NumPy.

Nothing here calls drift. The generator draws rows hour by hour, calm or moved; counts, divergences and the turns of
alerts follow from the definitions in docs/statistics.md, written down a second time.
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
REFERENCE: Final = 6  # hours: fewer windows than drift learns from, so that the limit alone judges
EDGES: Final = (-2.0, -1.0, 0.0, 1.0, 2.0)
LIMIT: Final = 0.3
CHANNEL: Final = "pager"

Turn = tuple[str, datetime, str, str]
"""Monitor, start of the window, column, state."""


@dataclass(frozen=True)
class Truth:
    """What must be found.

    Parameters
    ----------
    windows : set of (monitor, start, end)
        Each to be checked once.
    scores : mapping of (monitor, start, column) to (score, drifted)
        JS distances.
    turns : tuple of Turn
        Alerts that begin to fire and that are resolved, each to be told once.
    """

    windows: frozenset[tuple[str, datetime, datetime]]
    scores: dict[tuple[str, datetime, str], tuple[float, bool]]
    turns: tuple[Turn, ...]

    @property
    def messages(self) -> set[tuple[str, datetime]]:
        """Windows that have something to tell: one message each."""
        return {(monitor, start) for monitor, start, _, _ in self.turns}


class Doubtful(ValueError):  # noqa: N818 - reads as what it is
    """A score so near the limit that rounding could decide."""


@dataclass
class World:
    """Rows in a Parquet file and what must come of them.

    Parameters
    ----------
    folder : Path
        Where the file is written.
    windows : int
        Hours to check.
    seed : int
        Of rows and of which hours are moved.
    columns, monitors : int
        How many; all monitors watch the same rows.
    rows : int
        In an hour.
    restless : float
        How often a column turns from calm to moved or back.
    """

    folder: Path
    windows: int
    seed: int
    columns: int = 2
    monitors: int = 1
    rows: int = 200
    restless: float = 0.5
    truth: Truth = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        while True:
            values = self._draw(rng)
            try:
                self.truth = self._truth(values)
            except Doubtful:  # one in some ten thousand scores: other rows are drawn
                continue
            self._write(values)
            return

    def _draw(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        hours = REFERENCE + self.windows
        moved = np.cumsum(rng.random((hours, self.columns)) < self.restless, axis=0) % 2 == 1
        moved[:REFERENCE] = False
        moved[REFERENCE] |= ~moved.any(axis=0)  # whoever would stay calm all the time is moved once
        values = rng.normal(0, 1, (hours, self.rows, self.columns)) + 3.0 * moved[:, None, :]
        values[rng.random(values.shape) < 0.02] = np.nan
        return values

    @property
    def names(self) -> list[str]:
        """Of the monitors."""
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
        scores, turns = {}, []
        for column in range(self.columns):
            reference = histogram(values[:REFERENCE, :, column])
            firing = False
            for number, start in enumerate(starts):
                score = js_distance(histogram(values[REFERENCE + number, :, column]), reference)
                if abs(score - LIMIT) <= 0.05:
                    raise Doubtful(f"a score of {score:.3f} at a limit of {LIMIT}")
                drifted = score >= LIMIT
                for name in self.names:
                    scores[name, start, f"c{column}"] = (score, drifted)
                    if drifted != firing:
                        turns.append((name, start, f"c{column}", "firing" if drifted else "resolved"))
                firing = drifted
        windows = frozenset((name, start, start + HOUR) for name in self.names for start in starts)
        return Truth(windows, scores, tuple(turns))

    def configure(self, store: str, receiver: str) -> Path:
        """Write drift.yaml; gives its path."""
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
    """Rows below, in each right-open bin of EDGES, above, and missing."""
    flat = values.ravel()
    whole = [-np.inf, *EDGES, np.inf]
    known = flat[~np.isnan(flat)]
    counts = [np.count_nonzero((low <= known) & (known < high)) for low, high in pairwise(whole)]
    return np.array([*counts, flat.size - known.size], dtype=np.int64)


def js_distance(live: npt.NDArray[np.int64], reference: npt.NDArray[np.int64]) -> float:
    """Square root of (KL(p || m) + KL(q || m)) / 2 in bits, m = (p + q) / 2 (Lin 1991), without smoothing."""
    p, q = live / live.sum(), reference / reference.sum()
    middle = (p + q) / 2
    total = 0.0
    for side in (p, q):
        held = side > 0
        total += float(np.sum(side[held] * np.log2(side[held] / middle[held]))) / 2
    return float(np.sqrt(total))
