"""NannyML: JS distance by window, with its limits of mean + 3 standard deviations of the reference windows.

``ENVIRONMENT/bin/python judge_nannyml.py FOLDER NUMBERS UNCHANGED CHANGED`` reads what `benchmarks/judged/peers.py`
wrote and prints one line of JSON: alarms by column for the first windows of each file. A window is a day here:
NannyML cuts chunks by time.
"""

import json
import sys
import warnings
from pathlib import Path

import nannyml as nml
import pandas as pd


def main(folder, numbers, unchanged, changed):
    """Fit on the reference windows, and calculate each file in one call."""
    warnings.simplefilter("ignore")
    reference = dated(pd.read_parquet(Path(folder) / "reference.parquet"))
    columns = [name for name in reference if name not in {"window", "when"}]
    names = [name for name in columns if name not in json.loads(numbers)]
    calculator = nml.UnivariateDriftCalculator(
        column_names=columns,
        treat_as_categorical=names,
        timestamp_column_name="when",
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_period="D",
    ).fit(reference)
    unchanged_windows = pd.read_parquet(Path(folder) / "live.parquet")
    alarms_by_file = {}
    for path in sorted(Path(folder).glob("live*.parquet")):
        live = pd.read_parquet(path)
        changed_columns = [name for name in live if name != "window"]
        max_windows = int(unchanged if path.stem == "live" else changed)
        filled = unchanged_windows[unchanged_windows["window"] < max_windows].reset_index(drop=True)
        part = live[live["window"] < max_windows].reset_index(drop=True)
        filled = filled.drop(columns=changed_columns).join(part[changed_columns])
        scores = calculator.calculate(dated(filled)).filter(period="analysis").to_df()
        alarms_by_file[path.stem] = {
            name: scores[name, "jensen_shannon", "alert"].astype(bool).tolist() for name in changed_columns
        }
    print(json.dumps(alarms_by_file))


def dated(frame):
    """Assign a day to each window, in order."""
    return frame.assign(when=pd.Timestamp("2020-01-01") + pd.to_timedelta(frame["window"], unit="D"))


if __name__ == "__main__":
    main(*sys.argv[1:])
