"""The demonstration: real data with real drift, and a configuration to learn from.

Data: Capital Bikeshare, Washington D.C., hourly rentals with weather, 2011-2012. Fanaee-T, H. and Gama, J.
(2013), Event labeling combining ensemble detectors and background knowledge, Progress in Artificial
Intelligence, doi:10.1007/s13748-013-0040-3; UCI Machine Learning Repository, CC BY 4.0. Unchanged but for
the column `ts`, which is `dteday` plus `hr`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from drift.errors import ConfigError

DATA: Final = "bike_sharing_hour.parquet"
CREDIT: Final = "Data: Fanaee-T and Gama (2013), doi:10.1007/s13748-013-0040-3, UCI, CC BY 4.0."

# What is known of the weeks that drift, from outside the data: column and week, words.
KNOWN: Final[Mapping[tuple[str, date], str]] = {
    ("registered", date(2012, 9, 10)): "the service had grown, to hours busier than any in 2011",
    ("weekday", date(2012, 10, 29)): "hurricane Sandy stopped it; of Monday one hour is recorded, of Tuesday eleven",
}


def lay_out(folder: Path) -> Path:
    """Put data and configuration into a folder; what is there already stays as it is.

    Parameters
    ----------
    folder : Path
        Is made where it is not there.

    Returns
    -------
    Path
        The configuration.

    Raises
    ------
    ConfigError
        Where the folder cannot be written to.
    """
    source = files("drift.cli.demo")
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for name, target in ((DATA, folder / "data" / DATA), ("drift.yaml", folder / "drift.yaml")):
            if not target.exists():
                target.write_bytes((source / name).read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror or error}; choose another --folder") from error
    return folder / "drift.yaml"


@dataclass(frozen=True, slots=True)
class DriftSummary:
    """One column over all windows: how many drifted, and in which stretches.

    Parameters
    ----------
    column : str
        Its name.
    windows, drifted : int
        How many were checked, and how many of them drifted.
    rarest : Mapping
        The score that an ordinary window shows most rarely, as `Store.scores` gives it.
    stretches : tuple of (date, date, int)
        First and last window of each run of drifted ones, and how many they are.
    """

    column: str
    windows: int
    drifted: int
    rarest: Mapping[str, Any]
    stretches: tuple[tuple[date, date, int], ...]


def drift_summaries(scores: Iterable[Mapping[str, Any]], timezone: ZoneInfo) -> list[DriftSummary]:
    """Which columns drifted when, the most often drifted first; from rows as `Store.scores` gives them."""
    by_column: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(scores, key=lambda row: str(row["window_start"])):
        by_column.setdefault(row["column"], []).append(row)
    told = [_story(column, rows, timezone) for column, rows in by_column.items()]
    return sorted(told, key=lambda story: (-story.drifted, _rarity(story.rarest), story.column))


def reaching(scores: Iterable[Mapping[str, Any]], limit: float) -> int:
    """How many scores reach a fixed limit: what would have been raised by one."""
    return sum(row["score"] is not None and row["score"] >= limit for row in scores)


def _rarity(row: Mapping[str, Any]) -> float:
    return 1.0 if row["p_value"] is None else float(row["p_value"])


def _story(column: str, rows: list[Mapping[str, Any]], timezone: ZoneInfo) -> DriftSummary:
    stretches: list[tuple[date, date, int]] = []
    running = False
    for row in rows:
        drifted = row["verdict"] == "drift"
        if drifted:
            day = datetime.fromisoformat(row["window_start"]).astimezone(timezone).date()
            first, _, length = stretches.pop() if running else (day, day, 0)
            stretches.append((first, day, length + 1))
        running = drifted
    drifted = sum(length for *_, length in stretches)
    return DriftSummary(column, len(rows), drifted, min(rows, key=_rarity), tuple(stretches))
