"""Comparison of the store of `fleet.py` with what it must contain, by SQL, NumPy and SciPy without code of drift."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow.parquet as pq
from scipy.spatial.distance import jensenshannon

BINS = 10
TOLERANCE = 1e-9

_WINDOWS = """SELECT m.name, w.start_at, w.status = 'done', count(r.id), coalesce(bool_and(r.drifted > 0), false)
    FROM "window" w JOIN monitor m ON m.id = w.monitor_id LEFT JOIN revision r ON r.window_id = w.id
    GROUP BY m.name, w.id"""
_INCOMPLETE = """SELECT count(*) FROM (SELECT r.id FROM revision r LEFT JOIN profile p ON p.revision_id = r.id
    LEFT JOIN score s ON s.profile_id = p.id GROUP BY r.id
    HAVING count(s.value) <> %s OR r.columns <> %s OR r.verdict = 'error') AS incomplete"""
_SCORES = """SELECT c.name, s.value FROM score s JOIN profile p ON p.id = s.profile_id
    JOIN revision r ON r.id = p.revision_id JOIN "window" w ON w.id = r.window_id JOIN monitor m ON m.id = w.monitor_id
    JOIN watched_column c ON c.id = s.column_id WHERE m.name = %s AND w.start_at = %s"""

Floats = npt.NDArray[np.float64]


def audit(
    store: str, files: dict[str, Path], moved: set[str], first: datetime, reference: int, hours: int, sample: int
) -> dict[str, Any]:
    """Count lost, doubled and wrong windows, and wrong scores in a sample of windows.

    Parameters
    ----------
    store : str
        URL of the database.
    files : dict of str to Path
        Parquet file of each monitor; files with the same content share an inode.
    moved : set of str
        Monitors whose windows must all have drifted.
    first : datetime
        Start of the reference.
    reference, hours : int
        Length of the reference, and number of windows checked after it.
    sample : int
        Number of windows whose scores are computed again.
    """
    starts = [first + timedelta(hours=reference + hour) for hour in range(hours)]
    expected_windows = {(name, start) for name in files for start in starts}
    columns = [name for name in pq.read_schema(next(iter(files.values()))).names if name != "ts"]
    with psycopg.connect(store) as server:
        windows = [(name, start.astimezone(UTC), *rest) for name, start, *rest in server.execute(_WINDOWS)]
        done = Counter({(name, start): times for name, start, whole, times, _ in windows if whole})
        incomplete = server.execute(_INCOMPLETE, (len(columns), len(columns))).fetchone()
        rng = np.random.default_rng(1)
        keys = sorted(expected_windows)
        sampled = [keys[number] for number in rng.choice(len(keys), min(sample, len(keys)), replace=False)]
        expected_scores = _ExpectedScores(first, reference, hours, columns)
        scores = [
            expected_scores.compare(files[key[0]], key[1], server.execute(_SCORES, key).fetchall()) for key in sampled
        ]
    drifted = Counter(name for name, *_, all_drifted in windows if all_drifted)
    return {
        "lost": sum(done[key] == 0 for key in expected_windows),
        "doubled": (Counter(key[:2] for key in windows) - Counter(expected_windows)).total()
        + (done - Counter(expected_windows)).total(),
        "wrong": incomplete[0] if incomplete else None,
        "moved_monitors": len(moved),
        "moved_monitors_of_which_a_window_did_not_drift": sum(drifted[name] != hours for name in moved),
        "scores_computed_again": len(sampled) * len(columns),
        "scores_off": sum(off for off, _ in scores),
        "largest_difference": max((largest for _, largest in scores), default=0.0),
    }


class _ExpectedScores:
    """Scores by definition: equally filled bins of the reference, and SciPy's Jensen-Shannon distance."""

    def __init__(self, first: datetime, reference: int, hours: int, columns: list[str]) -> None:
        self._first, self._reference, self._hours, self._columns = first, reference, hours, columns
        self._read: dict[int, tuple[Floats, list[Floats], Floats]] = {}  # values, edges, counts, by inode

    def compare(self, path: Path, start: datetime, rows: list[tuple[str, float | None]]) -> tuple[int, float]:
        """Return the number of wrong, missing and surplus scores of a window, and the largest difference."""
        values, edges, reference = self._file(path)
        each = len(values) // (self._reference + self._hours)
        position = int((start - self._first) / timedelta(hours=1)) * each
        live = _counts(values[position : position + each], edges)
        expected = jensenshannon(live, reference, base=2, axis=1)
        stored = dict(rows)
        differences = [
            abs(value - expected_score) if (value := stored.get(name)) is not None else np.inf
            for name, expected_score in zip(self._columns, expected, strict=True)
        ]
        surplus = len(rows) - len(self._columns)
        return sum(not d <= TOLERANCE for d in differences) + max(0, surplus), float(max(differences))

    def _file(self, path: Path) -> tuple[Floats, list[Floats], Floats]:
        inode = path.stat().st_ino
        if inode not in self._read:
            table = pq.read_table(path, columns=self._columns)
            values = np.column_stack([table[name].to_numpy() for name in self._columns])
            old = values[: len(values) // (self._reference + self._hours) * self._reference]
            edges = [_edges(np.sort(column)) for column in old.T]
            self._read[inode] = values, edges, _counts(old, edges)
        return self._read[inode]


def _edges(ordered: Floats) -> Floats:
    """Return edges: each bin starts at an observed value and takes its share of the remaining rows (no ties)."""
    starts, position = [], 0
    for left in range(BINS, 0, -1):
        starts.append(ordered[position])
        position += (len(ordered) - position) // left
    return np.array([*starts, np.nextafter(ordered[-1], np.inf)])


def _counts(values: Floats, edges: list[Floats]) -> Floats:
    """Return counts by column and bin: `below`, ten bins, `above`; no value is missing."""
    whole = [np.concatenate(([-np.inf], column_edges, [np.inf])) for column_edges in edges]
    # np.histogram closes its last bin on the right; this has no effect, because no value is infinite.
    return np.array(
        [np.histogram(column, column_edges)[0] for column, column_edges in zip(values.T, whole, strict=True)],
        dtype=float,
    )
