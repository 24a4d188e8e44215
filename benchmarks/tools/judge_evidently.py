"""Evidently with its defaults: its choice of test and limit for each column, window by window.

``ENVIRONMENT/bin/python judge_evidently.py FOLDER NUMBERS UNCHANGED CHANGED`` reads what `benchmarks/judged/peers.py`
wrote and prints one line of JSON: alarms by column for the first windows of each file.
"""

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift


def main(folder, numbers, unchanged, changed):
    """Run one report per window, of the columns that it has."""
    warnings.simplefilter("ignore")
    reference = pd.read_parquet(Path(folder) / "reference.parquet").drop(columns="window")
    alarms_by_file = {}
    for path in sorted(Path(folder).glob("live*.parquet")):
        live = pd.read_parquet(path)
        max_windows = int(unchanged if path.stem == "live" else changed)
        columns = [name for name in live if name != "window"]
        alarms = {name: [] for name in columns}
        for _, window in list(live.groupby("window"))[:max_windows]:
            failed = run_tests(reference[columns], window[columns], json.loads(numbers))
            for name in columns:
                alarms[name].append(failed[name])
        alarms_by_file[path.stem] = alarms
    print(json.dumps(alarms_by_file))


def run_tests(reference, live, numbers):
    """Return whether each column failed its test; a column of nulls only, which Evidently refuses, raises no alarm."""
    columns = [name for name in live if live[name].notna().any()]
    alarms = dict.fromkeys(live.columns, False)
    definition = DataDefinition(
        numerical_columns=[name for name in columns if name in numbers],
        categorical_columns=[name for name in columns if name not in numbers],
    )
    run = Report([ValueDrift(column=name) for name in columns], include_tests=True).run(
        current_data=Dataset.from_pandas(live[columns], data_definition=definition),
        reference_data=Dataset.from_pandas(reference[columns], data_definition=definition),
    )
    for test in run.dict()["tests"]:
        alarms[test["metric_config"]["params"]["column"]] = test["status"].value == "FAIL"
    return alarms


if __name__ == "__main__":
    main(*sys.argv[1:])
