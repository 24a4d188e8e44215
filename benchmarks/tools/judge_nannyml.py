"""NannyML: JS distance by window, its limits of mean + 3 standard deviations over the reference's windows.

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
    """Fit once on the reference's windows, calculate each file in one go."""
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
    plain = pd.read_parquet(Path(folder) / "live.parquet")
    found = {}
    for path in sorted(Path(folder).glob("live*.parquet")):
        live = pd.read_parquet(path)
        concerned = [name for name in live if name != "window"]
        most = int(unchanged if path.stem == "live" else changed)
        whole = plain[plain["window"] < most].reset_index(drop=True)
        part = live[live["window"] < most].reset_index(drop=True)
        whole = whole.drop(columns=concerned).join(part[concerned])
        told = calculator.calculate(dated(whole)).filter(period="analysis").to_df()
        found[path.stem] = {name: told[name, "jensen_shannon", "alert"].astype(bool).tolist() for name in concerned}
    print(json.dumps(found))


def dated(frame):
    """A day for each window, in their order."""
    return frame.assign(when=pd.Timestamp("2020-01-01") + pd.to_timedelta(frame["window"], unit="D"))


if __name__ == "__main__":
    main(*sys.argv[1:])
