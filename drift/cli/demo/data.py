"""Data, configuration and results of the demonstration.

Data: Capital Bikeshare, Washington D.C., hourly rentals with weather, 2011-2012. Fanaee-T, H. and Gama, J.
(2013), Event labeling combining ensemble detectors and background knowledge, Progress in Artificial
Intelligence, doi:10.1007/s13748-013-0040-3; UCI Machine Learning Repository, CC BY 4.0. Unchanged except for
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

# Explanations of drift from outside the data, by column and first day of the week.
KNOWN_CAUSES: Final[Mapping[tuple[str, date], str]] = {
    ("registered", date(2012, 9, 10)): "the service had grown, to hours busier than any in 2011",
    ("weekday", date(2012, 10, 29)): (
        "hurricane Sandy stopped the service; Monday has one recorded hour, Tuesday eleven"
    ),
}


def create_project(folder: Path) -> Path:
    """Write data and configuration into a folder; existing files are kept.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.

    Returns
    -------
    Path
        The configuration.

    Raises
    ------
    ConfigError
        If the folder cannot be written to.
    """
    package = files("drift.cli.demo")
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for name, target in ((DATA, folder / "data" / DATA), ("drift.yaml", folder / "drift.yaml")):
            if not target.exists():
                target.write_bytes((package / name).read_bytes())
    except OSError as error:
        message = f"cannot write to {folder}: {error.strerror or error}; choose another --folder"
        raise ConfigError(message, code="file-unwritable") from error
    return folder / "drift.yaml"


@dataclass(frozen=True, slots=True)
class DriftSummary:
    """The drift of one column over all windows.

    Parameters
    ----------
    column : str
        Its name.
    windows, drifted : int
        Number of windows checked, and of those that drifted.
    rarest : Mapping
        The score with the smallest p-value, as from `StoreQueries.scores`.
    runs : tuple of (date, date, int)
        First and last window of each run of consecutive drifted ones, and its length.
    """

    column: str
    windows: int
    drifted: int
    rarest: Mapping[str, Any]
    runs: tuple[tuple[date, date, int], ...]


def drift_summaries(scores: Iterable[Mapping[str, Any]], timezone: ZoneInfo) -> list[DriftSummary]:
    """Summarise each column, the one that drifted most often first, from rows of `StoreQueries.scores`."""
    by_column: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(scores, key=lambda row: str(row["window_start"])):
        by_column.setdefault(row["column"], []).append(row)
    summaries = [_summary(column, rows, timezone) for column, rows in by_column.items()]
    return sorted(summaries, key=lambda summary: (-summary.drifted, _p_value(summary.rarest), summary.column))


def count_reaching(scores: Iterable[Mapping[str, Any]], limit: float) -> int:
    """Count the scores that reach a fixed limit, which alone would have raised them."""
    return sum(row["score"] is not None and row["score"] >= limit for row in scores)


def _p_value(row: Mapping[str, Any]) -> float:
    return 1.0 if row["p_value"] is None else float(row["p_value"])


def _summary(column: str, rows: list[Mapping[str, Any]], timezone: ZoneInfo) -> DriftSummary:
    runs: list[tuple[date, date, int]] = []
    in_run = False
    for row in rows:
        drifted = row["verdict"] == "drift"
        if drifted:
            day = datetime.fromisoformat(row["window_start"]).astimezone(timezone).date()
            first, _, length = runs.pop() if in_run else (day, day, 0)
            runs.append((first, day, length + 1))
        in_run = drifted
    return DriftSummary(column, len(rows), sum(length for *_, length in runs), min(rows, key=_p_value), tuple(runs))
